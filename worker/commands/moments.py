"""Moments and ranges as people write them on the command line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from archive.clock import system_clock
from archive.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DAYS: Final = {"today": 0, "yesterday": 1}
_AGO: Final = re.compile(r"(\d{1,3}) days? ago", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_range(start: str, end: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Read the two ends of a range.

    Raises:
        InputError: one of them is no moment, or the end lies before the beginning.
    """
    first, last = parse_moment(start, zone, end=False), parse_moment(end, zone, end=True)
    if first >= last:
        raise InputError(f"the range ends ({end}) before it begins ({start})")
    return first, last


def known_part(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the part of a range that the provider can answer for, and say what is left out.

    Raises:
        InputError: it can answer for none of it.
    """
    from jobs.listing import cut_range  # noqa: PLC0415 - it loads HTTP

    began, ended = cut_range(start, end, system_clock())
    if began >= ended:
        raise InputError(
            f"the provider lists nothing between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M}",
            hint="it knows the calls of the last six months, and none that are still to come",
        )
    if began > start:
        known = began.astimezone(zone)
        click.echo(f"note: the provider knows nothing before {known:%Y-%m-%d %H:%M}", err=True)
    return began, ended


def parse_moment(text: str, zone: ZoneInfo, *, end: bool) -> datetime:
    """Read a moment in the account's zone; a day alone means its start, or as an end its last.

    Raises:
        InputError: it is no moment.
    """
    if (days_ago := _days_ago(text)) is not None:
        day = system_clock().astimezone(zone) - timedelta(days=days_ago)
        text = day.strftime("%Y-%m-%d")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no moment",
            hint="write 2026-11-01, '2026-11-01 09:30:00', '3 days ago' or yesterday",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    if end and _DATE.fullmatch(text):
        moment += timedelta(days=1) - timedelta(seconds=1)
    return moment


def _days_ago(text: str) -> int | None:
    """Read ``today``, ``yesterday`` and ``3 days ago``; None for anything else."""
    if text in _DAYS:
        return _DAYS[text]
    match = _AGO.fullmatch(text)
    return int(match[1]) if match else None
