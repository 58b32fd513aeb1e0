"""The file of rejected rows: as they were, with file, line and reason, to be corrected and fed in.

A header row stands before the first row and wherever the columns change, which is how exports put
together are read. What is added stands before all else, so that a row with too many cells, or a
spreadsheet that fills rows up, moves nothing. Cells stay as they are, also those that a spreadsheet
would take for a formula: telephone numbers begin with ``+``, and what is changed here could not be
fed in again.
"""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Final, Self, TextIO

from archive.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from jobs.cdr import Rejected

OURS: Final = ("callvault_file", "callvault_line", "callvault_reason")
_ONLY_OWNER: Final = 0o600
# A spreadsheet takes a file without the mark for cp1252.
_ENCODING: Final = "utf-8-sig"
_HINT: Final = "Name another file with --rejected, in a folder that can be written to."


class RejectedFile:
    """Writes rejected rows to a file that does not exist before the first of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: TextIO | None = None
        self._header: tuple[str, ...] | None = None

    @property
    def is_written(self) -> bool:
        """Tell whether there was a row."""
        return self._header is not None

    def check(self) -> None:
        """Refuse to write over a file.

        Raises:
            InputError: there is one.
        """
        if os.path.lexists(self.path):
            raise InputError(f"{self.path} exists already.", hint=_HINT)

    def add(self, row: Rejected) -> None:
        """Write a row.

        Raises:
            InputError: the file cannot be written, or was there before.
        """
        header = _own(row.header, row.header)
        cells = _own(row.cells, row.header)
        try:
            self._stream = self._stream or self._open()
            writer = csv.writer(self._stream)
            if header != self._header:
                writer.writerow([*OURS, *header])
                self._header = header
            missing = [""] * (len(header) - len(cells))
            writer.writerow([row.file, row.line, row.reason, *cells, *missing])
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> InputError:
        return InputError(f"{self.path} cannot be written: {error.strerror or error}.", hint=_HINT)

    def _open(self) -> TextIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        return os.fdopen(
            os.open(self.path, flags, _ONLY_OWNER),
            "w",
            encoding=_ENCODING,
            errors="replace",
            newline="",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is None:
            return
        try:
            # The last rows are written here, if there is room.
            self._stream.close()
        except OSError as full:
            if error is None:
                raise self._unwritten(full) from full


def place_of(folder: Path, now: datetime) -> Path:
    """Return where rejected rows go by default: a name by the time that no file has."""
    name = f"{now:%Y%m%dT%H%M%SZ}"
    names = [f"{name}.csv", *(f"{name}-{number}.csv" for number in range(2, 100))]
    free = (folder / one for one in names if not os.path.lexists(folder / one))
    return next(free, folder / names[-1])


def _own(cells: tuple[str, ...], header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cells without the columns that were added by a former run."""
    return cells[len(OURS) :] if header[: len(OURS)] == OURS else cells
