"""Giving back what dead processes held, and sweeping what they left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from archive.catalog import processes, work
from archive.timings import LEASE_S

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.store import Store
    from jobs.queue import JobQueue

_log = structlog.get_logger()


class Rescuer:
    """Finds what died: batches whose process no longer beats, and messages of nobody."""

    def __init__(self, *, catalog: Catalog, queue: JobQueue, store: Store, clock: Clock) -> None:
        self._catalog = catalog
        self._queue = queue
        self._store = store
        self._clock = clock
        self._orphans: dict[str, datetime] = {}

    async def tick(self) -> int:
        """Rescue once; return how many calls were given back.

        Raises:
            CatalogError: the catalog cannot be written.
            QueueError, StoreError: Redis or the root is away; what was given back stays so.
        """
        dead = await self._catalog.write(processes.rescue, self._clock())
        for batch in dead:
            _log.warning("gave back a dead batch", process=batch.process, calls=batch.calls)
        if dead:
            await sweep(self._catalog, self._store)
        await self._queue.forget([batch.job_id for batch in dead])
        await self._forget_orphans()
        return sum(batch.calls for batch in dead)

    async def _forget_orphans(self) -> None:
        """Remove messages that arq holds for begun though no process has them.

        A process that dies between arq's mark and its own first line leaves such a one, and its
        calls would be taken for queued as long as the mark lives. How old a mark is Redis
        tells: a leader that has just begun need not wait for what a former one has seen.
        """
        running = await self._queue.running()
        known = await self._catalog.read(work.jobs_in_work, claimed_only=False)
        now = self._clock()
        self._orphans = {
            job_id: self._orphans.get(job_id, now - timedelta(seconds=age))
            for job_id, age in running.items()
            if job_id not in known
        }
        old = [
            job_id
            for job_id, since in self._orphans.items()
            if (now - since).total_seconds() > LEASE_S
        ]
        await self._queue.forget(old)


async def sweep(catalog: Catalog, store: Store) -> int:
    """Remove part files of batches that are no more; return how many.

    Raises:
        CatalogError: the catalog cannot be read.
        StoreError: the archive's root is not there.
    """
    # In this order: a batch that begins between the two is not swept.
    parts = await asyncio.to_thread(store.parts)
    live = await catalog.read(work.live_leases)
    return await asyncio.to_thread(store.sweep, parts, live)
