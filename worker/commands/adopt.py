"""``callvault adopt``: takes in recordings that were downloaded before, or by other means."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from worker.commands.options import json_option, progress_option
from worker.completion import complete_account
from worker.logs import configure_logging
from worker.meter import Meter
from worker.screen import wants_bar
from worker.settings import load_settings


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--account",
    shell_complete=complete_account,
    help="Whose recordings these are, if there are several accounts.",
)
@click.option("--copy", "copies", is_flag=True, help="Copy, where a hard link could be made, too.")
@click.option("-n", "--dry-run", is_flag=True, help="Only look and tell; change nothing.")
@progress_option
@json_option
@click.pass_obj
def adopt(
    config: Path | None,
    *,
    folder: Path,
    account: str | None,
    copies: bool,
    dry_run: bool,
    progress: bool | None,
    as_json: bool,
) -> int:
    """Take in recordings that lie in DIR: files with the Sid of a known call in their name.

    Their calls become archived as if they had been fetched. DIR itself is left as it is.
    """
    from worker.commands import adopting  # noqa: PLC0415 - it loads HTTP and Redis

    settings = load_settings(config, os.environ)
    shows_bar = wants_bar(progress)
    configure_logging(settings.log, quiet=shows_bar)
    chosen = settings.account(account)
    adopting.check(settings, folder)
    with Meter("adopting", total=None, shows_bar=shows_bar) as meter:
        run = adopting.run(
            settings, chosen, folder.resolve(), meter, copies=copies, dry_run=dry_run
        )
        adopted = asyncio.run(run)
    return adopting.told(adopted, dry_run=dry_run, as_json=as_json)
