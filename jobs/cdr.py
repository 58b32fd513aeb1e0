"""Reads the provider's CDR exports: CSV files or what holds such, of any size, trusted in nothing.

The Sid alone is enough to archive a call, so a row is turned away only where it has none. Any other
field that cannot be read (a time, a duration, a word) is left unknown, and the call is kept.

- *Columns* are found by name, on lower case with all but letters and digits removed, and without a
  header row by content: see `jobs.cdr_columns`. A header row in the middle of a file (exports put
  together) is no call; its columns hold from there on.
- *Too few columns*: what is missing is unknown. *Too many*: a stray delimiter has moved the cells,
  so only the Sid and the times of creation and start are taken, which can be told by their form.
- *Dates with slashes*, as a spreadsheet writes them again, are read in the one order that all of
  them allow: see `jobs.day_order`.
- *Encoding and quotes*: see `jobs.csv_rows`. *Archives and workbooks*: see `jobs.packed`.
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from archive.call import is_sid
from archive.errors import InputError
from jobs.cdr_columns import NAMES, by_content, by_names, is_real_sid, normal, sid_columns, worth
from jobs.cdr_facts import UnreadTimes, facts_of, time_reader
from jobs.csv_rows import SAVE_AS_CSV, Rows, explained, no_csv, opened_text
from jobs.day_order import DayOrder, OrderSearch, may_have_dates
from jobs.packed import parts_of
from jobs.plain import STDIN, plain_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from archive.call import CallFacts
    from jobs.cdr_columns import Layout
    from jobs.cdr_facts import ReadTime
    from jobs.plain import Plain

_MAX_ECHO: Final = 40
_MAX_COLUMNS_LISTED: Final = 20
_REAL_SID: Final = 32
_SAMPLE: Final = 50
"""By how many rows the columns of an export without a header are told."""


class Rejected(msgspec.Struct, frozen=True):
    """A row that names no call.

    ``line`` is the physical line of ``file`` that the row starts on, counted from 1. ``reason``
    shows at most 40 characters of the input, control characters escaped. ``cells`` are the row as
    it was, none where it could not be taken apart, under the columns of ``header``.
    """

    file: str
    line: int
    reason: str
    cells: tuple[str, ...] = ()
    header: tuple[str, ...] = ()


def read_cdr(
    path: Path,
    *,
    zone: ZoneInfo,
    order: DayOrder | None = None,
    now: datetime | None = None,
    on_note: Callable[[str], None] | None = None,
    on_unread: Callable[[str, UnreadTimes], None] | None = None,
    on_refused: Callable[[InputError], None] | None = None,
) -> Iterator[CallFacts | Rejected]:
    """Yield each row of an export, in order: a call's facts, or why there is no call in it.

    Times without an offset are ``zone``'s (the account's). Durations are whole seconds. Texts are
    at most 64 characters, without control characters; words of the provider's are in lower case.
    Blank lines and repeated header rows yield nothing. Memory does not grow with the file, but for
    a workbook's.

    ``order`` is that of dates with slashes. Without it the file is read through to find out, no
    date being later than ``now``. ``on_note`` is told of it before the first row, and of columns
    that were told by content. ``on_unread`` is told at the end, with the file's name, if there
    were times of no form that is known. An archive may hold several exports: ``on_refused`` is
    told of each that cannot be read; without it, that ends the reading.

    Raises:
        InputError: at the first step, before any row: there is no such file, it cannot be read, is
            empty, is no CSV, has no column for the Sid, or does not tell the order of its dates.
            Later only where reading itself fails.
    """
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} is no path.", hint="Check the path.")
    name = "standard input" if str(path) == STDIN else str(path)
    note = on_note or (lambda _: None)

    def read(plain: Plain) -> Iterator[CallFacts | Rejected]:
        unread = UnreadTimes()
        with opened_text(plain.stream, plain.name) as (stream, is_text):
            _Export(stream, plain.name, is_text=is_text, note=note)
        own = order
        if own is None and may_have_dates(plain.stream):
            own = _find_order(plain, now.astimezone(zone) if now else None, note)
        with opened_text(plain.stream, plain.name) as (stream, is_text):
            export = _Export(stream, plain.name, is_text=is_text)
            yield from export.calls(time_reader(zone, unread, own))
        if on_unread is not None and unread.count:
            on_unread(plain.name, unread)
        _say_damage(plain)

    # Python has none where the process was started with it closed.
    stdin = sys.stdin.buffer if sys.stdin else None
    with explained(path), plain_file(path, name, stdin=stdin) as plain:
        yield from _each(plain, read, note, on_refused)
        _say_damage(plain)


def _each(
    plain: Plain,
    read: Callable[[Plain], Iterator[CallFacts | Rejected]],
    note: Callable[[str], None],
    on_refused: Callable[[InputError], None] | None,
    *,
    inside: bool = False,
) -> Iterator[CallFacts | Rejected]:
    """Read an export, or each export in it: an archive's members, and a workbook's sheets."""
    parts = parts_of(plain, note, inside=inside)
    if parts is None:
        yield from read(plain)
        return
    for part in parts:
        try:
            with part() as opened:
                yield from _each(opened, read, note, on_refused, inside=True)
        except InputError as error:
            if on_refused is None or len(parts) == 1:
                raise
            on_refused(error)


def _say_damage(plain: Plain) -> None:
    if plain.damage:
        raise InputError(
            f"{plain.name}: {plain.damage}. The rows before are used, the rest is missing.",
            hint="Export or pack the calls again, and name the file again.",
        )


def _find_order(plain: Plain, now: datetime | None, note: Callable[[str], None]) -> DayOrder | None:
    """Look at each time of an export, and tell the order of its dates if it has such dates."""
    search = OrderSearch(now)

    def see(text: str) -> None:
        search.see(text, export.line)

    with opened_text(plain.stream, plain.name) as (stream, is_text):
        export = _Export(stream, plain.name, is_text=is_text)
        for _ in export.calls(see):
            pass
    found = search.decide(plain.name)
    if found is not None:
        note(found[1])
    return found[0] if found else None


class _Export:
    """One export being read."""

    def __init__(
        self,
        stream: TextIO,
        file: str,
        *,
        is_text: bool,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._file = file
        self._is_text = is_text
        self._note = note
        self._rows = Rows(stream, worth)
        self._layout = self._read_header(stream)

    @property
    def line(self) -> int:
        """The line that the row read last starts on."""
        return self._rows.line

    def calls(self, read_time: ReadTime) -> Iterator[CallFacts | Rejected]:
        """Yield what the rows tell, with ``read_time`` for each time."""
        rows, layout = self._rows, self._layout
        pick, width, at = layout.pick, layout.width, layout.sid
        for row in rows.rows(self._is_whole):
            if isinstance(row, str):
                yield Rejected(self._file, rows.line, row, (), layout.header)
                continue
            only_times, missing = False, width - len(row)
            if missing:
                only_times = any(map(str.strip, row[width:]))
                row.extend([""] * missing)
            row.append("")
            sid = row[at].strip()
            if len(sid) < _REAL_SID and self._is_header(row):
                layout = self._layout
                pick, width, at = layout.pick, layout.width, layout.sid
            elif is_sid(sid):
                yield facts_of(pick(row), sid, read_time, only_times=only_times)
            elif any(map(str.strip, row)):
                row.pop()
                yield Rejected(self._file, rows.line, _no_sid(sid), tuple(row), layout.header)

    def _read_header(self, stream: TextIO) -> Layout:
        header = self._rows.header()
        if not header:
            raise InputError(f"{self._file} holds no rows.", hint="Export the calls again.")
        if isinstance(header, str):
            raise InputError(f"{self._file} is no CSV file: {header}.", hint=SAVE_AS_CSV)
        layout = by_names(header)
        if layout is not None:
            return layout
        if not self._is_text:
            raise no_csv(self._file, "binary data")
        known, *_ = worth(header)
        return self._without_header(stream, header) if known < 2 else self._no_sid_column(header)  # noqa: PLR2004 - one known name may be a cell's text

    def _without_header(self, stream: TextIO, first: list[str]) -> Layout:
        """Tell the columns by the first rows, and begin again with the first one."""
        found = islice(self._rows.rows(lambda row: any(map(is_real_sid, row))), _SAMPLE - 1)
        sample = [first, *(row for row in found if isinstance(row, list))]
        layout = by_content(sample)
        if layout is None:
            several = sid_columns(sample)
            return self._no_sid_column(first, several)
        stream.seek(0)
        self._rows = Rows(stream, worth)
        self._rows.settle()
        if self._note is not None:
            told = [
                f"{what} {index + 1}"
                for index, what in enumerate(layout.header)
                if any(normal(what) in names for names in NAMES.values())
            ]
            self._note(
                f"{self._file} has no header row; its columns are told by their content: "
                f"{', '.join(told)}"
            )
        return layout

    def _no_sid_column(self, header: list[str], several: list[int] | None = None) -> Layout:
        if several:
            columns = " and ".join(str(index + 1) for index in several[:_MAX_COLUMNS_LISTED])
            raise InputError(
                f"{self._file} has no header row, and the columns {columns} could all be the "
                "call's Sid.",
                hint="Put a row with the columns' names before the first; CallSid is the Sid's.",
            )
        raise InputError(
            f"{self._file} has no column for the call's Sid. Columns seen: {_listed(header)}.",
            hint="Export with the header row; the column is called CallSid, Call SID or Id.",
        )

    def _is_header(self, row: list[str]) -> bool:
        """Tell whether a row repeats a header; where it is a whole one, its columns hold now."""
        layout = by_names(row[: len(row) - _blanks_at_end(row)])
        if layout is not None and layout.known >= min(2, self._layout.width):
            self._layout = layout
            return True
        return normal(row[self._layout.sid]) in NAMES["sid"]

    def _is_whole(self, row: list[str]) -> bool:
        if len(row) != self._layout.width:
            return False
        sid = row[self._layout.sid].strip()
        return is_sid(sid) and not sid.isalpha()


def _blanks_at_end(row: list[str]) -> int:
    return next((index for index, cell in enumerate(reversed(row)) if cell.strip()), len(row))


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
