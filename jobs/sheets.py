"""Reads a workbook's sheets: a program of its own, ``python -m jobs.sheets MEMORY [PLACE]``.

The workbook is its standard input. Its standard output gets the sheets that hold anything, as JSON
of their places and names; with a place, that sheet as CSV. It takes ``MEMORY`` bytes at the most.
With exit code ``UNREADABLE``, the reason is on standard output; any other but 0 is a crash.

A row stays a line, so that a message's line is its row. Cells of dates are exact, and become times
in the provider's own form.
"""

from __future__ import annotations

import csv
import io
import json
import resource
import sys
from datetime import date, datetime
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_calamine import CalamineWorkbook

UNREADABLE: Final = 3
_ENCODING: Final = "utf-8-sig"


def main(places: list[str], source: IO[bytes], target: IO[bytes]) -> int:
    """Write what is asked for, and return the exit code."""
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - within bounds

    try:
        source.seek(0)
        book = CalamineWorkbook.from_filelike(source)
        if places:
            sheet = book.get_sheet_by_index(int(places[0]))
            write(sheet.to_python(skip_empty_area=False), target)
        else:
            target.write(json.dumps(filled_sheets(book)).encode())
    except (CalamineError, OSError, ValueError) as error:
        target.write(str(error).encode(errors="replace"))
        return UNREADABLE
    return 0


def filled_sheets(book: CalamineWorkbook) -> list[tuple[int, str]]:
    """Return places and names of the sheets that hold anything, or of the first one."""
    from python_calamine import SheetTypeEnum  # noqa: PLC0415 - the same

    sheets = [
        (place, sheet.name)
        for place, sheet in enumerate(book.sheets_metadata)
        if sheet.typ == SheetTypeEnum.WorkSheet
    ]
    # New workbooks have empty sheets beside the one that is used.
    filled = [(place, name) for place, name in sheets if book.get_sheet_by_index(place).height]
    return filled or sheets[:1]


def write(rows: Sequence[Sequence[object]], target: IO[bytes]) -> None:
    """Write a sheet's rows as CSV."""
    text = io.TextIOWrapper(target, encoding=_ENCODING, errors="replace", newline="")
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


def _bound(memory: int) -> None:
    """Bound our memory: a workbook may ask for any amount, and the reader then takes us along."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _bound(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:], sys.stdin.buffer, sys.stdout.buffer))
