"""A disk that fills up: a small file system of our own, or a limit where none may be mounted."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.crew import Crew

_ROOM: Final = 1.5
"""The file system's size beside the recordings': for the quarantine and for part files."""
_SPARE: Final = 64 * 2**20
_LEFT: Final = 1_300_000
"""Bytes left at half of the fillings: more than `min_free`, so that a download meets the end."""
_LARGEST_FILE: Final = 2_000


class Disk(Protocol):
    """Where the recordings lie, and how it is filled."""

    kind: str

    def fill(self, pick: float) -> None:
        """Let there be no room; called again and again while it is to be so."""
        ...

    def empty(self) -> None:
        """Let there be room again."""
        ...

    def is_there(self) -> bool:
        """Tell whether it is still the one that the run began with."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class SmallDisk:
    """A tmpfs of our own, which a file of our own fills."""

    kind = "tmpfs"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ballast = root / "ballast"

    def fill(self, pick: float) -> None:
        """Take all room, or all but a little."""
        left = _LEFT if pick < 0.5 else 0
        with self._ballast.open("ab") as file:
            free = shutil.disk_usage(self._root).free - left
            if free > 0:
                with suppress(OSError):  # somebody was quicker: then it is full all the same
                    os.posix_fallocate(file.fileno(), file.tell(), free)

    def empty(self) -> None:
        """Remove the file."""
        self._ballast.unlink(missing_ok=True)

    def is_there(self) -> bool:
        """Tell whether it is mounted; somebody else may have tidied it away."""
        return self._root.is_mount()

    def close(self) -> None:
        """Unmount it; what is still open there lets it go when it ends."""
        if not self.is_there():
            return
        subprocess.run(["umount", "--lazy", str(self._root)], check=True)  # noqa: S603, S607 - our own mount


class LimitedFiles:
    """No file of a worker may be larger than 2,000 bytes: not its recordings, nor the catalog's.

    The supervisor is spared, since the queue's server would inherit the limit and keep it.
    """

    kind = "limit of file sizes"

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._limited: set[int] = set()

    def fill(self, pick: float) -> None:
        """Limit all workers there are."""
        del pick
        for pid in set(self._crew.workers()) - self._limited:
            if _limit(pid, _LARGEST_FILE):
                self._limited.add(pid)

    def empty(self) -> None:
        """Lift the limits of those that still live."""
        for pid in self._limited & set(self._crew.workers()):
            _limit(pid, resource.RLIM_INFINITY)
        self._limited.clear()

    def is_there(self) -> bool:
        """Nothing can take it away."""
        return True

    def close(self) -> None:
        """Nothing is left behind."""


def small_disk(root: Path, recordings_bytes: int) -> SmallDisk | None:
    """Mount a tmpfs with room for so many bytes of recordings; None where that is not allowed."""
    root.mkdir()
    size = int(recordings_bytes * _ROOM) + _SPARE
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0750", "callvault-chaos", str(root)]
    try:
        done = subprocess.run(words, capture_output=True, check=False)  # noqa: S603 - no shell
    except OSError:
        return None
    return None if done.returncode else SmallDisk(root)


def _limit(pid: int, size: int) -> bool:
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    except ProcessLookupError:
        return False
    return True
