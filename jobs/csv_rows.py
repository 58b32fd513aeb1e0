"""The rows of CSV files from outside, trusted in nothing: decoding them and taking them apart.

- *Encoding*: UTF-16 by its byte order mark; anything else is UTF-8, in which each byte that cannot
  be UTF-8 is taken as cp1252. So one bad byte costs one character and never the file, and the file
  need not be read twice to know what it is.
- *A quote that is never closed* makes a CSV reader swallow the rows after it. Where a row goes over
  several lines and one of the later lines is a whole row by itself, each line is read by itself.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, TextIO

from archive.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_DELIMITERS: Final = (",", ";", "\t")
_MAX_ROW: Final = 1 << 18  # characters; a real row has some 500
_MAX_ROW_LINES: Final = 100
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
_HEAD: Final = 8_192
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROL_BYTES: Final = bytes(set(range(32)) - set(b"\t\n\r\f"))
SAVE_AS_CSV: Final = "Save or unpack it as CSV (UTF-8) with its header row."


@contextmanager
def opened_text(raw: IO[bytes], name: str) -> Iterator[tuple[TextIO, bool]]:
    """Read a CSV file as text, from its beginning; the flag tells whether it looks like text.

    ``name`` is what errors call it. ``raw`` stays open.

    Raises:
        InputError: it is empty or plainly something else.
        OSError: it cannot be read.
    """
    raw.seek(0)
    head = raw.read(_HEAD)
    raw.seek(0)
    _refuse_what_is_no_csv(head, name)
    is_utf16 = head.startswith(_UTF16_MARKS)
    stream = io.TextIOWrapper(
        raw,
        encoding="utf-16" if is_utf16 else "utf-8-sig",
        errors="replace" if is_utf16 else "callvault.cp1252",
        newline="",
    )
    try:
        yield stream, _is_text(head)
    finally:
        stream.detach()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say in a person's words why an export cannot be read.

    Raises:
        InputError: instead of an `OSError`, or of a path that is none.
    """
    try:
        yield
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


def _cp1252_for_the_rest(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are no UTF-8 as cp1252, which spreadsheets on Windows write."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("callvault.cp1252", _cp1252_for_the_rest)


def _refuse_what_is_no_csv(head: bytes, name: str) -> None:
    if not head:
        raise InputError(f"{name} is empty.", hint="Export the calls again.")
    likeness = next((kind for sign, kind in _SIGNATURES if head.startswith(sign)), "")
    if not likeness and _is_unmarked_utf16(head[:64]):
        likeness = "UTF-16 text without a byte order mark"
    if likeness:
        raise no_csv(name, likeness)


def _is_unmarked_utf16(head: bytes) -> bool:
    """Tell whether every other byte is NUL, as in Latin letters of two bytes each."""
    halves = {not half.strip(b"\x00") for half in (head[::2], head[1::2])}
    return len(head) >= _SHORTEST_UTF16 and len(halves) > 1


def _is_text(head: bytes) -> bool:
    """Tell a text by its having few control characters; one or two are no reason to refuse it."""
    control = len(head) - len(head.translate(None, _CONTROL_BYTES))
    return head.startswith(_UTF16_MARKS) or control * 20 <= len(head)


def no_csv(file: str, likeness: str) -> InputError:
    """Return the error for a file that is something else than a CSV file."""
    return InputError(f"{file} is no CSV file: it looks like {likeness}.", hint=SAVE_AS_CSV)


class _RowTooLongError(Exception):
    """The lines read for one row are more than a row can have."""


class Rows:
    """The rows of a text as lists of cells, and the line that each one starts on (``line``).

    A CSV reader is used only where quotes make it necessary: taking a line apart by its delimiter
    is three times as fast and gives the same cells. Memory stays bounded whatever the file holds.
    ``worth`` says how likely it is that the first row was taken apart rightly into some cells.
    """

    def __init__(self, stream: TextIO, worth: Callable[[list[str]], tuple[int, ...]]) -> None:
        self._readline = stream.readline
        self._again: deque[str] = deque()
        self._worth = worth
        self._delimiter = ","
        self._next_line = 1
        self.line = 0

    def header(self) -> list[str] | str:
        """Return the first row that is not blank, and settle the delimiter by it; [] without one.

        The same as in `rows`: a text is the reason why the row cannot be read.
        """
        return next(self.rows(lambda _: False)) if self.settle() else []

    def settle(self) -> bool:
        """Pass over blank lines, and settle the delimiter by the first other one; False without."""
        for line in iter(self._fetch, ""):
            if line.strip():
                self._delimiter = max(_DELIMITERS, key=lambda by: self._worth(line.split(by)))
                self._again.appendleft(line)
                return True
            self._next_line += 1
        return False

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
