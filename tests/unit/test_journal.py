"""Lines go to the journal with their priority, and none of them ends a process."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import pytest

from worker.journal import LineHandler, is_journal, priority_of


def record(message: object, level: int = logging.INFO) -> logging.LogRecord:
    """Return a record with a message."""
    return logging.LogRecord("test", level, "", 0, message, None, None)


def test_the_journal_is_known_by_its_device_and_inode(tmp_path: Path) -> None:
    """The variable alone says nothing: the output may have been sent elsewhere since."""
    with (tmp_path / "stderr").open("w") as stream:
        found = os.fstat(stream.fileno())
        told = f"{found.st_dev}:{found.st_ino}"
        assert is_journal(stream, {"JOURNAL_STREAM": told})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": "nonsense"})
        assert not is_journal(stream, {})
        assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": told})
        assert not is_journal(None, {"JOURNAL_STREAM": told})
    assert not is_journal(stream, {"JOURNAL_STREAM": told})


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (logging.DEBUG, 7),
        (logging.INFO, 6),
        (logging.WARNING, 4),
        (logging.ERROR, 3),
        (logging.CRITICAL, 2),
    ],
)
def test_levels_have_the_priorities_of_syslog(level: int, expected: int) -> None:
    """As sd-daemon(3) has them."""
    assert expected == priority_of(level)


def test_a_record_is_one_line_with_its_priority_in_the_journal(tmp_path: Path) -> None:
    """However many lines it would have; elsewhere there is no priority."""
    path = tmp_path / "stderr"
    for journal, one_line, expected in (
        (True, False, "<4>a\\nb\n"),
        (False, True, "a\\nb\n"),
        (False, False, "a\nb\n"),
    ):
        with path.open("w") as stream:
            handler = LineHandler(stream, journal=journal, one_line=one_line)
            handler.emit(record("a\nb", logging.WARNING))
        assert expected == path.read_text()


def test_a_stream_that_is_no_file_is_written_to() -> None:
    """As programs have that hold their output back."""
    stream = io.StringIO()
    LineHandler(stream, journal=False, one_line=True).emit(record("told"))
    assert stream.getvalue() == "told\n"


class Odd:
    """Something that cannot be written."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no")


def test_a_record_that_cannot_be_formatted_is_told_of(tmp_path: Path) -> None:
    """In its place, with its logger's name."""
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        LineHandler(stream, journal=False, one_line=True).emit(record(Odd()))
    assert path.read_text() == "a log record of test cannot be written: RuntimeError\n"


def test_a_text_that_is_no_unicode_is_written(tmp_path: Path) -> None:
    """File names may hold anything."""
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        LineHandler(stream, journal=False, one_line=True).emit(record("a\udcffb"))
    assert path.read_text() == "a\\udcffb\n"


def test_a_full_disk_or_a_closed_stream_stops_nobody(tmp_path: Path) -> None:
    """What cannot be written is lost; nobody could be told of it."""
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            LineHandler(full, journal=False, one_line=True).emit(record("lost"))
    with (tmp_path / "stderr").open("w") as stream:
        handler = LineHandler(stream, journal=False, one_line=True)
    handler.emit(record("lost"))
    closed = io.StringIO()
    closed.close()
    LineHandler(closed, journal=False, one_line=True).emit(record("lost"))
    LineHandler(None, journal=False, one_line=True).emit(record("lost"))
    assert (tmp_path / "stderr").read_text() == ""
