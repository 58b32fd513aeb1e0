"""What metrics tell of the catalog, in parts that are each a short read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import balance, pauses, tallies, watch
from archive.catalog.forecast import risks
from archive.clock import from_ms, to_ms
from archive.hours import ALWAYS
from archive.room import bytes_a_day
from archive.timings import HEARTBEAT_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.accounts import Account
    from archive.call import State
    from archive.catalog.database import Tx
    from archive.catalog.troubles import Trouble
    from archive.catalog.watch import Backlog
    from archive.forecast import Risk
    from archive.hours import Backfill
    from archive.tallies import Count

_SILENT: Final = timedelta(seconds=5 * HEARTBEAT_S)


class OfAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Where the calls of an account stand; ``last_settled`` is None where none ever was."""

    name: str
    states: dict[State, int]
    backlog: Backlog
    risk: Risk
    last_settled: datetime | None


class LastRun(msgspec.Struct, frozen=True):
    """The run of a command that ended last; ``good`` is when one last ended with 0."""

    command: str
    ended: datetime
    code: int
    good: datetime | None


class OfAll(msgspec.Struct, frozen=True, kw_only=True):
    """What holds all or some up, who works, who was heard, and what was counted since ever.

    ``paused`` are scopes and reasons; ``troubles`` count by what and host; ``workers`` are those
    that beat, by host, ``beats`` the last beat of each host. ``bytes_a_day`` is of the last week,
    None where that brought nothing.
    """

    paused: tuple[tuple[str, str], ...]
    troubles: dict[tuple[str, str], int]
    workers: dict[str, int]
    beats: dict[str, datetime]
    heard: dict[tuple[str, str], datetime]
    runs: tuple[LastRun, ...]
    totals: tuple[Count, ...]
    bytes_a_day: float | None


def of_account(tx: Tx, account: Account, now: datetime, backfill: Backfill = ALWAYS) -> OfAccount:
    """Count the calls of an account. Millions take a while."""
    (risk,) = risks(tx, [account], now, backfill)
    settled = tx.value("last_settled", account=account.name)
    return OfAccount(
        name=account.name,
        states=balance.tally(tx, [account.name], now).states,
        backlog=watch.backlog(tx, account, now, backfill),
        risk=risk,
        last_settled=None if settled is None else from_ms(settled),
    )


def of_all(tx: Tx, now: datetime, found: Iterable[Trouble]) -> OfAll:
    """Read what is of no account alone; ``found`` are the troubles that hosts meet."""
    met: dict[tuple[str, str], int] = {}
    for trouble in found:
        met[trouble.what, trouble.host] = met.get((trouble.what, trouble.host), 0) + 1
    beating = tx.rows("hosts_beating", since_ms=to_ms(now - _SILENT))
    return OfAll(
        paused=tuple((one.scope, one.reason) for one in pauses.pauses(tx)),
        troubles=met,
        workers={row["host"]: row["workers"] for row in beating},
        beats={row["host"]: from_ms(row["beat_ms"]) for row in tx.rows("last_beats")},
        heard={
            (row["account"], row["source"]): from_ms(row["until_ms"])
            for row in tx.rows("sources_last_heard")
        },
        runs=tuple(
            LastRun(
                row["command"],
                from_ms(row["ended_ms"]),
                row["code"],
                None if row["good_ms"] is None else from_ms(row["good_ms"]),
            )
            for row in tx.rows("last_runs")
        ),
        totals=tuple(tallies.totals(tx)),
        bytes_a_day=bytes_a_day(tallies.written_lately(tx, now), now),
    )
