"""Dates as spreadsheets write them again: ``13/02/2026 10:00``, day first or month first.

Which comes first is a matter of the whole file, never of one date: a date such as ``03/04/2026``
reads either way, and a wrong guess would put calls months away from where the provider has them. So
all such dates of a file are looked at. An order is refuted by a date that it makes impossible, or
that lies more than a day ahead. Where one order is left, it holds; else a person is asked.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import IO, Final

from archive.errors import InputError

_DATE: Final = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})"
    r"(?:,?[ T]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?(?:\s*([AaPp])\.?[Mm]\.?)?)?",
    re.ASCII,
)
_LONGEST: Final = 40
_AHEAD: Final = timedelta(days=1)
_EARLIEST: Final = datetime(2005, 1, 1)  # noqa: DTZ001 - a wall time
_LATEST: Final = datetime(2100, 1, 1)  # noqa: DTZ001 - the same
_NOON: Final = 12
_CENTURY: Final = 2000

# Digits become "0", what may stand within a date "/", what may stand before it ",". A date is then
# found as plain bytes, twenty times as fast as by an expression, and in UTF-16 as well. Small
# letters, half of an export, are left out: what is found by mistake is looked at closely anyway.
_BLOCK: Final = 1 << 18
_SHAPES: Final = (b",00/00/00", b",0/00/00", b",00/0/00", b",0/0/00")
_BLURRED: Final = bytes.maketrans(b'0123456789/.-,;\t"\n\r', b"0" * 10 + b"/" * 3 + b"," * 6)
_LONGEST_SHAPE: Final = 9
_LEFT_OUT: Final = b"\x00 abcdefghijklmnopqrstuvwxyz"


class DayOrder(StrEnum):
    """What comes first in a date with slashes."""

    DMY = "dmy"
    MDY = "mdy"


_WORDS: Final = {DayOrder.DMY: "day first", DayOrder.MDY: "month first"}


def may_have_dates(file: IO[bytes]) -> bool:
    """Tell whether a file may hold a date that begins with a day or a month.

    Never wrong where it says no, but for dates that do not begin their cell. Reads the whole file
    unless it finds one; where it says yes by mistake, a look at each row tells.

    Raises:
        OSError: the file cannot be read.
    """
    tail = b","
    file.seek(0)
    while block := file.read(_BLOCK):
        blurred = tail + block.translate(_BLURRED, _LEFT_OUT)
        if any(shape in blurred for shape in _SHAPES):
            return True
        tail = blurred[1 - _LONGEST_SHAPE :]
    return False


def parse_date(text: str, order: DayOrder) -> datetime:
    """Read such a date as a wall time, midnight where it has no time.

    Raises:
        ValueError: the text is no such date, or there is no such day in this order.
    """
    found = _DATE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError("no date with day and month first")
    one, _, two, year, hour, minute, second, half = found.groups()
    day, month = (one, two) if order is DayOrder.DMY else (two, one)
    whole_year = int(year) + (_CENTURY if len(year) == len("26") else 0)
    return datetime(  # noqa: DTZ001 - a wall time; the caller knows the zone
        whole_year, int(month), int(day), _hour(hour, half), int(minute or 0), int(second or 0)
    )


def _hour(hour: str | None, half: str | None) -> int:
    number = int(hour or 0)
    if not half:
        return number
    if not 1 <= number <= _NOON:
        raise ValueError("no hour of a clock of twelve")
    return number % _NOON + (_NOON if half in "Pp" else 0)


class OrderSearch:
    """Gathers what the dates of one file tell of their order.

    ``now`` is the account's wall time; without it no date counts as ahead.
    """

    def __init__(self, now: datetime | None) -> None:
        self._latest = now.replace(tzinfo=None) + _AHEAD if now else _LATEST
        self._refuted_by: dict[DayOrder, tuple[str, int]] = {}
        self._first: tuple[str, int] | None = None

    def see(self, text: str, line: int) -> None:
        """Take one cell of a time into account; what is no such date tells nothing."""
        possible = [order for order in DayOrder if self._is_possible(text, order)]
        if not possible:
            return
        self._first = self._first or (text.strip(), line)
        for order in DayOrder:
            if order not in possible:
                self._refuted_by.setdefault(order, (text.strip(), line))

    def _is_possible(self, text: str, order: DayOrder) -> bool:
        try:
            return _EARLIEST <= parse_date(text, order) <= self._latest
        except ValueError:
            return False

    def decide(self, file: str) -> tuple[DayOrder, str] | None:
        """Return the order and what to say of it; None where no date needs one.

        Raises:
            InputError: both orders are refuted, or none is.
        """
        if self._first is None:
            return None
        left = [order for order in DayOrder if order not in self._refuted_by]
        if len(left) == 1:
            (order,) = left
            text, line = next(iter(self._refuted_by.values()))
            return order, f"{file}: dates are {_WORDS[order]} ({text} in line {line})"
        raise self._question(file, *self._first, is_contradictory=not left)

    def _question(self, file: str, text: str, line: int, *, is_contradictory: bool) -> InputError:
        if is_contradictory:
            (one, at), (two, then) = (self._refuted_by[order] for order in DayOrder)
            return InputError(
                f"{file}: {one} in line {at} has the month first, {two} in line {then} the day. "
                "Nothing was read from it.",
                hint="Export the calls again, or say --dates dmy (day first) or --dates mdy; "
                "dates that do not fit are left out, their calls are kept.",
            )
        return InputError(
            f"{file}: is {text} in line {line} day first or month first? No date in the file "
            "tells. Nothing was read from it.",
            hint="Say --dates dmy (day first) or --dates mdy (month first).",
        )
