"""``callvault reconcile``: the provider's listing against the catalog."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

import click

from archive.clock import system_clock
from archive.errors import Exit, InputError
from worker.commands.listing import show_listed
from worker.commands.moments import known_part, parse_moment
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import json_option, print_json
from worker.commands.sources import source_lines
from worker.completion import complete_account, complete_moment
from worker.logs import configure_logging
from worker.secrets import secrets_in
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from archive.accounts import Account
    from jobs.reconcile import Reconciled

_BEGIN: Final = "yesterday"


@click.command(cls=Noted)
@click.option(
    "--from",
    "start",
    default=_BEGIN,
    show_default=True,
    shell_complete=complete_moment,
    help="The first moment.",
)
@click.option(
    "--to",
    "end",
    shell_complete=complete_moment,
    help="The last; a day alone means its end. Default: now.",
)
@click.option("--account", shell_complete=complete_account, help="Of one account only.")
@json_option
@click.pass_obj
def reconcile(
    config: Path | None, *, start: str, end: str | None, account: str | None, as_json: bool
) -> int:
    """Hold the provider's listing against the catalog, and add what is unknown.

    Tells what each source alone brought, and when one was silent. Times are in the account's zone.
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log, secrets=secrets_in(os.environ, settings.queue.url))
    from worker.commands.each import accounts_to_ask  # noqa: PLC0415 - it loads HTTP and Redis

    accounts, code = accounts_to_ask(settings, account)
    ranges = {a.name: _range(settings, a, start, end) for a in accounts}
    return max(code, asyncio.run(_reconcile(settings, accounts, ranges, as_json=as_json)))


def _range(
    settings: Settings, account: Account, start: str, end: str | None
) -> tuple[datetime, datetime]:
    latest = system_clock() - settings.poll.settle
    begin = parse_moment(start, account.zone, end=False)
    last = latest if end is None else min(latest, parse_moment(end, account.zone, end=True))
    if begin >= last:
        raise InputError(f"the range ends ({end or 'now'}) before it begins ({start})")
    # Calls that it has forgotten would all seem to be missing.
    return known_part(begin, last, account.zone)


async def _reconcile(
    settings: Settings,
    accounts: list[Account],
    ranges: dict[str, tuple[datetime, datetime]],
    *,
    as_json: bool,
) -> int:
    # Loaded here: HTTP and Redis are for this command alone.
    from jobs.listing import Clerk  # noqa: PLC0415
    from jobs.reconcile import reconcile as run  # noqa: PLC0415
    from worker.asking import open_asking  # noqa: PLC0415
    from worker.commands.each import each_account  # noqa: PLC0415

    async with open_asking(settings, os.environ, accounts) as asking:

        async def one(account: Account) -> Reconciled:
            clerk = Clerk(
                catalog=asking.catalog,
                account=account,
                readiness=settings.readiness,
                clock=asking.clock,
            )
            begin, end = ranges[account.name]
            return await run(
                clerk,
                asking.apis[account.name],
                asking.catalog,
                begin,
                end,
                now=asking.clock(),
                on_page=show_listed,
            )

        told, code = await each_account(accounts, one)
    if as_json:
        print_json(told)
    note_of_run(
        f"{sum(one.listed for one in told):,} calls listed: {sum(one.new for one in told):,} new"
    )
    for done in told:
        if done.alarm is not None:
            code = max(code, Exit.WORK_REMAINS)
        if not as_json:
            _print(done, settings.accounts[done.account])
    return code


def _print(done: Reconciled, account: Account) -> None:
    begin, end = (moment.astimezone(account.zone) for moment in (done.begin, done.end))
    click.echo(
        f"{done.account}, {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}: {done.listed:,} calls "
        f"listed: {done.new:,} calls new, {done.known:,} already known, {done.rejected:,} rows "
        "rejected"
    )
    for line in source_lines(done.sources, account.zone):
        click.echo(line)
    if missing := done.unlisted.calls:
        more = ", ..." if missing > len(done.unlisted.first) else ""
        click.echo(
            f"{missing:>12,}  not in the listing; they are asked for one by one, or go on still: "
            f"{', '.join(done.unlisted.first)}{more}"
        )
    if done.alarm is not None:
        click.echo(f"ALARM: {done.alarm}")
