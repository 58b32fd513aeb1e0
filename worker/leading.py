"""What the supervisor and a bare arq worker both do beside the work: lead, if nobody else does."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from archive.catalog import counts, troubles
from archive.errors import CatalogError, QueueError, StoreError
from jobs.daykeeper import DayKeeper
from jobs.dispatcher import Dispatcher
from jobs.leader import Leader, housekeeping, lead, root_keeping
from jobs.queue import JobQueue
from jobs.rescue import Rescuer
from jobs.rootkeeper import RootKeeper
from worker.places import host_name

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from arq.connections import ArqRedis

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.catalog.writer import Catalog
    from archive.errors import CallvaultError
    from archive.store import Store
    from worker.pulse import Crew
    from worker.settings import Settings


async def lead_until(
    stopping: asyncio.Event,
    *,
    settings: Settings,
    accounts: Iterable[Account],
    pool: ArqRedis,
    catalog: Catalog,
    store: Store,
    patience_s: float | None = None,
    crew: Crew | None = None,
) -> None:
    """Dispatch and rescue while this host leads, and see to its root, until ``stopping``.

    Calls of these ``accounts`` are dispatched: those that have a key and token. ``crew`` learns
    whether there is work to be begun, and what keeps it from that.

    Raises:
        CallvaultError: with patience, when Redis or the catalog were away for longer.
    """
    queue = JobQueue(pool)
    dispatcher = Dispatcher(
        catalog=catalog,
        queue=queue,
        accounts=list(accounts),
        # Two waiting batches a process: one to begin with at once, one while that is looked for.
        window=2 * settings.worker.process_count,
        batch=settings.worker.batch,
        clock=catalog.clock,
        backfill=settings.backfill,
    )
    rescuer = Rescuer(catalog=catalog, queue=queue, store=store, clock=catalog.clock)
    async with DayKeeper(catalog, settings.archive.root) as keeper:
        duties = housekeeping(
            dispatch=dispatcher.tick,
            rescue=rescuer.tick,
            add_counts_up=partial(catalog.write, counts.add_up),
        )
        root = RootKeeper(redis=pool, catalog=catalog, store=store, keeper=keeper)
        leader = Leader(pool)
        if crew is not None:
            # Who does not lead cannot tell: what waits is the leader's to see to.
            crew.waiting = lambda: leader.is_ours and not dispatcher.has_nothing

        async def tell(trouble: CallvaultError | None) -> None:
            if crew is not None:
                crew.meets(trouble.message if trouble else "")
            await write_down(catalog, trouble, host=host_name(settings))

        try:
            await lead(
                leader,
                duties,
                stopping,
                beside=root_keeping(root.tick),
                patience_s=patience_s,
                tell=tell,
            )
        finally:
            await root.leave()


async def write_down(catalog: Catalog, trouble: CallvaultError | None, *, host: str) -> None:
    """Note in the catalog what this host meets, for ``status``; None for nothing."""
    note: Callable[[Tx], None]
    match trouble:
        case None:
            note = partial(troubles.clear_troubles, host=host)
        case QueueError() | StoreError():
            what = troubles.QUEUE if isinstance(trouble, QueueError) else troubles.ROOT
            note = partial(
                troubles.note_trouble,
                what=what,
                detail=trouble.message,
                host=host,
                now=catalog.clock(),
            )
        case _:
            return  # of the catalog: it tells that itself to whoever opens it
    with suppress(CatalogError):
        await catalog.write(note)
