"""When the provider's listing is asked, and for which time: pure functions of now.

A call is listed once it has ended, under the time at which it was created: one of four hours shows
up four hours back. So two walks are made. The recent one, every minute or so, reaches back
`OVERLAP` behind what was read, and sees every call that took no longer than that from its creation
until it was listed. The long one, every hour, asks for calls of at least `LONG` only and reaches
back `REACH`. Each keeps a watermark of its own, so that it goes on where it stood however long
nobody polled. docs/decisions tells what neither sees.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from archive.history import HISTORY
from archive.windows import Window, windows

if TYPE_CHECKING:
    from datetime import datetime

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)

OVERLAP: Final = timedelta(minutes=20)
"""How far the recent walk reaches back behind its watermark."""
LONG: Final = timedelta(minutes=15)
"""The least Duration of a call that the long walk asks for."""
LONGEST: Final = timedelta(hours=4)
"""A call lasts no longer (Exotel, Call Recording Access)."""
REACH: Final = LONGEST + timedelta(hours=1)
"""How far the long walk reaches back: an hour is for a Duration that settles late."""
SWEEP: Final = timedelta(hours=1)
"""How often the long walk is made."""
LONGEST_WINDOW: Final = _DAY
"""What is read before the watermark moves: a walk that is cut off begins there again."""

LEAST: Final = 20
"""Where so many calls are usual, none at all is not believed."""
HOLD: Final = timedelta(hours=2)
"""How long an empty answer is not believed; the nightly reconciliation asks once more."""
_WEEKS: Final = 4
_DAYS: Final = 7
_ENOUGH: Final = 2
_SHARE: Final = 50

assert LONG + timedelta(minutes=5) <= OVERLAP, "no duration may fall between the two walks"
assert REACH - LONGEST >= SWEEP, "a long call that is listed late must be in the next sweep"


class Walk(StrEnum):
    """A way through the listing; each has a watermark of its own."""

    RECENT = "recent"
    LONG = "long"


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """How the listing is polled.

    ``every`` is the time between two rounds, ``settle`` how old a call's creation has to be until
    it is asked for, ``first`` how far the very first round reaches back.
    """

    every: timedelta = timedelta(seconds=60)
    settle: timedelta = timedelta(minutes=2)
    first: timedelta = timedelta(days=1)


class Mark(msgspec.Struct, frozen=True):
    """A watermark: all calls created before ``until`` were listed, as was found at ``moved``."""

    until: datetime
    moved: datetime


def is_due(walk: Walk, mark: Mark | None, now: datetime) -> bool:
    """Tell whether a round makes this walk: the recent one always, the long one once an hour."""
    if walk is Walk.RECENT or mark is None:
        return True
    # A clock that was set back must not put it off for good.
    return not timedelta(0) <= now - mark.moved < SWEEP


def next_windows(walk: Walk, mark: Mark | None, now: datetime, poll: Poll) -> list[Window]:
    """Return what a walk asks for, oldest first, each window small enough to be read again."""
    end = now - poll.settle
    back = OVERLAP if walk is Walk.RECENT else REACH
    if mark is not None:
        # One that lies ahead, of a clock that was wrong, must not blind the walk.
        start = min(mark.until, end) - back
    else:
        start = now - poll.first if walk is Walk.RECENT else end - REACH
    return windows(max(start, now - HISTORY + _MINUTE), end, LONGEST_WINDOW)


def rest_after(requests: int, *, per_minute: int, every: timedelta) -> timedelta:
    """Return how long to rest after a round of so many requests.

    What is created now is listed again in each round of the next `OVERLAP`. So that this costs
    little where there are many calls, rounds are then further apart: they take a fiftieth of the
    account's limit, or list each call twice.
    """
    affordable = _MINUTE * requests * _SHARE / per_minute
    return max(every, min(affordable, OVERLAP))


def former(window: Window, known_since: datetime) -> list[Window]:
    """Return the same stretch of former weeks, or of former days where fewer weeks are known.

    Empty where not even two days are known: then nothing is usual.
    """
    for most, apart in ((_WEEKS, 7 * _DAY), (_DAYS, _DAY)):
        shifted = [
            Window(window.start - apart * times, window.end - apart * times)
            for times in range(1, most + 1)
        ]
        known = [one for one in shifted if one.start >= known_since]
        if len(known) >= _ENOUGH:
            return known
    return []


def is_believed(odd_since: datetime, now: datetime) -> bool:
    """Tell whether an empty answer has lasted so long that polling goes on without it."""
    return now - odd_since >= HOLD


def heard_since(mark: Mark | None, now: datetime, rest: timedelta) -> datetime:
    """Return since when the listing is heard: without a break where rounds follow each other.

    ``rest`` is how long a round may come after the one before.
    """
    if mark is not None and timedelta(0) <= now - mark.moved <= rest:
        return mark.moved
    return now
