"""Numbers and times in few letters, bars and curves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MUCH: Final = 10


def ago(span: timedelta) -> str:
    """Write a span with one unit: ``12 s``, ``5 min``."""
    span = max(span, timedelta(0))
    if span < 2 * _MINUTE:
        return f"{span // timedelta(seconds=1)} s"
    if span < 2 * _HOUR:
        return f"{span // _MINUTE} min"
    if span < 2 * _DAY:
        return f"{span // _HOUR} h"
    return f"{span // _DAY:,} days"


def clock_time(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Write a moment: the time alone where it is of today."""
    there, here = moment.astimezone(zone), now.astimezone(zone)
    return f"{there:%H:%M:%S}" if there.date() == here.date() else f"{there:%d %b %H:%M}"


def rate(number: float) -> str:
    """Write a rate: with a decimal where it is small."""
    return f"{number:,.1f}" if 0 < number < _MUCH else f"{number:,.0f}"


def curve(numbers: Sequence[int], glyphs: str) -> str:
    """Draw numbers as heights; what is not zero is never as low as zero."""
    most = max(numbers, default=0)
    steps = len(glyphs) - 1
    return "".join(
        glyphs[0] if number <= 0 else glyphs[max(1, round(number * steps / most))]
        for number in numbers
    )


def shares(numbers: Sequence[int], cells: int) -> list[int]:
    """Divide cells among numbers; what is there has one at least, if there are enough of them."""
    total = sum(numbers)
    if total <= 0 or cells <= 0:
        return [0] * len(numbers)
    exact = [number * cells / total for number in numbers]
    given = [max(int(part), int(number > 0)) for part, number in zip(exact, numbers, strict=True)]
    while sum(given) > cells:
        given[max(range(len(given)), key=lambda i: given[i])] -= 1
    while sum(given) < cells:
        given[max(range(len(given)), key=lambda i: exact[i] - given[i])] += 1
    return given
