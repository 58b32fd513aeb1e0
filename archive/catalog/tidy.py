"""Dropping what is no longer kept, a small transaction at a time. Each function is part of one.

Nothing here touches a call, a sighting or a recording: the books stay as they are.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import State
from archive.clock import from_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, tzinfo

    from archive.catalog.database import Row, Tx

LOOKS_GO: Final = frozenset({State.ARCHIVED, State.ABSENT, State.EXCLUDED, State.PURGED})
"""The states, as in the queries, whose calls lose their old looks."""
_HOUR_MS: Final = 3_600_000


class OldLooks(msgspec.Struct, frozen=True):
    """A settled call, and how many of its looks are old."""

    account: str
    sid: str
    looks: int


class TallyDay(msgspec.Struct, frozen=True):
    """Hours of an account's tallies that become one row each: from ``first_ms`` to ``end_ms``."""

    account: str
    first_ms: int
    end_ms: int


def old_looks(tx: Tx, after: OldLooks | None, before: datetime, most: int) -> list[OldLooks]:
    """Return the next calls behind one that have looks from before a moment."""
    rows = tx.rows(
        "old_looks",
        account=after.account if after else "",
        sid=after.sid if after else "",
        before_ms=to_ms(before),
        most=most,
    )
    return [OldLooks(row["account"], row["sid"], row["looks"]) for row in rows]


def drop_looks(tx: Tx, calls: Iterable[OldLooks], before: datetime) -> int:
    """Drop the old looks of these calls; return how many."""
    before_ms = to_ms(before)
    return tx.run_many(
        "drop_looks",
        [{"account": one.account, "sid": one.sid, "before_ms": before_ms} for one in calls],
    )


def drop(tx: Tx, kind: str, before: datetime, *, dry_run: bool) -> int:
    """Drop ``hearings``, ``runs`` or ``troubles`` from before a moment; return how many."""
    found = int(tx.value(f"count_old_{kind}", before_ms=to_ms(before)))
    if found and not dry_run:
        tx.run(f"drop_{kind}", before_ms=to_ms(before))
    return found


def tally_days(
    tx: Tx, before: datetime, zone_of: Mapping[str, tzinfo], usual: tzinfo
) -> list[TallyDay]:
    """Return the days of old tallies that are still kept by the hour.

    A day is one of the account's zone, and begins with the hour in which its midnight lies, as
    `archive.catalog.tallies.between` reads it.
    """
    hours: dict[TallyDay, set[int]] = {}
    for row in tx.rows("tallied_hours", before_ms=to_ms(before)):
        day = _day_of(row["account"], row["hour_ms"], zone_of.get(row["account"], usual))
        hours.setdefault(day, set()).add(row["hour_ms"])
    # A day that is not over for us yet keeps its hours.
    whole = {day: found for day, found in hours.items() if day.end_ms <= to_ms(before)}
    return [day for day, found in whole.items() if found != {day.first_ms}]


def excess(tx: Tx, day: TallyDay) -> int:
    """Return how many rows fewer there would be if a day had one row of each tally."""
    rows, sums = _added_up(tx.rows("tallies_of_hours", **_span(day)))
    return rows - len(sums)


def sum_up(tx: Tx, day: TallyDay) -> int:
    """Make one row of each tally of a day; return how many rows fewer there are."""
    rows, sums = _added_up(tx.rows("take_tallies_of_hours", **_span(day)))
    mine = {"account": day.account, "hour_ms": day.first_ms}
    tx.run_many(
        "add_tally",
        [
            {**mine, "host": host, "name": name, "label": label, "amount": amount}
            for (host, name, label), amount in sorted(sums.items())
        ],
    )
    return rows - len(sums)


def _added_up(rows: list[Row]) -> tuple[int, Counter[tuple[str, str, str]]]:
    sums: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        sums[row["host"], row["name"], row["label"]] += row["amount"]
    return len(rows), sums


def _span(day: TallyDay) -> dict[str, object]:
    return {"account": day.account, "first_ms": day.first_ms, "end_ms": day.end_ms}


def _day_of(account: str, hour_ms: int, zone: tzinfo) -> TallyDay:
    # The last moment of the hour: the hour in which midnight lies is the new day's.
    last = from_ms(hour_ms + _HOUR_MS - 1).astimezone(zone)
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0)
    following = midnight + timedelta(days=1)
    return TallyDay(account, _hour(midnight), _hour(following))


def _hour(moment: datetime) -> int:
    return to_ms(moment) // _HOUR_MS * _HOUR_MS
