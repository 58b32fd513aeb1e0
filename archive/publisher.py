"""Publishing recordings in groups: whatever is ready goes through the store's steps together.

While one group is being flushed the next one gathers, so the groups grow as the disk gets slower,
and no timer is needed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from archive.proof import Proof
    from archive.store import Pending, Store

_GROUP_MOST: Final = 64
_SIDE: Final = 2
"""Groups side by side: one writes while the other waits for the disk."""
_BACKLOG: Final = 64
"""Recordings that may wait in memory; then downloads wait for the disk."""

_Item = tuple["Pending", "asyncio.Future[Proof]"]


class Publisher:
    """Publishes for one process. Use it as an asynchronous context manager."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(_BACKLOG)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run(), name="publisher") for _ in range(_SIDE)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def publish(self, pending: Pending) -> Proof:
        """Publish a recording; return its proof once it is flushed in its place.

        Raises:
            OSError: it could not be written; nothing of it is left in its place.
        """
        done: asyncio.Future[Proof] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_look_at)
        await self._queue.put((pending, done))
        # A caller that is cancelled leaves a file that the next run adopts.
        return await asyncio.shield(done)

    async def _run(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < _GROUP_MOST and not self._queue.empty():
                group.append(self._queue.get_nowait())
            await self._publish(group)

    async def _publish(self, group: list[_Item]) -> None:
        try:
            results = await asyncio.to_thread(self._store.publish, [item for item, _ in group])
        except asyncio.CancelledError:
            for _, done in group:
                done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - each caller gets it, and this goes on
            for _, done in group:
                if not done.done():
                    done.set_exception(error)
            return
        for (_, done), result in zip(group, results, strict=True):
            if done.done():
                continue
            if isinstance(result, OSError):
                done.set_exception(result)
            else:
                done.set_result(result)


def _look_at(done: asyncio.Future[Proof]) -> None:
    """Take note of an error: a caller that was cancelled does not, and asyncio would print it."""
    if not done.cancelled():
        done.exception()
