"""Sheets of Excel workbooks (.xlsx) as CSV files, by the extra ``callvault[xlsx]``.

The reader loads a sheet as a whole, so it is looked at first: how much comes out of the archive,
and how many cells its furthest cell would make. A row stays a line, so that a message's line is its
row.
Cells of dates are exact, and become times in the provider's own form.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
import zlib
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Final
from zipfile import BadZipFile

from archive.errors import InputError
from jobs.plain import BLOCK, Plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from zipfile import ZipFile

    from jobs.packed import Part

_MOST_BYTES: Final = 512 * 2**20
_MOST_CELLS: Final = 20_000_000
_MOST_TEXT: Final = 4 * 2**30
"""Cells of texts, times the longest of these: the most that they could be."""
_END_OF_TEXT: Final = b"si>"
# A cell's place, the last one of a range, or a row's number.
_CELL: Final = re.compile(
    rb"""\b(?:r|ref)\s*=\s*["'](?:[A-Z]{1,3}\d{1,7}:)?([A-Z]{0,3})(\d{1,7})["']""", re.IGNORECASE
)
_LONGEST_CELL: Final = 40
_LETTERS: Final = 26
_ENCODING: Final = "utf-8-sig"


def sheets_of(plain: Plain, archive: ZipFile) -> list[Part]:
    """Return the sheets of a workbook that hold anything.

    Raises:
        InputError: the extra is not installed, or the workbook is too large or cannot be read.
    """
    calamine = _reader(plain)
    _check_size(plain, archive)
    plain.stream.seek(0)
    try:
        book = calamine.CalamineWorkbook.from_filelike(plain.stream)
        names = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        # New workbooks have empty sheets beside the one that is used.
        names = [name for name in names if book.get_sheet_by_name(name).height] or names[:1]
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise _unreadable(plain.name, error) from None
    told = len(names) > 1
    parts = [(name, f"{plain.name}:{name!r}" if told else plain.name) for name in names]
    return [partial(_sheet, calamine, book, name, called) for name, called in parts]


def _reader(plain: Plain) -> ModuleType:
    try:
        import python_calamine  # noqa: PLC0415 - an extra, which need not be there
    except ImportError:
        raise InputError(
            f"{plain.name} is an Excel workbook; callvault reads it with an extra that is not "
            "installed.",
            hint="Install 'callvault[xlsx]', or save the sheet as CSV (UTF-8).",
        ) from None
    return python_calamine


def _unreadable(name: str, error: Exception) -> InputError:
    return InputError(
        f"{name} is an Excel workbook that cannot be read ({str(error)[:80]!r}).",
        hint="Save it again, or save the sheet as CSV (UTF-8).",
    )


def _check_size(plain: Plain, archive: ZipFile) -> None:
    """Look through all that is in a workbook, block by block, before it is loaded.

    Through any member: which one is a sheet, the workbook itself says.
    """
    size = _Size()
    for info in archive.infolist():
        try:
            with archive.open(info) as member:
                size.begin_member()
                while block := member.read(BLOCK):
                    size.add(block)
                    if size.is_too_much:
                        raise InputError(
                            f"{plain.name} holds too much for a workbook: more than "
                            f"{_MOST_BYTES:,} bytes, or {_MOST_CELLS:,} cells.",
                            hint="Save the sheet as CSV (UTF-8), which may be of any size.",
                        )
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise _unreadable(plain.name, error) from None


class _Size:
    """What a workbook would need: bytes, cells, and texts, which stand once and are used often."""

    def __init__(self) -> None:
        self._bytes = self._cells = self._texts = self._longest = 0
        self.begin_member()

    def begin_member(self) -> None:
        """Begin with another file in the workbook."""
        self._rows = self._columns = self._since = 0
        self._tail = b""

    def add(self, block: bytes) -> None:
        """Take a block into account."""
        self._bytes += len(block)
        self._texts += block.count(b't="s"') + block.count(b"t='s'")
        *texts, rest = block.split(_END_OF_TEXT)
        if texts:
            self._longest = max(self._longest, self._since + len(texts[0]), *map(len, texts))
            self._since = 0
        self._since += len(rest)
        block = self._tail + block
        for letters, row in _CELL.findall(block):
            self._rows = max(self._rows, int(row))
            self._columns = max(self._columns, _number(letters.upper()))
        self._cells = max(self._cells, self._rows * self._columns)
        self._tail = block[-_LONGEST_CELL:]

    @property
    def is_too_much(self) -> bool:
        """Tell whether it is more than is loaded."""
        return (
            self._bytes > _MOST_BYTES
            or self._cells > _MOST_CELLS
            or self._texts * self._longest > _MOST_TEXT
        )


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * _LETTERS + letter - ord("A") + 1
    return number


@contextmanager
def _sheet(calamine: ModuleType, book: object, name: str, called: str) -> Iterator[Plain]:
    with tempfile.TemporaryFile(prefix="callvault-") as stream:
        try:
            sheet = book.get_sheet_by_name(name)  # type: ignore[attr-defined]  # of the extra
            _write(sheet.to_python(skip_empty_area=False), stream)
        except (calamine.CalamineError, OSError, ValueError) as error:
            raise _unreadable(called, error) from None
        yield Plain(called, stream)


def _write(rows: list[list[object]], stream: IO[bytes]) -> None:
    text = io.TextIOWrapper(stream, encoding=_ENCODING, errors="replace", newline="")
    writer = csv.writer(text)
    for row in rows:
        cells = [_text(cell) for cell in row]
        # A row of nothing is an empty line, and no quotes.
        writer.writerow(cells if any(cells) else [])
    text.detach()


def _text(cell: object) -> str:
    """Write a cell as an export has it; whole numbers without a point, on one line."""
    if isinstance(cell, datetime):
        return cell.replace(microsecond=0).isoformat(" ")
    if isinstance(cell, date):
        return f"{cell.isoformat()} 00:00:00"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).splitlines())
