"""Rescue with a real catalog and a real Valkey: what the dead leave, and who is not dead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
from arq.constants import in_progress_key_prefix, retry_key_prefix

from archive.accounts import Account
from archive.call import CallFacts, Source
from archive.catalog import intake, processes, work
from archive.catalog.writer import Catalog
from archive.errors import CatalogError
from archive.layout import PARTS, part_name
from archive.readiness import Readiness
from archive.store import Store
from archive.timings import LEASE_S
from jobs.payload import Batch
from jobs.queue import QUEUE, JobQueue, close_pool, open_pool
from jobs.rescue import Rescuer
from tests.integration.workers import Locked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from arq.connections import ArqRedis
    from redis.asyncio import Redis

    from archive.catalog.database import Tx
    from archive.clock import Clock

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
LAPSED = NOW + timedelta(seconds=LEASE_S + 1)
SIDS = ["sid000001", "sid000002"]


class Ward:
    """A catalog with two calls, a queue with their batch, and a process that has begun it."""

    def __init__(self, catalog: Catalog, pool: ArqRedis, root: Path) -> None:
        self.catalog = catalog
        self.pool = pool
        self.store = Store(root)
        self.now = NOW

    def rescuer(self, clock: Clock | None = None, catalog: Catalog | None = None) -> Rescuer:
        """Return a rescuer."""
        return Rescuer(
            catalog=catalog or self.catalog,
            queue=JobQueue(self.pool),
            store=self.store,
            clock=clock or (lambda: self.now),
        )

    async def begin(self, *, noted: bool = True) -> None:
        """Let arq and a worker process begin the batch; the process is never heard of again."""
        await JobQueue(self.pool).put(Batch("main", SIDS))
        ((job_id,),) = [await self.pool.zrange(QUEUE, 0, -1)]
        await self.pool.set(f"{in_progress_key_prefix}{job_id.decode()}", b"1", ex=86_410)
        await self.pool.incr(f"{retry_key_prefix}{job_id.decode()}")
        if not noted:
            return
        await self.catalog.write(begin, job_id.decode())
        part = self.store.root / PARTS / part_name("lease", SIDS[0], "part")
        part.write_bytes(b"half of it")

    async def states(self) -> list[str]:
        """Return the calls' states."""
        query = "SELECT state FROM calls ORDER BY sid"
        return await self.catalog.read(lambda tx: [r[0] for r in tx.connection.execute(query)])


def begin(tx: Tx, job_id: str) -> None:
    """Beat once, begin the batch, claim its calls."""
    sign = processes.Beat(
        process="dead", host="here", pid=7, version="1", started_at=NOW, recordings=0, bytes=0
    )
    processes.beat(tx, sign, NOW)
    work.begin_batch(tx, lease="lease", process="dead", job_id=job_id, now=NOW)
    work.claim(tx, account="main", sids=SIDS, lease="lease")


@pytest.fixture
async def ward(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Ward]:
    """A ward with two calls and an empty queue."""
    await redis.ping()
    catalog = await Catalog.open(tmp_path / "catalog.db")
    calls = [CallFacts(sid=sid, started_at=NOW - timedelta(days=1)) for sid in SIDS]
    await catalog.write(
        intake.add_calls,
        calls,
        account=Account(name="main", sid="acme1"),
        source=Source.CDR,
        readiness=Readiness(),
        now=NOW,
    )
    pool = open_pool(valkey_url)
    yield Ward(catalog, pool, tmp_path / "recordings")
    await close_pool(pool)
    await catalog.close()


async def test_a_dead_batch_leaves_nothing(ward: Ward) -> None:
    """Its calls are expected again; its part file and all of arq's keys are gone."""
    await ward.begin()
    rescuer = ward.rescuer()
    assert await rescuer.tick() == 0
    assert len(await ward.pool.keys("*")) == 4

    ward.now = LAPSED
    rescued = await rescuer.tick()

    assert rescued == 2
    assert await ward.states() == ["expected", "expected"]
    assert ward.store.parts() == []
    assert await ward.pool.keys("*") == []


async def test_a_message_that_arq_holds_and_nobody_has_is_forgotten(ward: Ward) -> None:
    """Its process died between arq's mark and its own first line: after five beats it goes."""
    await ward.begin(noted=False)
    rescuer = ward.rescuer()
    for ward.now in (NOW, NOW + timedelta(seconds=14)):
        await rescuer.tick()
        assert await ward.pool.zcard(QUEUE) == 1

    ward.now += timedelta(seconds=1)
    await rescuer.tick()

    assert await ward.pool.keys("*") == []


async def test_after_a_long_wait_for_the_lock_the_living_may_beat_first(ward: Ward) -> None:
    """Somebody kept the catalog locked for a minute, so nobody could beat: nobody is dead of that.

    Who does not beat though it can is.
    """
    await ward.begin()
    # It asks at one moment and has the lock at another.
    moments: Iterator[datetime] = chain([NOW, LAPSED], repeat(LAPSED))
    rescuer = ward.rescuer(lambda: next(moments))
    assert await rescuer.tick() == 0

    ward.now = LAPSED + timedelta(seconds=5)
    moments = repeat(ward.now)
    assert await rescuer.tick() == 0
    assert await ward.states() == ["leased", "leased"]

    moments = repeat(LAPSED + timedelta(seconds=9))
    assert await rescuer.tick() == 2


async def test_after_waiting_in_vain_the_living_may_beat_first(ward: Ward, tmp_path: Path) -> None:
    """The same where the lock outlasted the wait, however quickly the next try has it."""
    await ward.begin()
    locked = Locked(tmp_path / "catalog.db")
    rescuer = ward.rescuer(catalog=locked)
    ward.now = LAPSED
    with pytest.raises(CatalogError):
        await rescuer.tick()

    ward.now += timedelta(seconds=1)
    assert await rescuer.tick() == 0
    ward.now += timedelta(seconds=9)
    assert await rescuer.tick() == 2
    await locked.close()
