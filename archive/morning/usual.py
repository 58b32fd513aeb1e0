"""Whether a day has the calls that such a day usually has: pure functions."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, Final

from archive.polling import LEAST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archive.morning.facts import Counts

WEEKS: Final = 4
"""So many of the same weekday before are compared with."""
_ENOUGH: Final = 2
_SHARE: Final = 3
_DAYS: Final = 14
_ENOUGH_DAYS: Final = 5
_HALF: Final = 2


class Oddity(StrEnum):
    """What is odd about the number of a day's calls."""

    NONE = "no calls, where there always are some"
    FEW = "far fewer calls than usual"


def former_days(day: str) -> list[str]:
    """Return the same weekday of the weeks before, the latest first."""
    that = date.fromisoformat(day)
    return [(that - timedelta(weeks=week)).isoformat() for week in range(1, WEEKS + 1)]


def usual_calls(day: str, calls: Mapping[str, int], known_since: str) -> list[int]:
    """Return how many calls the same weekday had in the weeks before, as far as these are known.

    Args:
        day: the day that is looked at, ``YYYY-MM-DD``.
        calls: how many calls days had; a day that is not in it had none.
        known_since: the first day of which any call is known; '' where none is.
    """
    if not known_since:
        return []
    return [calls.get(former, 0) for former in former_days(day) if former >= known_since]


def usual_shares(day: str, days: Mapping[str, Counts]) -> list[float]:
    """Return the share of calls that have, or should have, a recording, of each day of a fortnight.

    Days with so few calls that the share says nothing are left out.
    """
    that = date.fromisoformat(day)
    former = [(that - timedelta(days=back)).isoformat() for back in range(1, _DAYS + 1)]
    return [days[one].share for one in former if one in days and days[one].calls >= LEAST]


def is_bare(counts: Counts, shares: Sequence[float]) -> float | None:
    """Return the usual share of calls with a recording, if this day's is less than half of it."""
    if counts.calls < LEAST or len(shares) < _ENOUGH_DAYS:
        return None
    middle = median(shares)
    return middle if counts.share * _HALF < middle else None


def oddity(calls: int, usual: list[int]) -> Oddity | None:
    """Tell what is odd about a number of calls, given those of the same weekdays before.

    None at all is odd where each of these had some, or where a holiday among them does not hide
    that there are many. A third of the usual is odd where there are so many that chance does not
    explain it. Holidays are odd in this way, too, and only a person knows them.
    """
    if len(usual) < _ENOUGH:
        return None
    middle = median(usual)
    if not calls:
        return Oddity.NONE if min(usual) > 0 or middle >= LEAST else None
    return Oddity.FEW if middle >= LEAST and calls * _SHARE < middle else None
