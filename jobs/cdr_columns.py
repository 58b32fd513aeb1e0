"""Which column of an export holds what: by the names of a header row, else by what the cells are.

Without a header row (dashboard reports come so) the column orders of the known families are tried
first, since only they tell From from To. Where none fits, what a cell alone can tell is used: a
32-character Sid, times, a status, a direction, a URL; and a duration that is the time between start
and end. Nothing else is guessed: a fact that is missing is asked of the provider, a wrong one not.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import msgspec

from archive.provider_time import is_blank
from jobs.day_order import DayOrder, parse_date
from jobs.rejected import OURS

if TYPE_CHECKING:
    from collections.abc import Callable

# In the order of `jobs.cdr_facts.facts_of`; within a line the first name that a header has is used.
# From the dashboard report, the CDR export, Custom Reports, and the forms seen in client code.
NAMES: Final = {
    "sid": ("callsid", "sid", "exotelid", "callid", "id"),
    "created": ("datecreated",),
    "started": ("starttime", "datetime"),
    "ended": ("endtime",),
    "duration": ("duration", "durationseconds"),
    "talk": ("conversationduration", "conversationdurationseconds"),
    "status": ("status", "callstatus"),
    "leg2": ("leg2status",),
    "direction": ("direction",),
    "from": ("from", "fromnumber"),
    "to": ("to", "tonumber"),
    "group": ("groupname", "group"),
    "exophone": ("exotelnumber", "exophone", "phonenumber", "virtualnumber", "phonenumbersid"),
    "urls": ("recordingurls", "recordingurl"),
}
_NOT_IN_NAMES: Final = re.compile(r"[^0-9a-z]+")
_NAMED: Final = frozenset(name for names in NAMES.values() for name in names)
# A header that a file of rejected rows repeats is told by the columns added there, if by no others.
_KNOWN: Final = _NAMED | {_NOT_IN_NAMES.sub("", name) for name in OURS}

_DASHBOARD: Final = (
    "Id,Direction,ExotelNumber,From,FromName,To,ToName,Status,StartTime,EndTime,Duration,Price,"
    "RecordingUrls,AppID,AppName,GroupName,FromCircle,ToCircle,Leg1Status,Leg2Status,"
    "ConversationDuration,DisconnectedBy,DispositionCodes"
)
_CDR: Final = (
    "CallSid,DateCreated,From,To,PhoneNumberSid,Direction,Status,StartTime,EndTime,Duration,"
    "ConversationDuration,Price,Currency,RecordingUrl,FlowId"
)
_CUSTOM: Final = (
    "Call SID,Date/Time,From,To,ExoPhone,Direction,Status,Duration (seconds),Pulses,Cost,"
    "Recording URL,Legs,Start Time,Answer Time,End Time,Ring Duration,Flow ID"
)
FAMILIES: Final = tuple(
    tuple(columns.split(","))
    for columns in (_DASHBOARD, _CDR, _CUSTOM, _CUSTOM.replace("Recording URL,", ""))
)
"""The column orders of the known families; Custom Reports may leave out the URL."""

_STATUSES: Final = frozenset(
    ["completed", "failed", "busy", "no-answer", "canceled", "cancelled", "in-progress", "queued"]
) | frozenset(
    ["ringing", "initiated", "missed-call", "call-attempt", "client-hangup", "incomplete", "free"]
)
_DIRECTIONS: Final = frozenset(
    ("inbound", "outbound", "outbound-api", "outbound-dial", "incoming", "outgoing")
)
_REAL_SID: Final = re.compile(r"(?=[0-9a-z]*[0-9])[0-9a-z]{32}", re.ASCII)
_NUMBER: Final = re.compile(r"\+?[0-9]{3,15}|(?=.*[0-9])[0-9a-z]{32}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,6}(?:\.0*)?", re.ASCII)
_URL: Final = re.compile(r"https?://", re.ASCII)
_MOST_COLUMNS: Final = 200
_LONGEST: Final = 40
_A_HEADER: Final = 2  # names; one may be a cell's text
_CLOSE: Final = timedelta(seconds=2)


class Layout(msgspec.Struct, frozen=True):
    """Which column holds what: ``pick`` takes a row's cells in the order of ``NAMES``.

    A column that is not there has the index -1: rows get one empty cell more for it to find.
    ``header`` names all columns, also those of a file that does not name them itself.
    """

    sid: int
    header: tuple[str, ...]
    known: int
    pick: Callable[[list[str]], tuple[str, ...]]

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.header)


def normal(name: str) -> str:
    """Return a column's name as names are compared."""
    return _NOT_IN_NAMES.sub("", name.lower())


def is_real_sid(text: str) -> bool:
    """Tell whether a cell is a Sid of the provider's own form, and no word of 32 letters."""
    return _REAL_SID.fullmatch(text.strip()) is not None


def worth(cells: list[str]) -> tuple[int, ...]:
    """Tell how likely a first row was taken apart rightly: known names, a Sid, many cells."""
    known = _count_known(cells)
    has_sid = any(is_real_sid(cell.strip().strip('"')) for cell in cells)
    return known, has_sid, len(cells)


def _count_known(header: list[str]) -> int:
    return len(_KNOWN.intersection(map(normal, header)))


def by_names(header: list[str]) -> Layout | None:
    """Find the columns by their names; None without one for the Sid. Of two alike the first."""
    names = [normal(name) for name in header]
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    at = {
        what: next((first[name] for name in aliases if name in first), -1)
        for what, aliases in NAMES.items()
    }
    # Custom Reports have both: there Date/Time is when the call was made, answered or not.
    if at["created"] < 0 and first.get("datetime", at["started"]) != at["started"]:
        at["created"] = first["datetime"]
    if at["sid"] < 0:
        return None
    return Layout(at["sid"], tuple(header), _count_known(header), itemgetter(*at.values()))


def sid_columns(rows: list[list[str]]) -> list[int]:
    """Return the columns whose cells are Sids: most of those that hold anything, in most rows."""
    rows = _alike(rows)
    found = []
    for index in range(min(len(rows[0]), _MOST_COLUMNS) if rows else 0):
        sids = sum(is_real_sid(row[index]) for row in rows)
        if 2 * sids > len(rows):
            found.append(index)
    return found


def by_content(rows: list[list[str]]) -> Layout | None:
    """Find the columns by what the first rows hold; None where the Sid's column cannot be told."""
    alike = _alike(rows)
    if not alike:
        return None
    columns = [_cells(alike, index) for index in range(min(len(alike[0]), _MOST_COLUMNS))]
    rest = [f"column {index + 1}" for index in range(len(alike[0]))]
    for family in FAMILIES:
        if _fits(family, columns):
            return by_names([*family, *rest[len(family) :]])
    sids = sid_columns(rows)
    if len(sids) != 1:
        return None
    names = {"CallSid": sids[0], **_times(columns)}
    for name, is_such in (("Status", _is_status), ("Direction", _is_direction)):
        names[name] = _first(columns, is_such)
    names["RecordingUrls"] = _first(columns, _is_url)
    for name, index in names.items():
        if index >= 0:
            rest[index] = name
    return by_names(rest)


def _alike(rows: list[list[str]]) -> list[list[str]]:
    """Return the rows that have as many cells as most have, without headers in between."""
    rows = [row for row in rows if _count_known(row) < _A_HEADER]
    widths = Counter(map(len, rows)).most_common(1)
    return [row for row in rows if len(row) == widths[0][0]]


def _cells(rows: list[list[str]], index: int) -> list[str]:
    return [row[index].strip() for row in rows]


def _fits(family: tuple[str, ...], columns: list[list[str]]) -> bool:
    """Tell whether each column that can be checked holds what the family has there, or nothing."""
    if len(columns) < len(family):
        return False
    checked = 0
    for name, cells in zip(family, columns, strict=False):
        if (is_such := _CHECKS.get(normal(name))) is None:
            continue
        if _is_column(cells, is_such):
            checked += 1
        elif name == family[0] or not all(map(is_blank, cells)):
            return False
    return checked > 1


def _is_column(cells: list[str], is_such: Callable[[str], bool]) -> bool:
    """Tell whether most of the cells that hold anything are such: a few rows may be bad."""
    told = [cell for cell in cells if not is_blank(cell)]
    return 2 * sum(map(is_such, told)) > len(told) > 0


def _first(columns: list[list[str]], is_such: Callable[[str], bool]) -> int:
    found = (index for index, cells in enumerate(columns) if _is_column(cells, is_such))
    return next(found, -1)


def _times(columns: list[list[str]]) -> dict[str, int]:
    """Find the start, the time that is never after another, and the end and the duration.

    A time is the end where some column of numbers is the seconds from the start to it.
    """
    found = [index for index, cells in enumerate(columns) if _is_column(cells, _is_time)]
    if not found:
        return {}
    start = min(found, key=lambda index: [_moment(cell) or datetime.max for cell in columns[index]])  # noqa: DTZ901 - compared with wall times
    begun = [_moment(cell) for cell in columns[start]]
    numbers = [index for index, cells in enumerate(columns) if _is_column(cells, _is_seconds)]
    for end in found:
        ended = [_moment(cell) for cell in columns[end]]
        lasted = [b - a if a and b else None for a, b in zip(begun, ended, strict=True)]
        for number in numbers:
            if end != start and _lasted(columns[number], lasted):
                return {"StartTime": start, "EndTime": end, "Duration": number}
    return {"StartTime": start}


def _lasted(cells: list[str], lasted: list[timedelta | None]) -> bool:
    told = [
        abs(timedelta(seconds=float(cell)) - span) <= _CLOSE
        for cell, span in zip(cells, lasted, strict=True)
        if span and _is_seconds(cell)
    ]
    return 2 * sum(told) > len(told) > 0


def _moment(text: str) -> datetime | None:
    """Read a time as a wall time, to compare it with others of its row; None if it is none."""
    if len(text) > _LONGEST or text.isdigit():
        return None
    readers: tuple[Callable[[], datetime], ...] = (
        lambda: datetime.fromisoformat(text).replace(tzinfo=None),
        lambda: parse_date(text, DayOrder.DMY),
        lambda: parse_date(text, DayOrder.MDY),
    )
    for read in readers:
        try:
            return read()
        except ValueError:
            continue
    return None


def _is_time(text: str) -> bool:
    return _moment(text) is not None


def _is_status(text: str) -> bool:
    return text.lower() in _STATUSES


def _is_direction(text: str) -> bool:
    return text.lower() in _DIRECTIONS


def _is_seconds(text: str) -> bool:
    return _SECONDS.fullmatch(text) is not None


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _is_url(text: str) -> bool:
    return _URL.match(text) is not None


_CHECKS: Final = {
    **dict.fromkeys(NAMES["sid"], is_real_sid),
    **dict.fromkeys(("datecreated", "starttime", "datetime", "endtime", "answertime"), _is_time),
    **dict.fromkeys(("duration", "durationseconds", "conversationduration"), _is_seconds),
    **dict.fromkeys(("from", "to", "exotelnumber", "exophone", "phonenumbersid"), _is_number),
    **dict.fromkeys(("status", "leg1status", "leg2status"), _is_status),
    "direction": _is_direction,
    **dict.fromkeys(("recordingurl", "recordingurls"), _is_url),
}
