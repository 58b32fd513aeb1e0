"""What all processes did, kept by the hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from archive.clock import from_ms, to_ms
from archive.room import SPAN, Written
from archive.tallies import RECORDING_BYTES, Count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.catalog.database import Tx

_HOUR_MS: Final = 3_600_000


class HourCount(msgspec.Struct, frozen=True):
    """So much of one thing in the hour that began at ``hour``."""

    hour: datetime
    account: str
    name: str
    label: str
    amount: int


def add(tx: Tx, counts: Iterable[Count], *, host: str, now: datetime) -> None:
    """Add counts to those of the present hour.

    In one order, so that no two processes of a host wait for each other.
    """
    hour_ms = to_ms(now) // _HOUR_MS * _HOUR_MS
    tx.run_many(
        "add_tally",
        [{"hour_ms": hour_ms, "host": host, **count._asdict()} for count in sorted(counts)],
    )


def totals(tx: Tx, *, host: str | None = None) -> list[Count]:
    """Return what was counted since ever, on one host or on all; it never becomes less."""
    return [Count(**dict(row)) for row in tx.rows("tally_totals", host=host)]


def total_of(tx: Tx, name: str) -> int:
    """Return how much of one thing was counted since ever, on all hosts."""
    return sum(count.amount for count in totals(tx) if count.name == name)


def between(tx: Tx, begin: datetime, end: datetime) -> list[HourCount]:
    """Return what was counted in the hours that begin at ``begin`` or later, and before ``end``.

    Hours are whole ones in UTC. Where a zone is half an hour off, a day's first and last hour
    reach into its neighbours by that half; a moment is taken for the hour in which it lies.
    """
    found = tx.rows("tallies_between", from_ms=_hour(begin), to_ms=_hour(end))
    return [
        HourCount(from_ms(row["hour_ms"]), row["account"], row["name"], row["label"], row["amount"])
        for row in found
    ]


def written_lately(tx: Tx, now: datetime) -> Written:
    """Return the bytes of recordings that came within the last week, and since when they did."""
    found = [one for one in between(tx, now - SPAN, now) if one.name == RECORDING_BYTES]
    since = min((one.hour for one in found), default=None)
    return Written(sum(one.amount for one in found), since)


def _hour(moment: datetime) -> int:
    return to_ms(moment) // _HOUR_MS * _HOUR_MS
