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
_CELL: Final = re.compile(rb'\b(?:r|ref)="(?:[A-Z]{1,3}\d{1,7}:)?([A-Z]{1,3})(\d{1,7})"')
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
    """Look through all that is in a workbook, block by block, before it is loaded."""
    size = 0
    for info in archive.infolist():
        is_sheet = info.filename.startswith("xl/worksheets/")
        rows = columns = 0
        tail = b""
        try:
            with archive.open(info) as member:
                while block := member.read(BLOCK):
                    size += len(block)
                    if is_sheet:
                        block = tail + block
                        for letters, row in _CELL.findall(block):
                            rows, columns = max(rows, int(row)), max(columns, _number(letters))
                        tail = block[-_LONGEST_CELL:]
                    if size > _MOST_BYTES or rows * columns > _MOST_CELLS:
                        raise InputError(
                            f"{plain.name} holds too much for a workbook: more than "
                            f"{_MOST_BYTES:,} bytes, or {_MOST_CELLS:,} cells.",
                            hint="Save the sheet as CSV (UTF-8), which may be of any size.",
                        )
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise _unreadable(plain.name, error) from None


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
