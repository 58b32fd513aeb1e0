"""``callvault pause`` and ``callvault resume``: an operator holds everything, and lets it go on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from archive.catalog import pauses
from archive.errors import Exit, InputError
from worker.commands.options import account_option, json_option, print_json
from worker.opening import open_to_look, open_to_work
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--why", required=True, help="Shown wherever somebody wonders why nothing moves.")
@account_option
@json_option
@click.pass_obj
def pause(config: Path | None, *, why: str, account: str | None, as_json: bool) -> int:
    """Hold all work, or that of one account, until 'callvault resume'.

    Downloads that have begun go on to their end. Nothing fails because of it.
    """
    if not why.strip():
        raise InputError(
            "a pause needs its why", hint='say it in some words: --why "moving the disks"'
        )
    settings = load_settings(config, os.environ)
    scope = _scope(settings, account)
    database = open_to_work(settings)
    try:
        with database.write() as tx:
            pauses.pause_by_operator(tx, scope, why=why, now=database.clock())
    finally:
        database.close()
    if as_json:
        print_json({"paused": scope})
    else:
        click.echo(f"paused: {scope}; let it go on with: callvault resume")
    return Exit.COMPLETE


@click.command()
@account_option
@json_option
@click.pass_obj
def resume(config: Path | None, *, account: str | None, as_json: bool) -> int:
    """Let paused work go on: without --account, all of it, whatever paused it."""
    settings = load_settings(config, os.environ)
    database = open_to_look(settings)
    try:
        with database.write() as tx:
            scopes = [paused.scope for paused in pauses.pauses(tx)]
            if account is not None:
                scopes = [_scope(settings, account)]
            lifted = [scope for scope in scopes if pauses.lift(tx, scope)]
    finally:
        database.close()
    if as_json:
        print_json({"resumed": lifted})
    else:
        click.echo(f"resumed: {', '.join(lifted)}" if lifted else "nothing was paused")
    return Exit.COMPLETE


def _scope(settings: Settings, account: str | None) -> str:
    return pauses.ALL if account is None else pauses.account_scope(settings.account(account).name)
