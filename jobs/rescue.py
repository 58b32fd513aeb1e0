"""Giving back what dead processes held, and sweeping what they left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from archive.catalog import processes, work

if TYPE_CHECKING:
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.store import Store
    from jobs.queue import JobQueue

_log = structlog.get_logger()


async def rescue(catalog: Catalog, queue: JobQueue, store: Store, clock: Clock) -> int:
    """Rescue batches of processes whose lease lapsed; return how many calls were given back.

    Raises:
        CatalogError: the catalog cannot be written.
        QueueError: Redis does not answer; the calls were given back all the same.
    """
    dead = await catalog.write(processes.rescue, clock())
    if not dead:
        return 0
    calls = sum(batch.calls for batch in dead)
    for batch in dead:
        _log.warning("gave back a dead batch", process=batch.process, calls=batch.calls)
    await sweep(catalog, store)
    await queue.forget(batch.job_id for batch in dead)
    return calls


async def sweep(catalog: Catalog, store: Store) -> int:
    """Remove part files of batches that are no more; return how many.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    # In this order: a batch that begins between the two is not swept.
    parts = await asyncio.to_thread(store.parts)
    live = await catalog.read(work.live_leases)
    return await asyncio.to_thread(store.sweep, parts, live)
