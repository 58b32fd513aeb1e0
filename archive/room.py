"""How long the room on the archive's disk lasts: pure functions, of which all who tell it have one.

The pace is that of the last week. Nothing is said of the first day: what came within minutes would
be taken for what comes all day long.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

SPAN: Final = timedelta(days=7)
"""How long back it is looked at what came."""
_DAY: Final = timedelta(days=1)
_LONGEST_DAYS: Final = 3_650
"""No pace holds for longer."""


class Written(msgspec.Struct, frozen=True):
    """The bytes of recordings that came within the span, and since when; None where none did."""

    bytes: int
    since: datetime | None


def bytes_a_day(written: Written, now: datetime) -> float | None:
    """Return how much a day brings; None where that is not known, or not yet.

    An archive that is younger than the span is measured by the days that it has.
    """
    if written.since is None or written.bytes <= 0 or now - written.since < _DAY:
        return None
    return written.bytes / (min(now - written.since, SPAN) / _DAY)


def days_left(spare: int, pace: float | None) -> float | None:
    """Return for how many days so many bytes of room last; None where no pace is known."""
    return max(0, spare) / pace if pace else None


def spoken_days(days: float) -> str:
    """Write it for people: whole days, of which none is promised that may not be there."""
    if days < 1:
        return "less than a day"
    if days > _LONGEST_DAYS:
        return "more than 10 years"
    return "1 day" if int(days) == 1 else f"{int(days):,} days"
