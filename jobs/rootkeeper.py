"""Keeps one root's files: its lists, and what dead processes left in it. By one of its hosts."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from archive.clock import EPOCH
from archive.errors import QueueError
from jobs.leader import Leader
from jobs.rescue import sweep

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from archive.catalog.writer import Catalog
    from archive.store import Store
    from jobs.daykeeper import DayKeeper

_SWEEP: Final = timedelta(minutes=5)


class RootKeeper:
    """Has a place of its own for each root: who leads may be a host that does not have this one."""

    def __init__(self, *, redis: Redis, catalog: Catalog, store: Store, keeper: DayKeeper) -> None:
        self._leader = Leader(redis, f"callvault:root:{store.number}")
        self._catalog = catalog
        self._store = store
        self._keeper = keeper
        self._sweep_at = EPOCH

    async def tick(self) -> None:
        """See to the root once, if no other host that has it does.

        Raises:
            CatalogError, QueueError, StoreError: the catalog, Redis or the root is away.
        """
        if not await self._leader.leads():
            return
        await self._keeper.tick()
        now = self._catalog.clock()
        if now >= self._sweep_at:
            await sweep(self._catalog, self._store)
            self._sweep_at = now + _SWEEP

    async def leave(self) -> None:
        """Let another host see to it at once."""
        with suppress(QueueError):  # else its place lapses by itself
            await self._leader.leave()
