"""Reading many files: side by side, and no faster than a disk that others need allows."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from archive.bandwidth import Bucket
from archive.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor
    from pathlib import Path

T = TypeVar("T")
R = TypeVar("R")

_BLOCK: Final = 2**20
_AHEAD: Final = 32
"""Files that wait for a thread: enough that none is idle, few enough that a stop is quick."""


class Pace:
    """Keeps all threads together to so many bytes a second; None is as fast as it goes."""

    def __init__(
        self,
        bytes_per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bucket = None if bytes_per_second is None else Bucket(bytes_per_second)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Wait until so many bytes more may have been read."""
        if self._bucket is None:
            return
        with self._lock:
            wait = self._bucket.take(size, self._clock())
        self._sleep(wait)


def hash_file(path: Path, pace: Pace) -> tuple[str, int]:
    """Return a file's SHA-256 and how many bytes it has. Blocks.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            pace.take(len(block))
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def side_by_side(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]
) -> Iterator[R]:
    """Yield ``work`` of each item in their order, a few ahead of who asks."""
    running: deque[Future[R]] = deque()
    try:
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) >= _AHEAD:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
