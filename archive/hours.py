"""The hours in which old calls are archived, so that a backfill leaves the day's line alone: pure.

What a wall clock says decides: windows begin and end by the account's zone, through changes to
summer time and back. Recordings that are near their deletion are fetched at any hour.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_HOURS: Final = r"^(?!(..:..)-\1)([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)\Z"
"""Not of no length: that could be meant for a whole day, or for no time at all."""
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_WEEK: Final = timedelta(days=8)
"""Within this a rule has done all that it can: a week, and a clock that was changed."""

Window = Annotated[
    str,
    Meta(
        pattern=_HOURS,
        description='hours such as "22:00-06:00" or "13:00-14:30", all day "00:00-24:00"',
    ),
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """When calls that began longer ago than ``older_than`` are archived: always, by default.

    Within ``hours`` of any day, and all day on ``days``. A recording that is deleted within
    ``urgent`` is fetched at any hour.
    """

    hours: tuple[Window, ...] = ()
    days: tuple[Day, ...] = ()
    older_than: timedelta = timedelta(days=2)
    urgent: timedelta = timedelta(days=3)

    @property
    def is_bound(self) -> bool:
        """Whether there are hours at all."""
        return bool(self.hours or self.days)


ALWAYS: Final = Backfill()


def is_open(backfill: Backfill, zone: ZoneInfo, now: datetime) -> bool:
    """Tell whether old calls may be archived at a moment."""
    if not backfill.is_bound:
        return True
    local = now.astimezone(zone)
    if _DAYS[local.weekday()] in backfill.days:
        return True
    clock = local.time()
    return any(_holds(window, clock) for window in backfill.hours)


def is_held(
    backfill: Backfill,
    zone: ZoneInfo,
    *,
    began: datetime | None,
    delete_by: datetime,
    now: datetime,
) -> bool:
    """Tell whether a call has to wait for the hours.

    One of unknown date does not: when it is deleted nobody knows.
    """
    if is_open(backfill, zone, now) or began is None:
        return False
    return began < now - backfill.older_than and delete_by > now + backfill.urgent


def opens_at(backfill: Backfill, zone: ZoneInfo, now: datetime) -> datetime:
    """Return when old calls may be archived next: now, or as the next window begins."""
    if is_open(backfill, zone, now):
        return now
    return next(changes(backfill, zone, now, now + _WEEK), now + _WEEK)


def closed_at(backfill: Backfill, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the window that was open last ended, or None if one is open or none ever is."""
    if is_open(backfill, zone, now):
        return None
    return max(changes(backfill, zone, now - _WEEK, now), default=None)


def open_since(backfill: Backfill, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the present window began; None where none is open, or it always is."""
    if not is_open(backfill, zone, now):
        return None
    return max(changes(backfill, zone, now - _WEEK, now), default=None)


def changes(
    backfill: Backfill, zone: ZoneInfo, begin: datetime, end: datetime
) -> Iterator[datetime]:
    """Yield the moments after ``begin``, up to ``end``, at which a window begins or ends."""
    for moment in sorted(set(_candidates(backfill, zone, begin, end))):
        if begin < moment <= end and is_open(backfill, zone, moment) != is_open(
            backfill, zone, moment - _TICK
        ):
            yield moment


class OpenTime:
    """How much open time there is from ``begin`` on, up to moments before ``end``."""

    def __init__(self, backfill: Backfill, zone: ZoneInfo, begin: datetime, end: datetime) -> None:
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
        self._edges = [begin, *changes(backfill, zone, begin, end), max(begin, end)]
        self._open = is_open(backfill, zone, begin)
        self._sums = [timedelta(0)]
        for number, (one, other) in enumerate(pairwise(self._edges)):
            self._sums.append(self._sums[-1] + (other - one) * self._is_open_after(number))

    def until(self, moment: datetime) -> timedelta:
        """Return how much of the time between ``begin`` and a moment is open."""
        moment = min(max(moment, self._edges[0]), self._edges[-1])
        at = bisect_right(self._edges, moment) - 1
        at = min(at, len(self._edges) - 2)
        return self._sums[at] + (moment - self._edges[at]) * self._is_open_after(at)

    def _is_open_after(self, number: int) -> bool:
        return self._open == (number % 2 == 0)


def usable(
    backfill: Backfill, open_time: OpenTime, begin: datetime, deleted: datetime
) -> timedelta:
    """Return the time from ``begin`` in which recordings that are deleted then may be fetched.

    Open hours first, and all hours once they are urgent.
    """
    urgent_from = max(begin, deleted - backfill.urgent)
    return open_time.until(urgent_from) + max(timedelta(0), deleted - urgent_from)


def opened_for(backfill: Backfill, zone: ZoneInfo, begin: datetime, needed: timedelta) -> datetime:
    """Return the moment after ``begin`` at which so much open time has passed."""
    if not backfill.is_bound:
        return begin + needed
    at = begin
    while True:
        edges = [at, *changes(backfill, zone, at, at + _WEEK), at + _WEEK]
        for one, other in pairwise(edges):
            if not is_open(backfill, zone, one):
                continue
            if other - one >= needed:
                return one + needed
            needed -= other - one
        at = edges[-1]


def _holds(window: str, clock: time) -> bool:
    begin, end = (_time(text) for text in window.split("-"))
    if end == time.min:  # midnight, as 24:00 or 00:00
        return clock >= begin
    if begin < end:
        return begin <= clock < end
    return clock >= begin or clock < end


def _time(text: str) -> time:
    return time.min if text == "24:00" else time.fromisoformat(text)


def _candidates(
    backfill: Backfill, zone: ZoneInfo, begin: datetime, end: datetime
) -> Iterator[datetime]:
    """Yield all moments at which something could begin or end, and some others."""
    marks = {time.min} | {_time(part) for window in backfill.hours for part in window.split("-")}
    day = begin.astimezone(zone).date() - _DAY
    last = end.astimezone(zone).date() + _DAY
    while day <= last:
        for mark in marks:
            for fold in (0, 1):  # a time that a clock shows twice
                local = datetime.combine(day, mark, tzinfo=zone).replace(fold=fold)
                yield local.astimezone(UTC)
        noon = datetime.combine(day, time(12), tzinfo=zone)
        yield from _shift(zone, noon.astimezone(UTC))
        day += _DAY


def _shift(zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """Yield when within a day the clocks are changed: a window may begin in what is left out."""
    end = begin + _DAY + timedelta(hours=3)
    offset = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == offset:
        return
    while end - begin > _SECOND:
        middle = begin + (end - begin) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            begin = middle
        else:
            end = middle
    # The clocks are changed at a whole second.
    yield end.replace(microsecond=0)
