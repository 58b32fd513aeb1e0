"""Reads the provider's CDR exports: CSV files with a header row, of any size, trusted in nothing.

The Sid alone is enough to archive a call, so a row is turned away only where it has none. Any other
field that cannot be read (a time, a duration, a word) is left unknown, and the call is kept.

- *Columns* are found by name, on lower case with all but letters and digits removed. A header row
  in the middle of a file (exports put together) is no call; its columns hold from there on.
- *Too few columns*: what is missing is unknown. *Too many*: a stray delimiter has moved the cells,
  so only the Sid and the times of creation and start are taken, which can be told by their form.
- *Dates with slashes*, as a spreadsheet writes them again, are read in the one order that all of
  them allow: see `jobs.day_order`.
- *Encoding and quotes*: see `jobs.csv_rows`.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

import msgspec

from archive.call import CallFacts, is_sid
from archive.errors import InputError
from archive.provider_time import is_blank, parse_time
from jobs.csv_rows import SAVE_AS_CSV, Rows, explained, no_csv, opened_text
from jobs.day_order import DayOrder, OrderSearch, may_have_dates, parse_date
from jobs.plain import STDIN, plain_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from zoneinfo import ZoneInfo

# In the order of `_facts`; within a line the first name that a header has is the one used.
# From the dashboard report, the CDR export, Custom Reports, and the forms seen in client code.
_NAMES: Final = {
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
_KNOWN: Final = frozenset(name for names in _NAMES.values() for name in names)
_NOT_IN_NAMES: Final = re.compile(r"[^0-9a-z]+")

_MAX_TEXT: Final = 64
_LONGEST_BLANK: Final = 4
_MAX_ECHO: Final = 40
_MAX_COLUMNS_LISTED: Final = 20
_MAX_SECONDS: Final = 7 * 86_400  # a call can last four hours; a week is no call's duration
_REAL_SID: Final = 32
_SECONDS: Final = re.compile(r"(\d{1,9})(?:\.0*)?", re.ASCII)
_URL: Final = re.compile(r"https?://[^,;|\s]+", re.ASCII)
_MOST_URLS: Final = 20
_PLAIN_TIME: Final = 19  # YYYY-MM-DD HH:MM:SS
_MAX_DAYS: Final = 1_000

_ReadTime: TypeAlias = "Callable[[str], datetime | None]"


class Rejected(msgspec.Struct, frozen=True):
    """A row that names no call.

    ``line`` is the physical line of ``file`` that the row starts on, counted from 1. ``reason``
    shows at most 40 characters of the input, control characters escaped.
    """

    file: str
    line: int
    reason: str


class UnreadTimes(msgspec.Struct):
    """Times that stand in an export and could not be read: how many, and the first of them."""

    count: int = 0
    first: str = ""

    def add(self, text: str) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or ascii(text)[:_MAX_ECHO]


def read_cdr(
    path: Path,
    *,
    zone: ZoneInfo,
    order: DayOrder | None = None,
    now: datetime | None = None,
    on_order: Callable[[str], None] | None = None,
    on_unread: Callable[[UnreadTimes], None] | None = None,
) -> Iterator[CallFacts | Rejected]:
    """Yield each row of an export, in order: a call's facts, or why there is no call in it.

    Times without an offset are ``zone``'s (the account's). Durations are whole seconds. Texts are
    at most 64 characters, without control characters; words of the provider's are in lower case.
    Blank lines and repeated header rows yield nothing. Memory does not grow with the file.

    ``order`` is that of dates with slashes. Without it the file is read through to find out, no
    date being later than ``now``, and ``on_order`` is told of it before the first row.
    ``on_unread`` is told at the end if there were times of no form that is known.

    Raises:
        InputError: at the first step, before any row: there is no such file, it cannot be read, is
            empty, is no CSV, has no column for the Sid, or does not tell the order of its dates.
            Later only where reading itself fails.
    """
    unread = UnreadTimes()
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} is no path.", hint="Check the path.")
    name = "standard input" if str(path) == STDIN else str(path)
    with explained(path), plain_file(path, stdin=sys.stdin.buffer) as plain:
        with opened_text(plain.path, name) as (stream, is_text):
            export = _Export(stream, name, is_text=is_text)
            if order is None and may_have_dates(plain.path):
                order = _find_order(
                    plain.path, name, now.astimezone(zone) if now else None, on_order
                )
            yield from export.calls(_time_reader(zone, unread, order))
        if on_unread is not None and unread.count:
            on_unread(unread)
        if plain.damage:
            raise InputError(
                f"{name}: {plain.damage}. The rows before are used, the rest is missing.",
                hint="Export or pack the calls again, and name the file again.",
            )


def _find_order(
    path: Path, name: str, now: datetime | None, on_order: Callable[[str], None] | None
) -> DayOrder | None:
    """Look at each time of an export, and tell the order of its dates if it has such dates."""
    search = OrderSearch(now)

    def see(text: str) -> None:
        search.see(text, export.line)

    with opened_text(path, name) as (stream, is_text):
        export = _Export(stream, name, is_text=is_text)
        for _ in export.calls(see):
            pass
    found = search.decide(name)
    if found is not None and on_order is not None:
        on_order(found[1])
    return found[0] if found else None


class _Layout(msgspec.Struct, frozen=True):
    """Which column holds what: ``pick`` takes a row's cells in the order of ``_NAMES``.

    A column that is not there has the index -1: rows get one empty cell more for it to find.
    """

    sid: int
    width: int
    known: int
    pick: Callable[[list[str]], tuple[str, ...]]


def _normal(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.lower())


def _count_known(header: list[str]) -> int:
    """Count the columns that are known by their names."""
    return len(_KNOWN.intersection(map(_normal, header)))


def _layout(header: list[str]) -> _Layout | None:
    """Find the columns by their names; None without one for the Sid. Of two alike the first."""
    names = [_normal(name) for name in header]
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    at = {
        what: next((first[name] for name in aliases if name in first), -1)
        for what, aliases in _NAMES.items()
    }
    # Custom Reports have both: there Date/Time is when the call was made, answered or not.
    if at["created"] < 0 and first.get("datetime", at["started"]) != at["started"]:
        at["created"] = first["datetime"]
    if at["sid"] < 0:
        return None
    known = _count_known(header)
    return _Layout(at["sid"], len(header), known, itemgetter(*at.values()))


class _Export:
    """One export being read."""

    def __init__(self, stream: TextIO, file: str, *, is_text: bool) -> None:
        self._file = file
        self._is_text = is_text
        self._rows = Rows(stream, _count_known)
        self._layout = self._read_header()

    @property
    def line(self) -> int:
        """The line that the row read last starts on."""
        return self._rows.line

    def calls(self, read_time: _ReadTime) -> Iterator[CallFacts | Rejected]:
        rows, layout = self._rows, self._layout
        for row in rows.rows(self._is_whole):
            if isinstance(row, str):
                yield Rejected(self._file, rows.line, row)
                continue
            only_times = False
            if len(row) != layout.width:
                only_times = any(map(str.strip, row[layout.width :]))
                row.extend([""] * (layout.width - len(row)))
            row.append("")
            sid = row[layout.sid].strip()
            if len(sid) < _REAL_SID and self._is_header(row):
                layout = self._layout
            elif is_sid(sid):
                yield _facts(layout.pick(row), sid, read_time, only_times=only_times)
            elif any(map(str.strip, row)):
                yield Rejected(self._file, rows.line, _no_sid(sid))

    def _read_header(self) -> _Layout:
        header = self._rows.header()
        if not header:
            raise InputError(f"{self._file} holds no rows.", hint="Export the calls again.")
        if isinstance(header, str):
            raise InputError(f"{self._file} is no CSV file: {header}.", hint=SAVE_AS_CSV)
        layout = _layout(header)
        if layout is None and not self._is_text:
            raise no_csv(self._file, "binary data")
        if layout is None:
            raise InputError(
                f"{self._file} has no column for the call's Sid. Columns seen: {_listed(header)}.",
                hint="Export with the header row; the column is called CallSid, Call SID or Id.",
            )
        return layout

    def _is_header(self, row: list[str]) -> bool:
        """Tell whether a row repeats a header; where it is a whole one, its columns hold now."""
        layout = _layout(row[: len(row) - _blanks_at_end(row)])
        if layout is not None and layout.known >= min(2, self._layout.width):
            self._layout = layout
            return True
        return _normal(row[self._layout.sid]) in _NAMES["sid"]

    def _is_whole(self, row: list[str]) -> bool:
        if len(row) != self._layout.width:
            return False
        sid = row[self._layout.sid].strip()
        return is_sid(sid) and not sid.isalpha()


def _blanks_at_end(row: list[str]) -> int:
    return next((index for index, cell in enumerate(reversed(row)) if cell.strip()), len(row))


def _facts(
    cells: tuple[str, ...], sid: str, read_time: _ReadTime, *, only_times: bool
) -> CallFacts:
    _, created, started, ended, duration, talk, status, leg2, direction, *texts, urls = cells
    from_, to, group, exophone = texts
    created_at = read_time(created)
    # Most calls start in the second in which they are created.
    started_at = created_at if started == created else read_time(started)
    if only_times:
        return CallFacts(sid=sid, created_at=created_at, started_at=started_at)
    return CallFacts(
        sid=sid,
        created_at=created_at,
        started_at=started_at,
        ended_at=read_time(ended),
        duration_s=_seconds(duration),
        talk_s=_seconds(talk),
        status=_word(status),
        leg2_status=_word(leg2),
        direction=_word(direction),
        from_number=_text(from_),
        to_number=_text(to),
        exophone=_text(exophone),
        group=_text(group) if group else "",
        recording_urls=_urls(urls) or msgspec.UNSET,
    )


def _time_reader(zone: ZoneInfo, unread: UnreadTimes, order: DayOrder | None = None) -> _ReadTime:
    """Return `parse_time` for one zone, with None for what is no time, made for millions of calls.

    What is no time is counted in ``unread``. The usual form takes the zone's offset from a table of
    days: working it out costs three times as much as all the rest.
    """
    offsets: dict[str, timedelta | None] = {}
    from_iso = datetime.fromisoformat

    def read(text: str) -> datetime | None:
        if len(text) == _PLAIN_TIME:
            try:
                return from_iso(text + "+00:00") - offsets[text[:10]]  # type: ignore[operator]
            except KeyError:
                learn(text[:10])
            except (TypeError, ValueError):
                pass  # a day on which the clocks change, or no such time: the plain way tells
        with suppress(ValueError):
            return parse_time(text, zone)
        if order is not None:
            with suppress(ValueError):
                return parse_time(parse_date(text, order).isoformat(), zone)
        unread.add(text)
        return None

    def learn(day: str) -> None:
        """Note the day's offset; None where the clocks change that day or there is no such day."""
        if len(offsets) >= _MAX_DAYS:
            offsets.clear()
        offsets[day] = None
        with suppress(ValueError):
            start, last = (parse_time(f"{day} {time}", zone) for time in ("00:00:00", "23:59:59"))
            if start and last and last - start == timedelta(seconds=86_399):
                offsets[day] = from_iso(f"{day} 00:00:00+00:00") - start

    return read


def _urls(text: str) -> tuple[str, ...]:
    """Return the URLs in a cell. What stands between several is not documented: any will do."""
    return tuple(_URL.findall(text)[:_MOST_URLS]) if text else ()


@lru_cache(maxsize=16_384)
def _seconds(text: str) -> int | None:
    """Read a duration in whole seconds, also as a spreadsheet saves it (``35.0``)."""
    found = _SECONDS.fullmatch(text.strip())
    seconds = int(found[1]) if found else -1
    return seconds if 0 <= seconds <= _MAX_SECONDS else None


@lru_cache(maxsize=4_096)
def _word(text: str) -> str:
    return _text(text).lower()


def _text(text: str) -> str:
    text = text.strip()
    if not text.isprintable():
        text = "".join(filter(str.isprintable, text)).strip()
    return "" if len(text) <= _LONGEST_BLANK and is_blank(text) else text[:_MAX_TEXT]


def _no_sid(cell: str) -> str:
    if not cell:
        return "the row has no Sid"
    return f"not a Sid: {_shown(cell)}"


def _shown(text: str, most: int = _MAX_ECHO) -> str:
    return repr(text[:most]) + ("…" if len(text) > most else "")


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_COLUMNS_LISTED
    shown = ", ".join(_shown(name) for name in names[:_MAX_COLUMNS_LISTED])
    return f"{shown} and {more} more" if more > 0 else shown
