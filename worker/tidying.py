"""What ``callvault catalog tidy`` does, in its order: purge, rows, files, and the file itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import structlog

from archive.belonging import Wanted
from archive.catalog import purge as purge_rows
from archive.catalog import troubles, upkeep, work
from archive.catalog.upkeep import Sizes
from archive.dayfiles import lives
from archive.housekeeping import Dropped, Tidier, horizons
from archive.layout import lease_of_part
from archive.leavings import left_below, old_rejected, remove
from archive.purging import doubt_of_clock, horizon, too_many
from archive.store import Store
from archive.tree import check_root
from jobs.purging import Purged, Purger, amount_due
from worker.opening import open_shared, open_to_look
from worker.places import stand

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.catalog.database import Database
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from worker.settings import Settings

_log = structlog.get_logger()


class Tidied(msgspec.Struct, kw_only=True):
    """What went, or would go: rows, files by kind, recordings; and the size of the catalog.

    ``why_not_purged`` says why the recordings that may go by age were left all the same.
    """

    rows: Dropped = msgspec.field(default_factory=Dropped)
    parts: int = 0
    temporary: int = 0
    rejected: int = 0
    purged: Purged = msgspec.field(default_factory=Purged)
    why_not_purged: str = ""
    size: Sizes = Sizes(0, 0)
    vacuumed: bool = False
    why_not_vacuumed: str = ""

    @property
    def files(self) -> int:
        """How many files went that are no recordings."""
        return self.parts + self.temporary + self.rejected


async def tidy_all(
    settings: Settings,
    *,
    clock: Clock,
    go_on: Callable[[], bool],
    rest: Callable[[], None],
    dry_run: bool,
) -> Tidied:
    """Tidy everything.

    Raises:
        CatalogError: the catalog cannot be read or written.
        StoreError: the archive's root is not there.
    """
    done = Tidied()
    if settings.archive.root.exists():
        check_root(settings.archive.root)
        catalog = await open_shared(settings, Wanted.LOOK)
        try:
            await stand(settings, catalog)
            await _purge(settings, done, catalog, clock, dry_run=dry_run)
        finally:
            await catalog.close()
    return await asyncio.to_thread(
        _tidy_rest, settings, done, clock, go_on=go_on, rest=rest, dry_run=dry_run
    )


async def _purge(
    settings: Settings, done: Tidied, catalog: Catalog, clock: Clock, *, dry_run: bool
) -> None:
    """Finish what was begun; begin anew only where the settings say so twice.

    Nobody looks on: by a clock that may be wrong, or more than a night has to do, nothing goes.
    """
    now = clock()
    what = horizon(now, settings.archive.keep_days)
    purger = Purger(catalog=catalog, root=settings.archive.root, clock=clock)
    if what is not None and settings.archive.purge == "automatic":
        accounts = settings.accounts
        due = await amount_due(catalog, accounts.values(), what, day=None)
        if due.recordings:
            newest = await catalog.read(purge_rows.newest, accounts)
            doubt = doubt_of_clock(now, newest)
            done.why_not_purged = doubt or too_many(
                due.recordings, await catalog.read(purge_rows.recordings)
            )
        if not done.why_not_purged:
            if dry_run:
                done.purged = due
                return
            why = f"older than {settings.archive.keep_days} days"
            done.purged = await purger.by_age(accounts.values(), what, day=None, why=why)
            return
        _log.warning("nothing was purged by age", detail=done.why_not_purged)
    if dry_run:
        done.purged = Purged(left=await catalog.read(purge_rows.left_to_remove))
    else:
        done.purged = await purger.finish()


def _tidy_rest(
    settings: Settings,
    done: Tidied,
    clock: Clock,
    *,
    go_on: Callable[[], bool],
    rest: Callable[[], None],
    dry_run: bool,
) -> Tidied:
    now = clock()
    before = horizons(
        now,
        keep_looks=settings.catalog.keep_looks,
        keep_history=settings.catalog.keep_history,
    )
    database = open_to_look(settings)
    try:
        done.rows = Tidier(
            database=database,
            before=before,
            zones={name: account.zone for name, account in settings.accounts.items()},
            zone=ZoneInfo("UTC"),
            go_on=go_on,
            rest=rest,
            dry_run=dry_run,
        ).run()
        _tidy_files(settings, done, database, clock, dry_run=dry_run)
        if not dry_run:
            _tend(settings, done, database, clock)
        done.size = upkeep.sizes_of(database)
    finally:
        database.close()
    return done


def _tidy_files(
    settings: Settings, done: Tidied, database: Database, clock: Clock, *, dry_run: bool
) -> None:
    now = clock()
    take = (lambda files: len(list(files))) if dry_run else remove
    before = now - settings.catalog.keep_history
    done.rejected = take(old_rejected(settings.queue.state / "rejected", before))
    root = settings.archive.root
    if not root.exists():
        return
    store = Store(root)
    # In this order: a batch that begins between the two is not swept.
    parts = store.parts()
    with database.read() as tx:
        live = work.live_leases(tx)
    dead = [name for name in parts if lease_of_part(name) not in live]
    done.parts = len(dead) if dry_run else store.sweep(dead, live)
    done.temporary = take(left_below(root, now, lives))


def _tend(settings: Settings, done: Tidied, database: Database, clock: Clock) -> None:
    """Look after the catalog's file."""
    with database.read() as tx:
        workers = troubles.beating(tx, clock())
    done.why_not_vacuumed = upkeep.vacuum_or_why_not(
        upkeep.sizes_of(database),
        room=upkeep.room_of(database) - settings.archive.min_free,
        workers=workers,
    )
    if not done.why_not_vacuumed:
        upkeep.vacuum(database)
        done.vacuumed = True
    upkeep.fold(database)
