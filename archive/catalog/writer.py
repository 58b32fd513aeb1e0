"""The catalog for asynchronous callers: one thread that writes, one that reads.

Many small writes become few commits: whatever is asked for within 50 ms goes into one
transaction, and every caller learns the outcome when that is on disk. A write that fails is
undone alone, by its savepoint, and spoils no neighbour. One that was undone because another host
was in its way, in a circle, is done again.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from archive.catalog.database import TRIES, Tx, name_of, open_database
from archive.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from pathlib import Path

    from archive.catalog.database import Database

P = ParamSpec("P")
T = TypeVar("T")

_GROUP_S: Final = 0.05
"""The longest a write transaction collects: others wait for the lock meanwhile."""
_GROUP_MOST: Final = 512


@dataclass(eq=False)
class _Item:
    work: Callable[[Tx], Any]
    future: Future[Any]
    tries: int = 0

    def may_be_done_again(self, error: Exception) -> bool:
        """Tell whether what undid it was a passing matter, and count the try."""
        self.tries += 1
        return isinstance(error, CatalogError) and error.passing and self.tries < TRIES


class Catalog:
    """The catalog as a worker or the supervisor uses it. Open it with ``await Catalog.open``."""

    def __init__(
        self, where: str | Path, opener: Callable[[str | Path], Database] = open_database
    ) -> None:
        self.where = where
        self.name = name_of(where)
        self._inbox: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._again: deque[_Item] = deque()
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="catalog-read")
        self._thread = threading.Thread(target=self._write_all, name="catalog-write", daemon=True)
        self._closed = False
        self._writer = opener(where)
        self._reader = open_database(where)
        self._thread.start()

    def clock(self) -> datetime:
        """Return the time by which all who use this catalog decide."""
        return self._writer.clock()

    @property
    def ahead(self) -> timedelta:
        """How far this machine's own clock is ahead of that."""
        return self._writer.ahead

    @property
    def root(self) -> int:
        """The number of the root whose files this process has before it."""
        return self._writer.root

    def stand_at(self, root: int) -> None:
        """Look at the catalog from a root: its day files, its files to be removed."""
        self._writer.root = self._reader.root = root

    @classmethod
    async def open(
        cls, where: str | Path, opener: Callable[[str | Path], Database] = open_database
    ) -> Catalog:
        """Open and migrate the catalog that a URL names or that lies in a file; start its threads.

        ``opener`` opens it first, and may refuse to.

        Raises:
            CatalogError: it cannot be opened.
        """
        return await asyncio.to_thread(cls, where, opener)

    async def write(
        self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work(tx, ...)`` in a transaction; return its result once that is on disk.

        Raises:
            CatalogError: the catalog cannot be written; nothing of ``work`` was kept.
        """
        if self._closed:
            raise CatalogError("writing to the catalog after it was closed")
        future: Future[T] = Future()
        self._inbox.put(_Item(lambda tx: work(tx, *args, **kwargs), future))
        # Shielded: the write happens whether or not its caller is cancelled meanwhile.
        written = asyncio.wrap_future(future)
        written.add_done_callback(_heard)
        return await asyncio.shield(written)

    async def read(
        self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work(tx, ...)`` on one consistent state and return its result.

        Raises:
            CatalogError: the catalog cannot be read.
        """

        def reading() -> T:
            with self._reader.read() as tx:
                return work(tx, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._reads, reading)

    async def another_reader(self) -> Database:
        """Return a connection of its own for who reads at length; others need not wait for it.

        Raises:
            CatalogError: it cannot be opened, or is no longer in its place.
        """
        if self.is_in_its_place():
            another = await asyncio.to_thread(open_database, self.where)
            another.root = self.root
            # Else another file may have been opened than this one.
            if self.is_in_its_place():
                return another
            another.close()
        raise CatalogError(f"the catalog {self.name} was removed or replaced while it was in use")

    def is_in_its_place(self) -> bool:
        """Tell whether what was opened is still what is to be found there."""
        return self._writer.is_in_its_place() and self._reader.is_in_its_place()

    async def close(self) -> None:
        """Write what was asked for, end the threads, close the connections."""
        if self._closed:
            return
        self._closed = True
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._reads.shutdown)
        self._writer.close()
        self._reader.close()

    def _write_all(self) -> None:
        go_on = True
        while go_on or self._again:
            first = self._again.popleft() if self._again else self._inbox.get()
            go_on = first is not None and self._write_group(first) and go_on

    def _write_group(self, first: _Item) -> bool:
        """Write one group; return False when the end was asked for within it."""
        done: list[tuple[_Item, Any]] = []
        taken = [first]
        go_on = True
        try:
            with self._writer.write() as tx:
                together = self._apply(tx, first, done)
                until = time.monotonic() + _GROUP_S
                while together and len(taken) < _GROUP_MOST and time.monotonic() < until:
                    try:
                        item = self._inbox.get_nowait()
                    except queue.Empty:
                        break
                    if item is None:
                        go_on = False
                        break
                    taken.append(item)
                    together = self._apply(tx, item, done)
        except CatalogError as error:
            # The transaction is gone, and with it what was done in it.
            for item in taken:
                if item.future.done() or item in self._again:
                    continue
                if item.may_be_done_again(error):
                    self._again.append(item)
                else:
                    item.future.set_exception(error)
            return go_on
        for item, result in done:
            item.future.set_result(result)
        return go_on

    def _apply(self, tx: Tx, item: _Item, done: list[tuple[_Item, Any]]) -> bool:
        """Do one write of a group; return False if the group is to end with it.

        Who was in its way may wait for what the group has done before.
        """
        tx.connection.execute("SAVEPOINT one")
        try:
            with self._writer.errors("writing to"):
                result = item.work(tx)
        except Exception as error:  # noqa: BLE001 - it belongs to the caller, who gets it
            tx.connection.execute("ROLLBACK TO one")
            if item.may_be_done_again(error):
                self._again.append(item)
                return False
            item.future.set_exception(error)
        else:
            done.append((item, result))
        finally:
            tx.connection.execute("RELEASE one")
        return True


def _heard(written: asyncio.Future[Any]) -> None:
    """Take note of an error, for a caller who was cancelled meanwhile and does not."""
    if not written.cancelled():
        written.exception()
