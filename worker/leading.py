"""What the supervisor and a bare arq worker both do beside the work: lead, if nobody else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.clock import system_clock
from jobs.daykeeper import DayKeeper
from jobs.dispatcher import Dispatcher
from jobs.leader import Leader, housekeeping, lead
from jobs.queue import JobQueue
from jobs.rescue import Rescuer

if TYPE_CHECKING:
    import asyncio

    from arq.connections import ArqRedis

    from archive.catalog.writer import Catalog
    from archive.store import Store
    from worker.settings import Settings


async def lead_until(
    stopping: asyncio.Event,
    *,
    settings: Settings,
    pool: ArqRedis,
    catalog: Catalog,
    store: Store,
    patience_s: float | None = None,
) -> None:
    """Dispatch, rescue and write day files while this host leads, until ``stopping``.

    Raises:
        CallvaultError: with patience, when Redis or the catalog were away for longer.
    """
    queue = JobQueue(pool)
    dispatcher = Dispatcher(
        catalog=catalog,
        queue=queue,
        accounts=list(settings.accounts.values()),
        # Two waiting batches a process: one to begin with at once, one while that is looked for.
        window=2 * settings.worker.process_count,
        batch=settings.worker.batch,
        clock=system_clock,
    )
    rescuer = Rescuer(catalog=catalog, queue=queue, store=store, clock=system_clock)
    async with DayKeeper(catalog, settings.archive.root) as keeper:
        duties = housekeeping(dispatch=dispatcher.tick, rescue=rescuer.tick, write_days=keeper.tick)
        await lead(Leader(pool), duties, stopping, patience_s=patience_s)
