"""``callvault work`` and ``callvault run``."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from archive.errors import Exit
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import (
    dates_option,
    json_option,
    progress_option,
    say_balance,
    states_text,
)
from worker.completion import complete_account
from worker.logs import configure_logging
from worker.progress import BarProgress, LogProgress, Progress
from worker.screen import wants_bar
from worker.secrets import secrets_in
from worker.service import Service
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from worker.supervisor import Supervisor

_DRAIN_HELP = "End when every known call is settled, waiting out those that are not ready."


@click.command(cls=Noted, only="drain")
@click.option("--drain", is_flag=True, help=_DRAIN_HELP)
@progress_option
@json_option
@click.pass_obj
def work(config: Path | None, *, drain: bool, progress: bool | None, as_json: bool) -> int:
    """Run the workers: fetch what is due, again and again, until told to stop."""
    settings = load_settings(config, os.environ)
    return _work(settings, drain=drain, progress=progress, as_json=as_json)


@click.command(cls=Noted, only="drain")
@click.argument("files", nargs=-1, metavar="[CDR_EXPORT]...", type=click.Path())
@click.option(
    "--account",
    shell_complete=complete_account,
    help="The account the exports are of, if there are several.",
)
@dates_option
@click.option("--drain", is_flag=True, help=_DRAIN_HELP)
@click.option("--poll/--no-poll", "polls", default=True, help="Ask the listing for new calls.")
@click.option("--web/--no-web", "receives", default=True, help="Receive callbacks.")
@progress_option
@json_option
@click.pass_obj
def run(
    config: Path | None,
    *,
    files: tuple[str, ...],
    account: str | None,
    dates: str | None,
    drain: bool,
    polls: bool,
    receives: bool,
    progress: bool | None,
    as_json: bool,
) -> int:
    """Everything at once on one machine: take exports in, poll, receive callbacks, archive.

    Without --drain it goes on until it is stopped, asks the provider for new calls, and receives
    callbacks where there is a secret for them. With --drain it does neither.
    """
    settings = load_settings(config, os.environ)
    if files:
        from worker.commands.taking import take_files  # noqa: PLC0415 - only with files

        take_files(
            settings,
            account,
            files,
            dates=dates,
            dry_run=False,
            as_json=False,
            quiet=as_json,
            progress=progress,
        )
    beside = None if drain else partial(_with_others, settings, polls=polls, receives=receives)
    return _work(settings, drain=drain, progress=progress, as_json=as_json, beside=beside)


async def _with_others(
    settings: Settings, supervisor: Supervisor, *, polls: bool, receives: bool
) -> Exit:
    # Loaded here: who only works needs no web server.
    from worker.beside import run_beside  # noqa: PLC0415

    return await run_beside(
        supervisor,
        settings,
        os.environ,
        polls=polls,
        receives=receives,
        on_ready=lambda address: click.echo(f"listening on {address}", err=True),
    )


def _work(
    settings: Settings,
    *,
    drain: bool,
    progress: bool | None,
    as_json: bool,
    beside: Callable[[Supervisor], Coroutine[Any, Any, Exit]] | None = None,
) -> int:
    from worker.supervisor import Supervisor  # noqa: PLC0415 - it loads HTTP and Redis

    shows_bar = wants_bar(progress)
    shown: Progress = BarProgress() if shows_bar else LogProgress()
    configure_logging(
        settings.log, quiet=shown.wants_quiet, secrets=secrets_in(os.environ, settings.queue.url)
    )
    service = Service.of_environment(os.environ)
    supervisor = Supervisor(
        settings, dict(os.environ), drain=drain, progress=shown, service=service
    )
    code = asyncio.run(beside(supervisor) if beside else supervisor.run())
    if drain:
        counted = say_balance(settings, as_json=as_json)
        note_of_run(states_text(counted))
    if code is Exit.WORK_REMAINS:
        click.echo("stopped before all was settled; run it again to go on", err=True)
    return code
