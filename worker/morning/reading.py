"""Reads what a morning report tells: the catalog in one consistent state, and the disk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from archive.accounts import Account
from archive.catalog import pauses, runs, tallies, troubles
from archive.catalog.balance import accounts_with_calls
from archive.catalog.morning import read_part
from archive.morning.compose import PAST_DAYS, Now, compose
from archive.morning.effort import AFTER, work_of, written_by_day
from archive.morning.facts import Ran
from archive.morning.verdict import Held
from archive.provider_time import spoken_time
from archive.reasons import meaning_of
from archive.room import bytes_a_day
from archive.tree import free_bytes
from worker.opening import open_to_look
from worker.statedisk import met_here
from worker.troubled import missing_root

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from archive.catalog.database import Tx
    from archive.morning.facts import Morning
    from worker.settings import Settings

_DAY: Final = timedelta(days=1)
_RUNS: Final = 50


def read_morning(settings: Settings, *, account: str | None, day: str, now: datetime) -> Morning:
    """Return the report of a day (``YYYY-MM-DD``): of one account, or of all that have calls.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    database = open_to_look(settings)
    try:
        with database.read() as tx:
            chosen = _accounts(tx, settings, account)
            parts = [read_part(tx, one, day, now, settings.backfill) for one in chosen]
            zone = chosen[0].zone
            begin, end = parts[0].begin, parts[0].end
            counted = tallies.between(tx, begin - (PAST_DAYS - 1) * _DAY, end + AFTER)
            verified = runs.last(tx, "verify")
            names = {one.name for one in chosen}
            limits = {one.name: one.requests_per_minute for one in chosen}
            return compose(
                parts,
                day,
                Now(
                    made_at=now,
                    named=len(settings.accounts) > 1 or len(chosen) > 1,
                    work=work_of(counted, limits, begin, end + AFTER),
                    runs=tuple(_ran(run) for run in runs.between(tx, begin, end + AFTER))[-_RUNS:],
                    verified=_ran(verified) if verified else None,
                    held=tuple(_held(tx, account)),
                    troubles=tuple(_troubles(tx, settings, now, chosen[0].zone)),
                    missing_root=missing_root(tx, settings),
                    written=written_by_day(counted, names, zone),
                    # The disk is that of all accounts, whichever are told of.
                    pace=bytes_a_day(tallies.written_lately(tx, now), now),
                    free=_free(settings),
                    min_free=int(settings.archive.min_free),
                    known=not names.isdisjoint(accounts_with_calls(tx)),
                ),
            )
    finally:
        database.close()


def _accounts(tx: Tx, settings: Settings, account: str | None) -> list[Account]:
    """Return the account, or all; one that left the settings still has calls to answer for."""
    if account is not None:
        return [settings.accounts[account]]
    chosen = list(settings.accounts.values())
    left = [name for name in accounts_with_calls(tx) if name not in settings.accounts]
    zone = chosen[0].timezone
    return [*chosen, *(Account(name=name, sid="", timezone=zone) for name in left)]


def _held(tx: Tx, account: str | None) -> Iterable[Held]:
    own = None if account is None else pauses.account_scope(account)
    for paused in pauses.pauses(tx):
        if own is None or paused.scope == own or not paused.scope.startswith("account:"):
            yield Held(
                scope=paused.scope,
                words=f"{paused.reason} ({paused.detail})",
                fatal=paused.fatal,
                meant=paused.reason == pauses.OPERATOR,
                remedy=meaning_of(paused.reason).remedy,
            )


def _ran(run: runs.Run) -> Ran:
    return Ran(
        host=run.host,
        command=run.command,
        began=run.began,
        ended=run.ended,
        code=run.code,
        note=run.note,
    )


def _troubles(tx: Tx, settings: Settings, now: datetime, zone: ZoneInfo) -> Iterable[str]:
    for one in (*met_here(settings, now), *troubles.troubles(tx, now)):
        yield f"{one.what} on {one.host} since {spoken_time(one.since, zone)}: {one.detail}"


def _free(settings: Settings) -> int | None:
    try:
        return free_bytes(settings.archive.root)
    except OSError:
        return None
