"""Worker processes' parts over one real catalog and folder, with a clock that a test sets."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar, cast

from archive.accounts import Account
from archive.body import HEAD
from archive.call import CallFacts, Source
from archive.catalog import intake, pauses
from archive.catalog.writer import Catalog
from archive.errors import CatalogError
from archive.fetch import Fetched, Fetcher
from archive.publisher import Publisher
from archive.readiness import Readiness
from archive.store import Store
from archive.wire import CallAnswer
from jobs.batch import archive_batch
from jobs.capacity import Capacity
from jobs.parts import CTX_KEY, Line, Parts
from jobs.payload import Batch, encode_batch
from sandbox.audio import mp3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from archive.api import Api
    from archive.catalog.database import Tx

P = ParamSpec("P")
T = TypeVar("T")

BEGAN: Final = datetime(2026, 2, 9, 12, 0, tzinfo=UTC)
ACCOUNT: Final = Account(name="main", sid="acme1")
SIDS: Final = [f"{index:028x}197m" for index in range(1, 6)]
RECORDING: Final = mp3("tests", 1, 100).whole()
BOUND_S: Final = 20


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(BOUND_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process's doing
            await asyncio.sleep(0.01)


def called(sid: str) -> CallFacts:
    """Return a call of the day before."""
    ended = BEGAN + timedelta(minutes=1)
    return CallFacts(sid=sid, started_at=BEGAN, ended_at=ended, duration_s=60, status="completed")


class Answering:
    """An API that answers: each call has a recording."""

    account = ACCOUNT

    async def by_sids(self, sids: Sequence[str], _: object) -> list[CallAnswer]:
        """Answer for all."""
        url = "https://recordings.exotel.com/exotelrecordings/acme1"
        return [CallAnswer(called(sid), f"{url}/{sid}.mp3") for sid in sids]


class Held(Fetcher):
    """A fetcher whose downloads end when a test lets them, in memory or in their part file."""

    def __init__(self, *, in_file: bool = False) -> None:
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self._in_file = in_file
        self.fetched = 0

    async def fetch(self, url: str, part: Path, *, age: timedelta | None) -> Fetched:
        """Bring the recording once it may."""
        del url, age
        if self._in_file:
            await asyncio.to_thread(part.write_bytes, RECORDING)
        self.begun.set()
        await self.go.wait()
        self.fetched += 1
        return Fetched(
            body=None if self._in_file else RECORDING,
            part=part if self._in_file else None,
            head=RECORDING[:HEAD],
            size=len(RECORDING),
            sha256=hashlib.sha256(RECORDING).hexdigest(),
            content_type="audio/mpeg",
            etag="",
        )


class Locked(Catalog):
    """A catalog that somebody keeps locked for too long, the first time that something is asked."""

    def __init__(self, where: str | Path, *asked: object) -> None:
        super().__init__(where)
        self._asked = asked
        self.failed = False

    async def write(
        self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Fail once where it is one of what was named, or whatever it is if nothing was."""
        if not self.failed and (work in self._asked or not self._asked):
            self.failed = True
            raise CatalogError("writing to the catalog: database is locked")
        return await super().write(work, *args, **kwargs)


class Yard:
    """A catalog and a root that several workers share, and their clock."""

    def __init__(self, catalog: Catalog, root: Path, stack: AsyncExitStack) -> None:
        self.catalog = catalog
        self.root = root
        self.now = BEGAN + timedelta(days=1)
        self._stack = stack

    async def worker(
        self,
        process: str,
        fetcher: Fetcher,
        *,
        catalog: Catalog | None = None,
        store: Callable[[Path], Store] = Store,
        min_free: int = 0,
        rest: timedelta = timedelta(0),
    ) -> Parts:
        """Return the parts of one more worker process."""
        own = store(self.root)
        return Parts(
            process=process,
            host="host",
            lines={"main": Line(ACCOUNT, cast("Api", Answering()), fetcher)},
            catalog=catalog or self.catalog,
            store=own,
            publisher=await self._stack.enter_async_context(Publisher(own)),
            capacity=Capacity(10, accounts=["main"]),
            readiness=Readiness(),
            min_free=min_free,
            clock=lambda: self.now,
            dice=lambda: 0.0,
            rest=rest,
        )

    async def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Read from the catalog."""
        return await self.catalog.read(lambda tx: [tuple(r) for r in tx.connection.execute(sql)])

    async def states(self) -> dict[str, int]:
        """Count the calls by state."""
        found = await self.rows("SELECT state, COUNT(*) FROM calls GROUP BY state")
        return dict(cast("list[tuple[str, int]]", found))

    async def held(self) -> list[str]:
        """Return the reasons of the pauses in force."""
        return [paused.reason for paused in await self.catalog.read(pauses.pauses)]


async def run_batch(parts: Parts, job_id: str = "job") -> None:
    """Run a batch of all calls, as arq does."""
    payload = encode_batch(Batch("main", SIDS))
    await archive_batch({CTX_KEY: parts, "job_id": job_id}, payload)


@asynccontextmanager
async def open_yard(folder: Path) -> AsyncIterator[Yard]:
    """Open a catalog with some calls in it."""
    async with AsyncExitStack() as stack, asyncio.timeout(BOUND_S):
        catalog = await Catalog.open(folder / "state" / "catalog.db")
        stack.push_async_callback(catalog.close)
        await catalog.write(
            intake.add_calls,
            [called(sid) for sid in SIDS],
            account=ACCOUNT,
            source=Source.CDR,
            readiness=Readiness(),
            now=BEGAN,
        )
        yield Yard(catalog, folder / "recordings", stack)
