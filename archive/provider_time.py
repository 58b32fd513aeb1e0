"""The provider's wall times: ``YYYY-MM-DD HH:mm:ss`` with no zone (Exotel voice API, Call details).

The zone is the account's setting; Indian accounts mean ``Asia/Kolkata``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_BLANKS: Final = frozenset({"", "-", "n/a", "null", "none", "nan"})
# Before the provider existed, or so far ahead that it is no call's time: the provider writes
# 1970-01-01 and 0001-01-01 for "unset".
_EARLIEST_YEAR: Final = 2005
_LATEST_YEAR: Final = 2100


def is_blank(text: str) -> bool:
    """Tell whether a field's text stands for "nothing": empty, ``-``, ``N/A``, ``null``."""
    return text.strip().lower() in _BLANKS


def parse_time(text: str, zone: ZoneInfo) -> datetime | None:
    """Read a time of the provider's as an aware UTC datetime.

    Takes ``YYYY-MM-DD HH:mm:ss``, with ``T`` and with an offset too. Returns None for a blank.

    Raises:
        ValueError: the text is neither blank nor such a time, or outside 2005..2100.
    """
    if is_blank(text):
        return None
    moment = datetime.fromisoformat(text.strip())
    if not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise ValueError(f"the year {moment.year} is no call's year")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)


def format_time(moment: datetime, zone: ZoneInfo) -> str:
    """Write an aware time as the provider's wall time."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def spoken_time(moment: datetime, zone: ZoneInfo) -> str:
    """Write an aware time for people, with its zone: ``2026-11-24 19:02 IST``."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def day_of(moment: datetime | None, zone: ZoneInfo) -> str:
    """Return the day (``YYYY-MM-DD``) a moment falls on in the account's zone; empty if unknown."""
    return "" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d")


def month_of(moment: datetime | None, zone: ZoneInfo) -> str:
    """Return the month (``YYYY-MM``) of a moment in the account's zone; empty if unknown."""
    return "" if moment is None else moment.astimezone(zone).strftime("%Y-%m")


def end_of(
    began: datetime | None, ended: datetime | None, duration_s: int | None
) -> datetime | None:
    """Return when a call ended as far as is known: its end, else its beginning and duration."""
    if ended is not None or began is None:
        return ended
    return began + timedelta(seconds=max(0, duration_s or 0))
