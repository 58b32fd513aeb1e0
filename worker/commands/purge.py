"""``callvault purge``: deletes recordings from the archive, by age or on request."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

import click

from archive.belonging import Wanted
from archive.call import UNSETTLED
from archive.catalog import purge as rows
from archive.clock import system_clock
from archive.errors import Exit, InputError
from archive.purging import MARGIN, ON_REQUEST, doubt_of_clock, horizon
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import (
    account_option,
    counted,
    human_bytes,
    json_option,
    print_json,
    say_of_files,
)
from worker.commands.report import parse_day
from worker.logs import configure_logging
from worker.opening import check_catalog, open_shared
from worker.places import stand
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.purge import Purgeable
    from archive.catalog.writer import Catalog
    from jobs.purging import Purged

_LONGEST: Final = 300


@click.command(cls=Noted)
@click.option("--sid", "sids", multiple=True, help="The recordings of this call, whatever its age.")
@click.option("--reason", help="With --sid: why, kept with what is deleted.")
@click.option("--day", help="Only calls of a day: YYYY-MM-DD.")
@account_option
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would go; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--clock-is-right", is_flag=True, help="Believe the clock, though all that is known is older."
)
@json_option
@click.pass_obj
def purge(
    config: Path | None,
    *,
    sids: tuple[str, ...],
    reason: str | None,
    day: str | None,
    account: str | None,
    dry_run: bool,
    yes: bool,
    clock_is_right: bool,
    as_json: bool,
) -> int:
    """Delete recordings that are older than [archive] keep_days, or those of named calls.

    By age, none goes before the provider has deleted its own, and a week later. That there was
    one, its checksum and why it went stay known. This cannot be undone. Without keep_days, what
    is left of former purges is finished.
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log)
    check_catalog(settings)
    if sids and day is not None:
        raise InputError("--day is for calls by their age, --sid for named ones", hint="say one")
    if sids and not (reason or "").strip():
        raise InputError("what is deleted on request needs its why", hint='say it: --reason "…"')
    if reason and not sids:
        raise InputError("--reason is for named calls", hint="name them: --sid SID")
    accounts = [settings.account(account)] if account else list(settings.accounts.values())
    chosen = None if day is None else parse_day(settings, account, day)
    return asyncio.run(
        _purge(
            settings,
            accounts,
            sids,
            why=_printable(reason or ""),
            day=chosen,
            dry_run=dry_run,
            yes=yes,
            clock_is_right=clock_is_right,
            as_json=as_json,
        )
    )


async def _purge(
    settings: Settings,
    accounts: list[Account],
    sids: tuple[str, ...],
    *,
    why: str,
    day: str | None,
    dry_run: bool,
    yes: bool,
    clock_is_right: bool,
    as_json: bool,
) -> int:
    from jobs.purging import Purged, Purger, amount_due  # noqa: PLC0415 - asking needs none of it

    now = system_clock()
    catalog = await open_shared(settings, Wanted.LOOK)
    try:
        await stand(settings, catalog)
        purger = Purger(catalog=catalog, root=settings.archive.root, clock=system_clock)
        limit = horizon(now, settings.archive.keep_days)
        calls: list[Purgeable] = []
        if sids:
            calls = await _named(catalog, accounts, sids)
            asked = Purged(
                calls=len(calls),
                recordings=sum(call.recordings for call in calls),
                bytes=sum(call.bytes for call in calls),
            )
        elif limit is None:
            asked = Purged(left=await _left_of_former(catalog))
        else:
            asked = await amount_due(catalog, accounts, limit, day=day)
            if asked.recordings and not clock_is_right:
                await _check_clock(catalog, settings, now, only_warn=dry_run)
        for line in _still_with_provider(calls, accounts, now):
            click.echo(line, err=True)
        if dry_run:
            _say(asked, done=False, as_json=as_json)
            return Exit.COMPLETE
        if not _is_meant(asked, yes=yes):
            _say_nothing_changed(as_json=as_json)
            return Exit.COMPLETE
        if sids:
            done = await purger.named(calls, reason=ON_REQUEST, why=why)
        elif limit is None:
            done = await purger.finish()
        else:
            age = f"older than {settings.archive.keep_days} days"
            done = await purger.by_age(accounts, limit, day=day, why=age)
    finally:
        await catalog.close()
    _say(done, done=True, as_json=as_json)
    recordings, calls_of = counted(done.recordings, "recording"), counted(done.calls, "call")
    note_of_run(f"{recordings} of {calls_of}, {done.bytes:,} bytes")
    return Exit.WORK_REMAINS if done.left else Exit.COMPLETE


async def _left_of_former(catalog: Catalog) -> int:
    """Return how many recordings of former purges may have files that are still there.

    Raises:
        InputError: none: there is nothing to be done.
    """
    left = await catalog.read(rows.left_to_remove)
    if not left:
        raise InputError(
            "[archive] keep_days is not set: all recordings are kept",
            hint="set it, or name calls: --sid SID --reason TEXT",
        )
    click.echo(
        "[archive] keep_days is not set: nothing goes by its age; what is left of former purges "
        "is finished",
        err=True,
    )
    return left


async def _check_clock(
    catalog: Catalog, settings: Settings, now: datetime, *, only_warn: bool
) -> None:
    """Hold the clock against what the catalog knows.

    Raises:
        InputError: it may be wrong: by it, all would be old enough to go.
    """
    doubt = doubt_of_clock(now, await catalog.read(rows.newest, settings.accounts))
    if doubt and not only_warn:
        raise InputError(doubt, hint="look at the clock; if it is right, say --clock-is-right")
    if doubt:
        click.echo(doubt, err=True)


async def _named(
    catalog: Catalog, accounts: Iterable[Account], sids: tuple[str, ...]
) -> list[Purgeable]:
    """Return the named calls.

    Raises:
        InputError: one is not known, not settled, or has no recording; none is deleted then.
    """
    found = []
    wrong = []
    for sid in dict.fromkeys(sids):
        calls = [
            call
            for account in accounts
            if (call := await catalog.read(rows.named, account.name, sid)) is not None
        ]
        name = ascii(sid)[1:-1][:80]
        if not calls:
            wrong.append(f"{name} is not known")
        elif len(calls) > 1:
            wrong.append(f"{name} is known in several accounts: say --account")
        elif calls[0].state in UNSETTLED:
            wrong.append(f"{name} is still to be archived: let the workers settle it first")
        elif not calls[0].recordings:
            wrong.append(f"{name} has no recording in the archive: it is {calls[0].state}")
        else:
            found += calls
    if wrong:
        lines = "".join(f"\n  {line}" for line in wrong)
        raise InputError(f"nothing was deleted:{lines}", hint="look with: callvault explain SID")
    return found


def _still_with_provider(
    calls: list[Purgeable], accounts: list[Account], now: datetime
) -> list[str]:
    zones = {account.name: account.zone for account in accounts}
    return [
        f"the provider may have the recording of {call.sid} (it deletes it about "
        f"{call.delete_by.astimezone(zones[call.account]):%Y-%m-%d}): have it deleted there, too"
        for call in calls
        if call.delete_by + MARGIN > now
    ]


def _is_meant(asked: Purged, *, yes: bool) -> bool:
    """Ask whether it is meant.

    Raises:
        InputError: nobody is there to be asked, and --yes was not given.
    """
    if yes or not asked.recordings:
        return True
    if not sys.stdin.isatty():
        raise InputError(
            "deleting recordings cannot be undone",
            hint="look with --dry-run what would go, then say --yes",
        )
    size = human_bytes(asked.bytes)
    recordings, calls = counted(asked.recordings, "recording"), counted(asked.calls, "call")
    return click.confirm(f"Delete {recordings} ({size}) of {calls} for good?", err=True)


def _say_nothing_changed(*, as_json: bool) -> None:
    from jobs.purging import Purged  # noqa: PLC0415 - asking needs none of it

    if as_json:
        print_json(Purged())
    else:
        click.echo("nothing was changed")


def _say(purged: Purged, *, done: bool, as_json: bool) -> None:
    if as_json:
        print_json(purged)
        return
    if purged.recordings or not (purged.former or purged.left):
        words = "deleted" if done else "would be deleted (nothing was changed)"
        recordings, calls = counted(purged.recordings, "recording"), counted(purged.calls, "call")
        click.echo(f"{recordings} of {calls}, {human_bytes(purged.bytes)}, {words}")
    if done:
        say_of_files(purged)
    elif purged.left:
        of = counted(purged.left, "recording")
        click.echo(f"files of {of} of former purges would be removed (nothing was changed)")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text.strip())[:_LONGEST]
