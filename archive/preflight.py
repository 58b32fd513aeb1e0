"""What an intake would bring, reckoned before it is made: pure functions.

Whatever this catalog has measured is used; else what is known of the provider, and that is said.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec

from archive.call import State
from archive.clock import from_ms
from archive.history import SIDS_PER_REQUEST
from archive.hours import ALWAYS, Backfill, OpenTime, opened_for, usable
from archive.provider_time import day_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archive.catalog.rows import Value

TALKED_S: Final = 5
"""A call that was talked for longer has a recording, as a rule; shorter ones may have none."""
_LOOKS: Final = 1.05
"""Requests for each hundred calls, those that are looked at more than once included."""
_ENOUGH: Final = 200
_ENOUGH_RECORDINGS: Final = 50
_HOUR: Final = timedelta(hours=1)
_HOUR_MS: Final = _HOUR // timedelta(milliseconds=1)
# About 1 MB a minute for MP3 and 20 MB for dual-channel WAV (Exotel, Call recording): the bounds.
_USUAL: Final = (16_000, 330_000)
_LONGEST_S: Final = 10 * 365 * 86_400.0
"""What takes longer is told as this: nobody waits for it."""


class Format(msgspec.Struct, frozen=True):
    """What recordings of a format took so far: their number, bytes and seconds."""

    name: str
    recordings: int
    bytes: int
    seconds: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What this catalog has measured.

    ``talked`` and ``silent`` are settled calls that a source said were talked or were not, and how
    many of these had a recording. ``pace`` is recordings, bytes and seconds of the last hour in
    which anything was archived. ``waiting`` are calls by the hour (since 1970) of their deletion.
    """

    talked: tuple[int, int] = (0, 0)
    silent: tuple[int, int] = (0, 0)
    formats: tuple[Format, ...] = ()
    pace: tuple[int, int, float] = (0, 0, 0.0)
    waiting: Mapping[int, int] = {}


class Preview:
    """Gathers new calls, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self.calls = 0
        self.left_out = 0
        self.undated = 0
        self.talked = 0
        self.talked_s = 0
        self.months: Counter[str] = Counter()
        self.deletions: Counter[int] = Counter()
        self.days: set[str] = set()

    def add(self, named: Mapping[str, Value]) -> None:
        """Count a call, given as its columns."""
        self.calls += 1
        if named["state"] != State.EXPECTED.value:
            self.left_out += 1
            return
        day = str(named["day"])
        self.months[day[:7]] += 1
        talk = named["talk_s"]
        if talk is None and named["status"] == "completed":
            talk = named["duration_s"]
        if isinstance(talk, int) and talk > TALKED_S:
            self.talked += 1
            self.talked_s += talk
        if day:
            self.days.add(day)
            self.deletions[int(named["delete_by_ms"] or 0) // _HOUR_MS] += 1
        else:
            self.undated += 1


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds the work: requests, bytes a second (0 for no limit), hours, and the disk.

    ``free`` are the bytes that may still be written, ``backfill`` the hours of old calls by the
    clock of ``zone``.
    """

    requests_per_minute: int
    free: int
    limit_rate: int = 0
    backfill: Backfill = ALWAYS
    zone: ZoneInfo = ZoneInfo("UTC")


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of an intake.

    ``bytes`` is the least and the most; they are equal where that is ``measured``. ``finish`` is
    bound by the limits alone where no pace was measured yet (``pace`` is None, else recordings a
    second): of requests, and of ``limit_rate`` bytes a second if there is one, which are reckoned
    with the most bytes. ``in_hours`` tells that old calls are among them, which are fetched in the
    backfill hours. ``disk_days`` is how long the disk has room for calls like these; None
    where they are of no day. ``too_late`` will be deleted before their turn.
    """

    new: int
    left_out: int
    undated: int
    recordings: int
    seconds: int
    bytes: tuple[int, int]
    formats: dict[str, float]
    measured: bool
    requests: int
    finish: datetime
    pace: float | None
    limit_rate: int | None
    in_hours: bool
    free: int
    fits: bool
    disk_days: float | None
    already_past: int
    too_late: int


def reckon(
    preview: Preview,
    measured: Measured,
    *,
    bounds: Bounds,
    now: datetime,
) -> Forecast:
    """Reckon what an intake brings."""
    wanted = preview.calls - preview.left_out
    recordings = _recordings(preview, wanted, measured)
    # What is not said to be talked and has a recording all the same is as long as the others.
    mean_s = preview.talked_s / preview.talked if preview.talked else 60.0
    seconds = round(recordings * mean_s)
    size, formats = _size(seconds, measured)
    requests = _requests(preview)
    waiting = sum(measured.waiting.values())
    all_requests = requests + round(waiting / SIDS_PER_REQUEST * _LOOKS)
    pace = _pace(measured)
    share = recordings / wanted if wanted else 1.0
    all_recordings = recordings + waiting * share
    took_s = [all_requests * 60 / bounds.requests_per_minute]
    if pace:
        took_s.append(all_recordings / pace)
    if bounds.limit_rate and recordings:
        took_s.append(all_recordings * size[1] / recordings / bounds.limit_rate)
    lasting = timedelta(seconds=min(max(took_s), _LONGEST_S))
    in_hours = bounds.backfill.is_bound and _has_old(preview, bounds, now)
    held = bounds if in_hours else msgspec.structs.replace(bounds, backfill=ALWAYS)
    mean_size = sum(size) / 2
    return Forecast(
        new=preview.calls,
        left_out=preview.left_out,
        undated=preview.undated,
        recordings=recordings,
        seconds=seconds,
        bytes=size,
        formats=formats,
        measured=bool(formats),
        requests=requests,
        finish=opened_for(held.backfill, held.zone, now, lasting),
        pace=pace,
        limit_rate=bounds.limit_rate or None,
        in_hours=in_hours,
        free=bounds.free,
        fits=size[1] <= bounds.free,
        disk_days=bounds.free / (mean_size / len(preview.days))
        if preview.days and mean_size
        else None,
        already_past=sum(
            n for hour, n in preview.deletions.items() if from_ms(hour * _HOUR_MS) + _HOUR <= now
        ),
        too_late=_too_late(preview, measured, now, lasting, held),
    )


def _recordings(preview: Preview, wanted: int, measured: Measured) -> int:
    shares = []
    for (calls, recorded), usual in ((measured.talked, 1.0), (measured.silent, 0.0)):
        shares.append(recorded / calls if calls >= _ENOUGH else usual)
    return round(preview.talked * shares[0] + (wanted - preview.talked) * shares[1])


def _size(seconds: int, measured: Measured) -> tuple[tuple[int, int], dict[str, float]]:
    """Return the least and the most bytes, and the share of each format."""
    known = [one for one in measured.formats if one.seconds > 0]
    total = sum(one.recordings for one in known)
    if total < _ENOUGH_RECORDINGS:
        return (seconds * _USUAL[0], seconds * _USUAL[1]), {}
    per_second = sum(one.bytes for one in known) / sum(one.seconds for one in known)
    size = round(seconds * per_second)
    return (size, size), {one.name: round(one.recordings / total, 3) for one in known}


def _requests(preview: Preview) -> int:
    """Return how many requests resolve the calls: a hundred of a month share one."""
    batches = sum(-(-count // SIDS_PER_REQUEST) for count in preview.months.values())
    return round(batches * _LOOKS + 0.5) if batches else 0


def _pace(measured: Measured) -> float | None:
    recordings, _, seconds = measured.pace
    return recordings / seconds if recordings >= _ENOUGH_RECORDINGS and seconds > 0 else None


def _has_old(preview: Preview, bounds: Bounds, now: datetime) -> bool:
    """Tell whether calls are among them that are only fetched in the hours."""
    since = day_of(now - bounds.backfill.older_than, bounds.zone)
    return any(day < since for day in preview.days)


def _too_late(
    preview: Preview,
    measured: Measured,
    now: datetime,
    lasting: timedelta,
    bounds: Bounds,
) -> int:
    """Return how many of the new calls are deleted before their turn: earliest deletion first.

    Their turn comes when the time in which they may be fetched was enough for all before them.
    """
    waiting = Counter(measured.waiting)
    everything = sum(waiting.values()) + sum(preview.deletions.values())
    if not everything:
        return 0
    late = before = 0
    hours = sorted({*waiting, *preview.deletions})
    last = from_ms(hours[-1] * _HOUR_MS) + _HOUR
    open_time = OpenTime(bounds.backfill, bounds.zone, now, max(now, last))
    for hour in hours:
        there = waiting[hour] + preview.deletions[hour]
        before += there
        needed = lasting * (before / everything)
        gone = from_ms(hour * _HOUR_MS) + _HOUR
        if now < gone and usable(bounds.backfill, open_time, now, gone) < needed:
            late += preview.deletions[hour]
    return late
