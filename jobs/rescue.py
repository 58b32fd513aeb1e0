"""Giving back what dead processes held, and sweeping what they left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from archive.catalog import processes, work
from archive.clock import EPOCH
from archive.errors import CatalogError
from archive.timings import HEARTBEAT_S

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.database import Tx
    from archive.catalog.processes import DeadBatch
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.store import Store
    from jobs.queue import JobQueue

_LONG_WAIT: Final = timedelta(seconds=HEARTBEAT_S)
_TO_BEAT: Final = timedelta(seconds=3 * HEARTBEAT_S)
"""What a process needs that could not beat: to give up waiting for the lock, and beat again."""
_ORPHANED: Final = timedelta(seconds=5 * HEARTBEAT_S)
"""A batch that was about to be noted may be doubled by this, which harms nothing."""
_SWEEP: Final = timedelta(minutes=5)
_log = structlog.get_logger()


class Rescuer:
    """Finds what died: batches whose process no longer beats, and messages of nobody."""

    def __init__(self, *, catalog: Catalog, queue: JobQueue, store: Store, clock: Clock) -> None:
        self._catalog = catalog
        self._queue = queue
        self._store = store
        self._clock = clock
        self._orphans: dict[str, datetime] = {}
        self._calm_from = EPOCH
        self._sweep_at = EPOCH

    async def tick(self) -> int:
        """Rescue once; return how many calls were given back.

        Raises:
            CatalogError: the catalog cannot be written.
            QueueError, StoreError: Redis or the root is away; what was given back stays so.
        """
        dead = await self._lapsed()
        for batch in dead:
            _log.warning("gave back a dead batch", process=batch.process, calls=batch.calls)
        # Also now and then: what a disk did not let go of when its batch ended lies there still.
        if dead or self._clock() >= self._sweep_at:
            await sweep(self._catalog, self._store)
            self._sweep_at = self._clock() + _SWEEP
        await self._queue.forget([batch.job_id for batch in dead])
        await self._forget_orphans()
        return sum(batch.calls for batch in dead)

    async def _lapsed(self) -> list[DeadBatch]:
        """Give back what has lapsed, but not while others may be waiting to beat.

        A catalog that somebody kept locked silences the living too, and whoever gets the lock first
        afterwards may be us: then they are given time for their next beat.
        """
        asked = self._clock()
        try:
            return await self._catalog.write(self._give_back_if_calm, asked)
        except CatalogError:
            self._calm_from = self._clock() + _TO_BEAT
            raise

    def _give_back_if_calm(self, tx: Tx, asked: datetime) -> list[DeadBatch]:
        now = self._clock()
        if now - asked > _LONG_WAIT:
            self._calm_from = now + _TO_BEAT
        return [] if now < self._calm_from else processes.rescue(tx, now)

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
        old = [job_id for job_id, since in self._orphans.items() if now - since > _ORPHANED]
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
