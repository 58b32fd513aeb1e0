"""What a live view shows: read often, so each read is short or says that it is not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import State
from archive.catalog import balance
from archive.catalog.held import read_held
from archive.clock import from_ms, to_ms
from archive.hours import ALWAYS, opens_at
from archive.verdicts import Symptom
from archive.waits import for_provider, for_try

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.hours import Backfill

RETRIED: Final = "retried"
_LOOKS: Final = 500
"""How many of the last looks, and of the last losses, are read for those that are shown."""
_SYMPTOMS: Final = frozenset(symptom.value for symptom in Symptom)


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker process that has not ended: what it holds, and has archived since it began.

    ``clock_ahead_s`` is by how much its host's clock is ahead of the catalog's.
    """

    process: str
    host: str
    pid: int
    version: str
    started: datetime
    beat: datetime
    batches: int
    calls: int
    recordings: int
    bytes: int
    clock_ahead_s: float = 0.0

    @property
    def per_minute(self) -> float:
        """Recordings a minute, from its beginning to its last beat."""
        lived_s = (self.beat - self.started).total_seconds()
        return self.recordings * 60 / lived_s if lived_s > 0 else 0.0


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of an account that wait: for a worker (due), the provider (later) or a further try.

    ``held`` are those that wait for the backfill hours, which begin at ``opens``; they are not due.
    ``oldest_due`` is since when the first of the due ones waits, ``next_due`` when the next one is
    due, ``next_deletion`` when the provider deletes the next recording of one that waits.
    """

    account: str
    due: int
    later: int
    again: int
    held: int
    opens: datetime | None
    oldest_due: datetime | None
    next_due: datetime | None
    next_deletion: datetime | None


class InVain(msgspec.Struct, frozen=True):
    """A call whose looks brought no recording: ``what`` is lost, failed or retried.

    ``at`` and ``reason`` are of the last look, ``tries`` counts the late ones that met a trouble.
    """

    at: datetime
    account: str
    sid: str
    what: str
    reason: str
    tries: int = 1


def workers(tx: Tx) -> list[Worker]:
    """Return the worker processes that have not ended."""
    return [
        Worker(
            process=row["process"],
            host=row["host"],
            pid=row["pid"],
            version=row["version"],
            started=from_ms(row["started_ms"]),
            beat=from_ms(row["beat_ms"]),
            batches=row["batches"],
            calls=row["calls"],
            recordings=row["recordings"],
            bytes=row["bytes"],
            clock_ahead_s=row["ahead_ms"] / 1000,
        )
        for row in tx.rows("workers_now")
    ]


def backlog(tx: Tx, account: Account, now: datetime, backfill: Backfill = ALWAYS) -> Backlog:
    """Count what waits. Millions of calls take a while."""
    row = tx.row("backlog", account=account.name, now_ms=to_ms(now))
    waits = balance.waits(tx, [account.name], now)
    held = sum(one.calls for one in read_held(tx, [account], backfill, now))
    due = max(0, row["due"] - held)
    return Backlog(
        account=account.name,
        due=due,
        later=for_provider(waits),
        again=for_try(waits),
        held=held,
        opens=opens_at(backfill, account.zone, now) if held else None,
        oldest_due=_moment(row["oldest_ms"]) if due else None,
        next_due=_moment(row["next_ms"]),
        next_deletion=_moment(row["delete_ms"]),
    )


def archived_by_minute(tx: Tx, accounts: Iterable[str], since: datetime) -> dict[int, int]:
    """Count the calls that were archived, by the minute since 1970."""
    counted: dict[int, int] = {}
    for account in accounts:
        for row in tx.rows("archived_by_minute", account=account, since_ms=to_ms(since)):
            counted[row["minute"]] = counted.get(row["minute"], 0) + row["calls"]
    return counted


def archived_since(tx: Tx, accounts: Iterable[str], since: datetime) -> tuple[int, int]:
    """Return the recordings, and their bytes, of calls that were archived since a moment."""
    rows = [
        tx.row("archived_since", account=account, since_ms=to_ms(since)) for account in accounts
    ]
    return sum(row["recordings"] for row in rows), sum(row["bytes"] for row in rows)


def last_in_vain(tx: Tx, accounts: Iterable[str], most: int) -> list[InVain]:
    """Return the last calls that got no recording though there may be one, each once.

    Those that are lost or failed stand first, then those that will be retried, each newest first.
    Only the last few hundred looks of all accounts are gone through.
    """
    names = set(accounts)
    looks = [
        row
        for row in tx.rows("last_looks", most=_LOOKS)
        if row["reason"] in _SYMPTOMS and row["account"] in names
    ]
    tries = Counter((row["account"], row["sid"]) for row in looks)
    settled = {
        (row["account"], row["sid"]): (row["settled_ms"], row["state"], row["reason"])
        for row in tx.rows("last_in_vain", most=_LOOKS)
        if row["account"] in names
    }
    passing: dict[tuple[str, str], tuple[int, str, str]] = {}
    for row in looks:
        if row["state"] == State.EXPECTED:
            # Newest first: what was met before it is only counted.
            told = (row["at_ms"], RETRIED, row["reason"])
            passing.setdefault((row["account"], row["sid"]), told)
    found = [
        InVain(from_ms(ms), account, sid, what, reason, max(1, tries[account, sid]))
        for (account, sid), (ms, what, reason) in {**passing, **settled}.items()
    ]
    return sorted(found, key=lambda one: (one.what != RETRIED, one.at), reverse=True)[:most]


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
