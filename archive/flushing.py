"""Bringing files to the disk: beginning with it, and waiting until it is done. These block."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def begin_to_flush(handle: int, start: int = 0, length: int = 0) -> None:
    """Have the system begin to write a file to the disk; nothing is waited for, nothing promised.

    So that flushes, one after the other, find most of their work done: of a group's, the first one
    brings all that was begun to the disk. On Linux this advice begins to write what is dirty in the
    range (all, without a length), and drops none of it (mm/fadvise.c, generic_fadvise).
    """
    with suppress(OSError):
        os.posix_fadvise(handle, start, length, os.POSIX_FADV_DONTNEED)


def flush_file(path: Path) -> None:
    """Bring a file's bytes to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
