"""Where log lines go: standard error, with priorities where that is systemd's journal.

Nothing that goes wrong here may end a process that archives: a line that cannot be written is lost.
"""

from __future__ import annotations

import io
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE: Final = "JOURNAL_STREAM"
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_LEAST: Final = 7


def is_journal(stream: TextIO | None, environment: Mapping[str, str]) -> bool:
    """Tell whether a stream is a line to the journal: systemd.exec(5), ``$JOURNAL_STREAM``.

    The variable alone says nothing: it stays when the output is sent elsewhere.
    """
    told = environment.get(_VARIABLE, "")
    if not told or stream is None:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file
        return False
    return told == f"{found.st_dev}:{found.st_ino}"


def priority_of(level: int) -> int:
    """Return a level's priority as sd-daemon(3) and syslog have them: 7 is debug, 3 an error."""
    return next((priority for least, priority in _PRIORITIES if level >= least), _LEAST)


class LineHandler(logging.Handler):
    """Writes each record as one line (on a terminal as it is) in one go, past Python's buffers.

    In one go, so that lines of several processes do not mix; past the buffers, so that a line that
    cannot be written is not tried again as the process ends, and does not change its exit code.
    """

    def __init__(self, stream: TextIO | None, *, journal: bool, one_line: bool) -> None:
        super().__init__()
        self._stream = stream
        self._journal = journal
        self._one_line = one_line or journal
        self._raw = _raw(stream)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; one that cannot be made a line of is told of in its place."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason to stop
            line = self._stand_in(record, error)
        if self._one_line:
            line = line.replace("\r", "\\r").replace("\n", "\\n")
        if self._journal:
            line = f"<{priority_of(record.levelno)}>{line}"
        self._write(f"{line}\n")

    def _stand_in(self, record: logging.LogRecord, error: Exception) -> str:
        said = f"a log record of {record.name} cannot be written: {type(error).__name__}"
        told = logging.LogRecord(record.name, record.levelno, "", 0, said, None, None)
        try:
            return self.format(told)
        except Exception:  # noqa: BLE001 - then the formatter itself is at fault
            return said

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # a full disk, a closed pipe: nobody can be told
            if self._stream is None or self._stream.closed:
                return
            if self._raw is None:
                self._stream.write(line)
                self._stream.flush()
                return
            left = memoryview(line.encode(errors="backslashreplace"))
            while left:
                # None of a pipe that is full and does not wait.
                left = left[self._raw.write(left) or len(left) :]


def _raw(stream: TextIO | None) -> io.FileIO | None:
    """Return the file below a stream, if it is one."""
    if stream is None:
        return None
    try:
        return io.FileIO(stream.fileno(), "wb", closefd=False)
    except (OSError, ValueError):
        return None
