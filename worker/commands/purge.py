"""``callvault purge``: deletes recordings from the archive, by age or on request."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

import click

from archive.call import UNSETTLED
from archive.catalog import purge as rows
from archive.catalog.database import is_there, name_of
from archive.catalog.writer import Catalog
from archive.clock import system_clock
from archive.errors import CatalogError, Exit, InputError
from archive.purging import MARGIN, ON_REQUEST, horizon
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import account_option, human_bytes, json_option, print_json
from worker.commands.report import parse_day
from worker.logs import configure_logging
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.purge import Purgeable
    from jobs.purging import Purged

_LONGEST: Final = 300


@click.command(cls=Noted)
@click.option("--sid", "sids", multiple=True, help="The recordings of this call, whatever its age.")
@click.option("--reason", help="With --sid: why, kept with what is deleted.")
@click.option("--day", help="Only calls of a day: YYYY-MM-DD.")
@account_option
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would go; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
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
    as_json: bool,
) -> int:
    """Delete recordings that are older than [archive] keep_days, or those of named calls.

    By age, none goes before the provider has deleted its own, and a week later. That there was
    one, its checksum and why it went stay known. This cannot be undone.
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log)
    if not is_there(settings.catalog.url):
        raise CatalogError(f"there is no catalog {name_of(settings.catalog.url)}")
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
    as_json: bool,
) -> int:
    from jobs.purging import Purged, Purger, amount_due  # noqa: PLC0415 - asking needs none of it

    now = system_clock()
    catalog = await Catalog.open(settings.catalog.url)
    try:
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
            raise InputError(
                "[archive] keep_days is not set: all recordings are kept",
                hint="set it, or name calls: --sid SID --reason TEXT",
            )
        else:
            asked = await amount_due(catalog, accounts, limit, day=day)
        for line in _still_with_provider(calls, accounts, now):
            click.echo(line, err=True)
        if dry_run or not _is_meant(asked, yes=yes):
            _say(asked, done=False, as_json=as_json)
            return Exit.COMPLETE
        if sids or limit is None:
            done = await purger.named(calls, reason=ON_REQUEST, why=why)
        else:
            age = f"older than {settings.archive.keep_days} days"
            done = await purger.by_age(accounts, limit, day=day, why=age)
    finally:
        await catalog.close()
    _say(done, done=True, as_json=as_json)
    note_of_run(f"{done.recordings:,} recordings of {done.calls:,} calls, {done.bytes:,} bytes")
    return Exit.WORK_REMAINS if done.left else Exit.COMPLETE


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
    text = f"Delete {asked.recordings:,} recordings ({size}) of {asked.calls:,} calls for good?"
    return click.confirm(text, err=True)


def _say(purged: Purged, *, done: bool, as_json: bool) -> None:
    if as_json:
        print_json(purged)
        return
    words = "deleted" if done else "would be deleted (nothing was changed)"
    click.echo(
        f"{purged.recordings:,} recordings of {purged.calls:,} calls, "
        f"{human_bytes(purged.bytes)}, {words}"
    )
    if purged.left:
        click.echo(f"{purged.left:,} could not be removed yet; the next run tries again", err=True)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text.strip())[:_LONGEST]
