"""How much one process takes on: downloads side by side, and when it is time for the next batch.

The next batch is begun when the calls that wait for a download are fewer than the downloads that
may run, so that the line never runs dry and no process hoards. A slow download of an old batch
holds up neither its neighbours nor the next batch.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


class Room:
    """A batch's share of the waiting line."""

    def __init__(self, capacity: Capacity, calls: int) -> None:
        self._capacity = capacity
        self._calls = calls

    def leave(self, calls: int) -> None:
        """Note that so many calls of the batch wait no longer."""
        left = min(calls, self._calls)
        self._calls -= left
        self._capacity.change(-left)

    def leave_all(self) -> None:
        """Note that no call of the batch waits."""
        self.leave(self._calls)


class Capacity:
    """Bounds one process. ``on_change`` is told whether there is room for another batch."""

    def __init__(self, downloads: int, on_change: Callable[[bool], None] | None = None) -> None:
        self.downloads = downloads
        self.on_change = on_change
        self._slots = asyncio.Semaphore(downloads)
        self._waiting = 0
        self._closed = 0
        self._free = asyncio.Event()
        self._free.set()
        self._turn = asyncio.Lock()

    @property
    def has_room(self) -> bool:
        """Whether another batch may begin."""
        return self._waiting < self.downloads and not self._closed

    @asynccontextmanager
    async def room(self, calls: int) -> AsyncIterator[Room]:
        """Wait until another batch may begin, and take its place in the line."""
        async with self._turn:
            await self._free.wait()
            room = Room(self, calls)
            self.change(calls)
        try:
            yield room
        finally:
            room.leave_all()

    @asynccontextmanager
    async def download(self) -> AsyncIterator[None]:
        """Wait for one of the downloads that may run side by side."""
        async with self._slots:
            yield

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let no batch begin meanwhile."""
        self._closed += 1
        self.change(0)
        try:
            yield
        finally:
            self._closed -= 1
            self.change(0)

    def change(self, calls: int) -> None:
        """Count calls that begin (or, negative, cease) to wait for a download."""
        self._waiting += calls
        if self.has_room:
            self._free.set()
        else:
            self._free.clear()
        if self.on_change is not None:
            self.on_change(self.has_room)
