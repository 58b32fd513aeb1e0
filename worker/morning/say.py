"""How numbers, times and changes are written for people: pure functions."""

from __future__ import annotations

from datetime import date
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60
_DAY: Final = 24
_DAYS: Final = 3
_SMALL: Final = 10


def day_name(day: str) -> str:
    """Write a day with its weekday: ``Monday 23 November 2026``."""
    that = date.fromisoformat(day)
    return f"{that:%A} {that.day} {that:%B %Y}"


def short_day(day: str) -> str:
    """Write a day of this or last year: ``Mon 23 Nov``."""
    that = date.fromisoformat(day)
    return f"{that:%a} {that.day} {that:%b}"


def clock(seconds: int) -> str:
    """Write seconds as they are best read: ``42 s``, ``1:32 min``, ``22:05 h``."""
    minutes, rest = divmod(seconds, _MINUTE)
    hours, minutes = divmod(minutes, _HOUR)
    if hours:
        return f"{hours:,}:{minutes:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def days_of(hours: int) -> str:
    """Write hours in hours or, where there are many, in days."""
    if abs(hours) < _DAYS * _DAY:
        return f"{hours:,} h"
    return f"{hours // _DAY:,} days"


def share(part: int, whole: int) -> str:
    """Write a part in per cent; never 100 where something is left, nor 0 where there is some."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < part < whole:
        percent = min(max(percent, 0.1), 99.9)
    digits = 0 if percent == round(percent) or _SMALL <= percent <= 100 - _SMALL else 1
    return f"{percent:.{digits}f} %"


def change(now: float, before: float) -> str:
    """Write how a figure changed, to be followed by what it was: ``▲ 3 % from``."""
    if not before:
        return "▲ from" if now else "as"
    percent = round(100 * (now - before) / before)
    if not percent:
        return "as"
    return f"▲ {percent:,} % from" if percent > 0 else f"▼ {-percent:,} % from"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Write a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or noun + 's'}"
