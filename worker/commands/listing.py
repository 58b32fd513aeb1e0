"""``callvault enqueue range``: what the provider lists for a time."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import click

from archive.clock import system_clock
from archive.errors import CallvaultError, Exit
from worker import endings
from worker.commands.choosing import choice_options, read_entry
from worker.commands.listed import Listed, worst
from worker.commands.moments import known_part, parse_range
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import account_option, dry_run_option, json_option, print_json
from worker.commands.saying import LISTED, counted
from worker.completion import complete_moment
from worker.logs import configure_logging
from worker.opening import rehearsed
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from archive.accounts import Account
    from archive.entry import Entry
    from jobs.intake import Report


@click.command("range", cls=Noted)
@click.option(
    "--from",
    "start",
    required=True,
    shell_complete=complete_moment,
    help="The first moment: 2026-11-01 or with a time.",
)
@click.option(
    "--to",
    "end",
    required=True,
    shell_complete=complete_moment,
    help="The last; a day alone means its end.",
)
@account_option
@choice_options
@dry_run_option
@json_option
@click.pass_obj
def by_range(
    config: Path | None,
    *,
    start: str,
    end: str,
    account: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> int:
    """Ask the provider for all calls of a time; 'today', '3 days ago' are days, too.

    Times are in the account's zone. The provider keeps six months of history.
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log)
    chosen = settings.account(account)
    first, last = parse_range(start, end, chosen.zone)
    entry = read_entry(only, skip)
    with rehearsed(settings, dry_run=dry_run) as used:
        taken, alarm = asyncio.run(_ask(used, chosen, first, last, entry, dry_run=dry_run))
    note_of_run(counted(taken, LISTED))
    if as_json:
        print_json(taken)
    else:
        would = " (dry run: nothing was changed)" if dry_run else ""
        click.echo(f"{counted(taken, LISTED)}{would}")
    if alarm is None:
        return Exit.COMPLETE
    click.echo(f"ALARM: {alarm}", err=True)
    return Exit.WORK_REMAINS


def list_accounts(
    settings: Settings,
    accounts: Iterable[Account],
    start: str,
    end: str | None,
    *,
    quiet: bool,
) -> Listed:
    """Take in what the listing of each account has; one that cannot be asked holds up no other."""
    configure_logging(settings.log)
    entry = read_entry((), ())
    codes: list[int] = []
    troubles: list[str] = []
    for account in accounts:
        now = system_clock().astimezone(account.zone)
        until = end or f"{now:%Y-%m-%d %H:%M:%S}"
        try:
            first, last = parse_range(start, until, account.zone)
            taken, alarm = asyncio.run(_ask(settings, account, first, last, entry, dry_run=False))
        except CallvaultError as error:
            endings.say(error)
            codes.append(int(error.exit_code))
            troubles.append(f"{account.name}: {error.message}")
            continue
        click.echo(f"{account.name}: {counted(taken, LISTED)}", err=quiet)
        if alarm is not None:
            click.echo(f"ALARM: {account.name}: {alarm}", err=True)
            codes.append(Exit.WORK_REMAINS)
            troubles.append(f"{account.name}: {alarm}")
    return Listed(worst(*codes), next(iter(troubles), ""))


async def _ask(
    settings: Settings,
    account: Account,
    start: datetime,
    end: datetime,
    entry: Entry,
    *,
    dry_run: bool,
) -> tuple[Report, str | None]:
    # Loaded here: the other ways of enqueueing need neither HTTP nor Redis.
    from archive.api import ApiTroubleError  # noqa: PLC0415
    from archive.catalog.coverage import cover  # noqa: PLC0415
    from archive.windows import Window  # noqa: PLC0415
    from jobs.listing import Clerk, alarm_for, take_range  # noqa: PLC0415
    from worker.asking import explained, open_asking  # noqa: PLC0415

    began, ended = known_part(start, end, account.zone)
    async with open_asking(settings, os.environ, [account]) as asking:
        clerk = Clerk(
            catalog=asking.catalog,
            account=account,
            readiness=settings.readiness,
            clock=asking.clock,
            dry_run=dry_run,
            entry=entry,
        )
        try:
            taken = await take_range(clerk, asking.apis[account.name], began, ended, show_listed)
        except ApiTroubleError as trouble:
            raise explained(trouble, account) from trouble
        window = Window(began, ended)
        alarm = await alarm_for(asking.catalog, account, taken, window)
        if alarm is None and not dry_run:
            await asking.catalog.write(cover, account.name, began, ended)
        return taken, alarm


def show_listed(report: Report) -> None:
    """Show on a terminal how far a listing is."""
    if sys.stderr.isatty():
        click.echo(f"\r{report.rows:,} calls listed", err=True, nl=False)
