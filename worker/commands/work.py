"""``callvault work`` and ``callvault run``."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from archive.errors import Exit
from worker.commands.listed import Listed, worst
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import (
    dates_option,
    json_option,
    progress_option,
    say_balance,
    states_text,
)
from worker.completion import complete_account, complete_moment
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
    _refuse_endless_json(drain=drain, as_json=as_json)
    settings = load_settings(config, os.environ)
    return _work(settings, drain=drain, progress=progress, as_json=as_json)


@click.command(cls=Noted, only="drain", named={"start": "--from"})
@click.argument("files", nargs=-1, metavar="[CDR_EXPORT]...", type=click.Path())
@click.option(
    "--account",
    shell_complete=complete_account,
    help="The account the exports are of, if there are several.",
)
@dates_option
@click.option(
    "--from", "start", shell_complete=complete_moment, help="Take in what the listing has since."
)
@click.option("--to", "end", shell_complete=complete_moment, help="And until then. Default: now.")
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
    start: str | None,
    end: str | None,
    drain: bool,
    polls: bool,
    receives: bool,
    progress: bool | None,
    as_json: bool,
) -> int:
    """Everything at once on one machine: take exports in, poll, receive callbacks, archive.

    With --from it asks the provider's listing first, of all accounts or of --account; one that
    cannot be asked holds up neither the others nor the archiving, and shows in the exit code.
    Without --drain it goes on until it is stopped, asks the provider for new calls, and receives
    callbacks where there is a secret for them. With --drain it does neither.
    """
    _refuse_endless_json(drain=drain, as_json=as_json)
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
    listed = _take_listing(settings, account, start, end, quiet=as_json)
    beside = None if drain else partial(_with_others, settings, polls=polls, receives=receives)
    code = _work(settings, drain=drain, progress=progress, as_json=as_json, beside=beside)
    if listed.note:
        note_of_run(listed.note)
    return worst(code, listed.code)


def _refuse_endless_json(*, drain: bool, as_json: bool) -> None:
    """What has no end has no balance to print at its end."""
    if as_json and not drain:
        raise click.UsageError("--json needs --drain: it is the balance at the end of a run")


def _take_listing(
    settings: Settings, account: str | None, start: str | None, end: str | None, *, quiet: bool
) -> Listed:
    if start is None:
        if end is not None:
            raise click.UsageError("--to needs --from")
        return Listed()
    from worker.commands.listing import list_accounts  # noqa: PLC0415 - only with a range

    accounts = settings.accounts.values() if account is None else [settings.account(account)]
    return list_accounts(settings, accounts, start, end, quiet=quiet)


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
