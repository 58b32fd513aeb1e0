"""Reading what metrics tell: for the web server, which is asked again and again, or once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.catalog import balance, metrics
from archive.errors import CatalogError
from archive.tallies import CALLBACKS, CALLBACKS_TAKEN, Tallies
from jobs.spool import waiting_bytes
from worker.exposition import CONTENT_TYPE, Disks, Reading, exposition
from worker.opening import open_to_look
from worker.places import host_name
from worker.statedisk import free_bytes, least_free, places_of
from worker.tallying import write_tallies
from worker.timers import enabled_timers
from worker.troubled import with_root
from worker.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.catalog.database import Database
    from archive.catalog.intake import Intake
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from worker.settings import Settings
    from worker.timers import Timed

SPOOL: Final = "spool"
"""The folder of callbacks that the catalog has not taken in yet, below [queue] state."""
_CACHED_S: Final = 15.0
"""Counting millions of calls takes a while: it is done no more often than this."""
_SHARE: Final = 9
"""How many times as long as reading took nothing is read."""
_BOOKS_S: Final = 600.0
_BOOKS_SHARE: Final = 99
_PATIENCE_S: Final = 5.0


class Reader:
    """Reads the catalog for metrics; for one thread at a time."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        timer: Callable[[], float] = time.monotonic,
        free: Callable[[Path], int | None] = free_bytes,
        host: str = "",
        timers: Callable[[], tuple[Timed, ...]] = enabled_timers,
    ) -> None:
        self._settings = settings
        self._timers = timers
        self._free = free
        self.host = host or host_name(settings)
        self._clock = clock
        self._timer = timer
        self._database: Database | None = None
        self._balanced: bool | None = None
        self._books_after_s = 0.0

    def read(self) -> Reading:
        """Read it, in parts of which none is long.

        Raises:
            CatalogError: it cannot be read.
        """
        if self._database is None:
            self._database = open_to_look(self._settings)
        database, now = self._database, self._clock()
        if not database.is_in_its_place():
            self.close()
            raise CatalogError("the catalog was removed or replaced")
        accounts = []
        for account in self._settings.accounts.values():
            with database.read() as tx:
                accounts.append(metrics.of_account(tx, account, now, self._settings.backfill))
        with database.read() as tx:
            rest = metrics.of_all(tx, now, with_root(tx, self._settings, now))
        self._count_books(database)
        return Reading(
            at=now,
            host=self.host,
            accounts=tuple(accounts),
            all=rest,
            balanced=self._balanced,
            timers=self._timers(),
        )

    def _count_books(self, database: Database) -> None:
        """Count the books now and then: that reads every sighting."""
        began_s = self._timer()
        if self._balanced is not None and began_s < self._books_after_s:
            return
        with database.read() as tx:
            self._balanced = not balance.balance(tx).faults
        ended_s = self._timer()
        self._books_after_s = ended_s + max(_BOOKS_S, _BOOKS_SHARE * (ended_s - began_s))

    def disks(self) -> Disks:
        """Look at the disks; what cannot be looked at is left out."""
        settings = self._settings
        root, state = settings.archive.root, settings.queue.state
        least = least_free(places_of(settings), self._free)
        return Disks(
            free={
                str(path): free for path in (root, state) if (free := self._free(path)) is not None
            },
            state=None if least is None else least.free,
            root=str(root),
            min_free=settings.archive.min_free,
            catalog=_size_of(settings.catalog_file),
            spool=waiting_bytes(state / SPOOL),
        )

    def close(self) -> None:
        """Let the catalog go."""
        if self._database is not None:
            self._database.close()
            self._database = None


class Metrics:
    """The metrics as the web server tells them; what it counts itself goes to the catalog."""

    def __init__(self, reader: Reader, catalog: Catalog, clock: Clock, tallies: Tallies) -> None:
        self._reader = reader
        self._catalog = catalog
        self._clock = clock
        self._tallies = tallies
        self._reading: Reading | None = None
        self._up = False
        self._next_s = 0.0
        self._looking: asyncio.Task[None] | None = None

    def count(self, account: str, outcome: str) -> None:
        """Count a request to the webhook."""
        self._tallies.count(CALLBACKS, account, label=outcome)

    def taken(self, intake: Intake) -> None:
        """Count what the catalog has taken in."""
        self._tallies.count(CALLBACKS_TAKEN, "", label="new", amount=intake.new)
        self._tallies.count(CALLBACKS_TAKEN, "", label="known", amount=intake.known)

    async def exposition(self) -> tuple[bytes, str]:
        """Return all metrics as text, and its type; nobody waits long for those of a long look."""
        now_s = asyncio.get_running_loop().time()
        if self._looking is None and now_s >= self._next_s:
            self._looking = asyncio.create_task(self._look())
        if (looking := self._looking) is not None:
            await asyncio.wait({looking}, timeout=_PATIENCE_S)
            if looking.done():
                looking.result()
        disks = await asyncio.to_thread(self._reader.disks)
        return exposition(self._reading, disks, up=self._up, version=VERSION), CONTENT_TYPE

    async def close(self) -> None:
        """End, with a look that has begun."""
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
        self._reader.close()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            # What was counted here just now is told at once.
            writing = asyncio.ensure_future(
                write_tallies(
                    self._tallies, self._catalog, host=self._reader.host, clock=self._clock
                )
            )
            await asyncio.wait({writing}, timeout=_PATIENCE_S / 2)
            self._reading = await asyncio.to_thread(self._reader.read)
        except CatalogError:
            self._up = False
        else:
            self._up = True
        finally:
            ended_s = loop.time()
            self._next_s = ended_s + max(_CACHED_S, _SHARE * (ended_s - began_s))
            self._looking = None


def read_once(
    settings: Settings,
    clock: Clock,
    *,
    timers: Callable[[], tuple[Timed, ...]] = enabled_timers,
) -> tuple[bytes, CatalogError | None]:
    """Return all metrics as text, and what kept the catalog from being read."""
    reader = Reader(settings, clock, timers=timers)
    reading, trouble = None, None
    try:
        reading = reader.read()
    except CatalogError as error:
        trouble = error
    finally:
        reader.close()
    text = exposition(reading, reader.disks(), up=trouble is None, version=VERSION)
    return text, trouble


def _size_of(catalog: Path | None) -> int:
    """Return the bytes of the catalog's files; on a server there are none of ours."""
    if catalog is None:
        return 0
    return sum(_size(Path(f"{catalog}{suffix}")) for suffix in ("", "-wal", "-shm"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
