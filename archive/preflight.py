"""What an intake would bring, reckoned before it is made: pure functions.

Whatever this catalog has measured is used; else what is known of the provider, and that is said.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import State
from archive.clock import from_ms
from archive.history import SIDS_PER_REQUEST

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


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of an intake.

    ``bytes`` is the least and the most; they are equal where that is ``measured``. ``finish`` is
    bound by the limit of requests alone where no pace was measured yet (``pace`` is None, else
    recordings a second). ``disk_days`` is how long the disk has room for calls like these; None
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
    free: int
    fits: bool
    disk_days: float | None
    already_past: int
    too_late: int


def reckon(
    preview: Preview,
    measured: Measured,
    *,
    requests_per_minute: int,
    free: int,
    now: datetime,
) -> Forecast:
    """Reckon what an intake brings; ``free`` are the bytes that may still be written."""
    wanted = preview.calls - preview.left_out
    recordings = _recordings(preview, wanted, measured)
    # What is not said to be talked and has a recording all the same is as long as the others.
    mean_s = preview.talked_s / preview.talked if preview.talked else 60.0
    seconds = round(recordings * mean_s)
    size, formats = _size(seconds, measured)
    requests = _requests(preview)
    waiting = sum(measured.waiting.values())
    all_requests = requests + round(waiting / SIDS_PER_REQUEST * _LOOKS)
    asking = timedelta(minutes=all_requests / requests_per_minute)
    pace = _pace(measured)
    share = recordings / wanted if wanted else 1.0
    fetching = timedelta(seconds=(recordings + waiting * share) / pace) if pace else timedelta(0)
    lasting = max(asking, fetching)
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
        finish=now + lasting,
        pace=pace,
        free=free,
        fits=size[1] <= free,
        disk_days=free / (mean_size / len(preview.days)) if preview.days and mean_size else None,
        already_past=sum(
            n for hour, n in preview.deletions.items() if from_ms(hour * _HOUR_MS) + _HOUR <= now
        ),
        too_late=_too_late(preview, measured, now, lasting),
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


def _too_late(preview: Preview, measured: Measured, now: datetime, lasting: timedelta) -> int:
    """Return how many of the new calls are deleted before their turn: earliest deletion first."""
    waiting = Counter(measured.waiting)
    everything = sum(waiting.values()) + sum(preview.deletions.values())
    if not everything:
        return 0
    late = before = 0
    for hour in sorted({*waiting, *preview.deletions}):
        there = waiting[hour] + preview.deletions[hour]
        before += there
        turn = now + lasting * (before / everything)
        gone = from_ms(hour * _HOUR_MS) + _HOUR
        if now < gone < turn:
            late += preview.deletions[hour]
    return late
