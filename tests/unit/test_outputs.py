"""Files that commands are told to write: what is said where that does not go."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from archive.errors import CallvaultError, Exit
from worker.commands.metrics import write_textfile
from worker.morning.writing import write_file
from worker.outputs import not_written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("number", "code", "hint"),
    [
        (errno.ENOSPC, Exit.FATAL, "make room"),
        (errno.EDQUOT, Exit.FATAL, "make room"),
        (errno.EIO, Exit.FATAL, "its disk fails"),
        (errno.EACCES, Exit.USAGE, "name another"),
        (errno.EROFS, Exit.USAGE, "name another"),
    ],
)
def test_only_a_place_that_cannot_be_written_to_is_a_mistake(
    number: int, code: Exit, hint: str
) -> None:
    """A disk that is full or fails ends a command with 7: no other name would help."""
    told = not_written(OSError(number, os.strerror(number)), "writing x", hint="name another")

    assert told.message == f"writing x: {os.strerror(number)}"
    assert code is told.exit_code
    assert hint in told.hint


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """Give a disk with no byte left, the kernel's own; skipped where none may be mounted."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "callvault-test", str(folder)]
    try:
        done = subprocess.run(words, check=False, capture_output=True)  # noqa: S603 - no shell
    except OSError:
        done = None
    if done is None or done.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607 - no shell


def test_a_full_disk_keeps_nothing_half(tmp_path: Path) -> None:
    """A report, and metrics for the collector: 7, and no file is left beside what was there."""
    with full_disk(tmp_path / "disk") as disk:
        with pytest.raises(CallvaultError, match="No space left") as report:
            write_file(disk / "morning.html", "x" * 99_999)
        with pytest.raises(CallvaultError, match="No space left") as metrics:
            write_textfile(disk / "callvault.prom", b"x" * 99_999)
        assert {Exit.FATAL} == {report.value.exit_code, metrics.value.exit_code}
        assert [file.name for file in disk.iterdir()] == ["filler"]
