"""Reads the provider's CDR exports: CSV files with a header row, of any size, trusted in nothing.

The Sid alone is enough to archive a call, so a row is turned away only where it has none. Any other
field that cannot be read (a time, a duration, a word) is left unknown, and the call is kept.

- *Columns* are found by name, on lower case with all but letters and digits removed. A header row
  in the middle of a file (exports put together) is no call; its columns hold from there on.
- *Encoding*: UTF-16 by its byte order mark; anything else is UTF-8, in which each byte that cannot
  be UTF-8 is taken as cp1252. So one bad byte costs one character and never the file, and the file
  need not be read twice to know what it is.
- *Too few columns*: what is missing is unknown. *Too many*: a stray delimiter has moved the cells,
  so only the Sid and the times of creation and start are taken, which can be told by their form.
- *A quote that is never closed* makes a CSV reader swallow the rows after it. Where a row goes over
  several lines and one of the later lines is a whole row by itself, each line is read by itself.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

import msgspec

from archive.call import CallFacts, is_sid
from archive.errors import InputError
from archive.provider_time import is_blank, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
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
    "exophone": ("exotelnumber", "exophone", "phonenumber", "virtualnumber", "phonenumbersid"),
}
_KNOWN: Final = frozenset(name for names in _NAMES.values() for name in names)
_NOT_IN_NAMES: Final = re.compile(r"[^0-9a-z]+")

_DELIMITERS: Final = (",", ";", "\t")
_MAX_ROW: Final = 1 << 18  # characters; a real row has some 500
_MAX_ROW_LINES: Final = 100
_MAX_TEXT: Final = 64
_LONGEST_BLANK: Final = 4
_MAX_ECHO: Final = 40
_MAX_COLUMNS_LISTED: Final = 20
_MAX_SECONDS: Final = 7 * 86_400  # a call can last four hours; a week is no call's duration
_REAL_SID: Final = 32
_SECONDS: Final = re.compile(r"(\d{1,9})(?:\.0*)?", re.ASCII)
_PLAIN_TIME: Final = 19  # YYYY-MM-DD HH:MM:SS
_MAX_DAYS: Final = 1_000
_SIGNATURES: Final = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"%PDF", "a PDF document"),
    (b"ID3", "an MP3 recording"),
    (b"\xff\xfb", "an MP3 recording"),
    (b"\xff\xf3", "an MP3 recording"),
    (b"\xff\xe3", "an MP3 recording"),
    (b"RIFF", "a WAV recording"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
)
_SHORTEST_UTF16: Final = 8
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROL_BYTES: Final = bytes(set(range(32)) - set(b"\t\n\r\f"))
_SAVE_AS_CSV: Final = "Save or unpack it as CSV (UTF-8) with its header row."

_ReadTime: TypeAlias = "Callable[[str], datetime | None]"


class Rejected(msgspec.Struct, frozen=True):
    """A row that names no call.

    ``line`` is the physical line of ``file`` that the row starts on, counted from 1. ``reason``
    shows at most 40 characters of the input, control characters escaped.
    """

    file: str
    line: int
    reason: str


def read_cdr(path: Path, *, zone: ZoneInfo) -> Iterator[CallFacts | Rejected]:
    """Yield each row of an export, in order: a call's facts, or why there is no call in it.

    Times without an offset are ``zone``'s (the account's). Durations are whole seconds. Texts are
    at most 64 characters, without control characters; words of the provider's are in lower case.
    Blank lines and repeated header rows yield nothing. Memory does not grow with the file.

    Raises:
        InputError: at the first step, before any row: there is no such file, it cannot be read, is
            empty, is no CSV, or has no column for the Sid. Later only where reading itself fails.
    """
    try:
        with _opened(path) as raw:
            head = raw.peek()
            _refuse_what_is_no_csv(head, path)
            is_utf16 = head.startswith(_UTF16_MARKS)
            with io.TextIOWrapper(
                raw,
                encoding="utf-16" if is_utf16 else "utf-8-sig",
                errors="replace" if is_utf16 else "callvault.cp1252",
                newline="",
            ) as stream:
                yield from _Export(stream, str(path), zone, is_text=_is_text(head)).calls()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.", hint="Check the path.") from None
    except IsADirectoryError:
        raise InputError(
            f"{path} is a directory, not a CDR export.", hint="Name the files in it."
        ) from None
    except PermissionError:
        raise InputError(
            f"{path} cannot be read: permission denied.",
            hint="Make it readable for the user that runs callvault.",
        ) from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Check the file and its disk.",
        ) from error


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except ValueError as error:  # a NUL in the path
        raise InputError(f"{path!r} is no path: {error}.", hint="Check the path.") from None


def _cp1252_for_the_rest(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are no UTF-8 as cp1252, which spreadsheets on Windows write."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("callvault.cp1252", _cp1252_for_the_rest)


def _refuse_what_is_no_csv(head: bytes, path: Path) -> None:
    if not head:
        raise InputError(f"{path} is empty.", hint="Export the calls again.")
    likeness = next((name for sign, name in _SIGNATURES if head.startswith(sign)), "")
    if not likeness and _is_unmarked_utf16(head[:64]):
        likeness = "UTF-16 text without a byte order mark"
    if likeness:
        raise _no_csv(str(path), likeness)


def _is_unmarked_utf16(head: bytes) -> bool:
    """Tell whether every other byte is NUL, as in Latin letters of two bytes each."""
    halves = {not half.strip(b"\x00") for half in (head[::2], head[1::2])}
    return len(head) >= _SHORTEST_UTF16 and len(halves) > 1


def _is_text(head: bytes) -> bool:
    """Tell a text by its having few control characters; one or two are no reason to refuse it."""
    control = len(head) - len(head.translate(None, _CONTROL_BYTES))
    return head.startswith(_UTF16_MARKS) or control * 20 <= len(head)


def _no_csv(file: str, likeness: str) -> InputError:
    return InputError(f"{file} is no CSV file: it looks like {likeness}.", hint=_SAVE_AS_CSV)


class _RowTooLongError(Exception):
    """The lines read for one row are more than a row can have."""


class _Rows:
    """The rows of a text as lists of cells, and the line that each one starts on (``line``).

    A CSV reader is used only where quotes make it necessary: taking a line apart by its delimiter
    is three times as fast and gives the same cells. Memory stays bounded whatever the file holds.
    """

    def __init__(self, stream: TextIO) -> None:
        self._readline = stream.readline
        self._again: deque[str] = deque()
        self._delimiter = ","
        self._next_line = 1
        self.line = 0

    def header(self) -> list[str] | str:
        """Return the first row that is not blank, and settle the delimiter by it; [] without one.

        The same as in `rows`: a text is the reason why the row cannot be read.
        """
        for line in iter(self._fetch, ""):
            if line.strip():
                self._delimiter = _delimiter(line)
                self._again.appendleft(line)
                return next(self.rows(lambda _: False))
            self._next_line += 1
        return []

    def rows(self, is_whole: Callable[[list[str]], bool]) -> Iterator[list[str] | str]:
        """Yield the cells of each row, or why it cannot be read.

        ``is_whole`` tells whether a line inside of quotes would be a row by itself.
        """
        readline, again, delimiter = self._readline, self._again, self._delimiter
        quoted_delimiter = f'"{delimiter}"'
        while line := again.popleft() if again else readline(_MAX_ROW + 1):
            self.line = self._next_line
            self._next_line += 1
            text = line.rstrip("\r\n")
            if len(line) > _MAX_ROW:
                self._skip_rest_of(line)
                yield f"the line is longer than {_MAX_ROW} characters"
            elif '"' not in text:
                yield text.split(delimiter)
            elif text[0] == text[-1] == '"' and text.count('"') == 2 * len(
                cells := text[1:-1].split(quoted_delimiter)
            ):
                # Every cell stands in quotes and none holds one.
                yield cells
            else:
                yield self._quoted(line, is_whole)

    def _quoted(self, first: str, is_whole: Callable[[list[str]], bool]) -> list[str] | str:
        """Read a row that may go over several lines; see the module's text on quotes left open."""
        lines = [first]
        try:
            cells = next(csv.reader(self._gathered(lines), delimiter=self._delimiter))
        except (csv.Error, _RowTooLongError):
            cells = []
        others = lines[1:]
        if cells and not any(is_whole(alone) for line in others if (alone := self._alone(line))):
            self._next_line += len(others)
            return cells
        self._again.extendleft(reversed(others))
        return self._alone(first) or "the line cannot be read: a field is too long"

    def _alone(self, line: str) -> list[str]:
        """Read one line by itself; nothing comes of it where a field is too long for `csv`."""
        try:
            return next(csv.reader([line], delimiter=self._delimiter))
        except csv.Error:
            return []

    def _gathered(self, lines: list[str]) -> Iterator[str]:
        """Yield the lines there are, then those that follow, adding these to ``lines``."""
        yield lines[0]
        while line := self._fetch():
            lines.append(line)
            if len(lines) > _MAX_ROW_LINES or sum(map(len, lines)) > _MAX_ROW:
                raise _RowTooLongError
            yield line

    def _fetch(self) -> str:
        line = self._again.popleft() if self._again else self._readline(_MAX_ROW + 1)
        return self._skip_rest_of(line) if len(line) > _MAX_ROW else line

    def _skip_rest_of(self, line: str) -> str:
        """Throw away what is left of a line over the limit, and return its beginning, ended."""
        rest = line
        while rest and rest[-1] not in "\r\n":
            rest = self._readline(_MAX_ROW + 1)
        return line if line[-1] in "\r\n" else line + "\n"


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
    known = len(_KNOWN.intersection(names))
    return _Layout(at["sid"], len(header), known, itemgetter(*at.values()))


def _delimiter(line: str) -> str:
    """Choose the delimiter that gives a header line the most known columns, then the most."""

    def worth(delimiter: str) -> tuple[int, int]:
        cells = line.split(delimiter)
        return len(_KNOWN.intersection(map(_normal, cells))), len(cells)

    return max(_DELIMITERS, key=worth)


class _Export:
    """One export being read."""

    def __init__(self, stream: TextIO, file: str, zone: ZoneInfo, *, is_text: bool) -> None:
        self._file = file
        self._is_text = is_text
        self._rows = _Rows(stream)
        self._read_time = _time_reader(zone)
        self._layout = self._read_header()

    def calls(self) -> Iterator[CallFacts | Rejected]:
        rows, layout, read_time = self._rows, self._layout, self._read_time
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
            raise InputError(f"{self._file} is no CSV file: {header}.", hint=_SAVE_AS_CSV)
        layout = _layout(header)
        if layout is None and not self._is_text:
            raise _no_csv(self._file, "binary data")
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
    _, created, started, ended, duration, talk, status, leg2, direction, from_, to, exophone = cells
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
    )


def _time_reader(zone: ZoneInfo) -> _ReadTime:
    """Return `parse_time` for one zone, with None for what is no time, made for millions of calls.

    The usual form takes the zone's offset from a table of days: working it out costs three times as
    much as all the rest.
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
                pass
        try:
            return parse_time(text, zone)
        except ValueError:
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
