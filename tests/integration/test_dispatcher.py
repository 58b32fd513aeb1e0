"""The dispatcher with a real catalog and a real Valkey: a small window, whatever the backlog."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from archive.accounts import Account
from archive.call import CallFacts, Source
from archive.catalog import pauses, work
from archive.catalog.intake import add_calls
from archive.catalog.writer import Catalog
from archive.readiness import Readiness
from jobs.dispatcher import Dispatcher
from jobs.queue import QUEUE, JobQueue, close_pool, open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from arq.connections import ArqRedis
    from redis.asyncio import Redis

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
MAIN, OTHER = Account(name="main", sid="acme1"), Account(name="other", sid="acme2")


class Desk:
    """A catalog and a queue with a dispatcher between them, at a fixed time."""

    def __init__(self, catalog: Catalog, pool: ArqRedis) -> None:
        self.catalog = catalog
        self.pool = pool
        self.queue = JobQueue(pool)
        self.now = NOW

    def dispatcher(self, *accounts: Account, window: int = 4, batch: int = 100) -> Dispatcher:
        """Return a dispatcher; several may be at work."""
        return Dispatcher(
            catalog=self.catalog,
            queue=self.queue,
            accounts=accounts or (MAIN,),
            window=window,
            batch=batch,
            clock=lambda: self.now,
        )

    async def add(self, count: int, account: Account = MAIN) -> list[str]:
        """Make so many calls of the day before known, due since a minute."""
        began = NOW - timedelta(days=1)
        calls = [CallFacts(sid=f"sid{n:09d}", started_at=began) for n in range(count)]
        await self.catalog.write(
            add_calls,
            calls,
            account=account,
            source=Source.CDR,
            readiness=Readiness(),
            now=NOW - timedelta(minutes=1),
        )
        return [call.sid for call in calls]

    async def pause(self, after: timedelta) -> None:
        """Pause the account until a probe after so long."""
        await self.catalog.write(
            pauses.pause,
            pauses.account_scope("main"),
            reason="api-timeout",
            detail="",
            fatal=False,
            after=after,
            now=NOW,
        )


@pytest.fixture
async def desk(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with an empty catalog and an empty queue."""
    await redis.ping()
    catalog = await Catalog.open(tmp_path / "catalog.db")
    pool = open_pool(valkey_url)
    yield Desk(catalog, pool)
    await close_pool(pool)
    await catalog.close()


async def test_the_window_stays_small_whatever_the_backlog(desk: Desk) -> None:
    """Of a backlog of 20,000 calls four batches are queued, however often it ticks."""
    await desk.add(20_000)
    dispatcher = desk.dispatcher()

    added = [await dispatcher.tick() for _ in range(5)]

    assert added == [4, 0, 0, 0, 0]
    found = await desk.queue.look()
    assert (found.waiting, len(found.of("main"))) == (4, 400)


async def test_what_is_taken_is_replaced_and_never_doubled(desk: Desk) -> None:
    """As batches are done their place is filled; in the end each call was queued exactly once."""
    sids = await desk.add(1_050)
    dispatcher, seen = desk.dispatcher(batch=50), list[str]()

    while await dispatcher.tick():
        found = await desk.queue.look()
        assert found.waiting <= 4
        seen += found.of("main")
        lease = f"lease{len(seen)}"
        await desk.catalog.write(work.begin_batch, lease=lease, process="p", job_id=lease, now=NOW)
        await desk.catalog.write(
            work.claim, account="main", sids=sorted(found.of("main")), lease=lease
        )
        await desk.pool.flushall()

    assert sorted(seen) == sids


async def test_two_dispatchers_add_no_doubles(desk: Desk) -> None:
    """Two that dispatch in turn look at what is queued and add nothing of it."""
    await desk.add(300)
    one, two = desk.dispatcher(window=2), desk.dispatcher(window=3)

    added = [await one.tick(), await two.tick(), await one.tick(), await two.tick()]

    assert added == [2, 1, 0, 0]
    assert len((await desk.queue.look()).of("main")) == 300


async def test_a_flushed_queue_is_filled_again(desk: Desk) -> None:
    """Whatever the queue held is queued again after a flush, without any ceremony."""
    await desk.add(250)
    dispatcher = desk.dispatcher()
    await dispatcher.tick()
    before = (await desk.queue.look()).of("main")

    await desk.pool.flushall()
    added = await dispatcher.tick()

    assert added == 3
    assert before == (await desk.queue.look()).of("main")


async def test_a_paused_account_gets_nothing_until_its_probe(desk: Desk) -> None:
    """While an account is paused nothing of it is queued; when it is time, a single batch is."""
    await desk.add(1_000)
    dispatcher = desk.dispatcher()
    await desk.pause(timedelta(minutes=5))

    held = await dispatcher.tick()
    desk.now += timedelta(minutes=6)
    probing = [await dispatcher.tick(), await dispatcher.tick()]

    assert held == 0
    assert probing == [1, 0]
    assert len((await desk.queue.look()).of("main")) == 100


async def test_a_paused_account_holds_up_no_other(desk: Desk) -> None:
    """The other account's batches are queued as ever."""
    await desk.add(1_000)
    await desk.add(1_000, OTHER)
    await desk.pause(timedelta(minutes=5))
    dispatcher = desk.dispatcher(MAIN, OTHER)

    for _ in range(3):
        await dispatcher.tick()

    found = await desk.queue.look()
    assert found.of("main") == set()
    assert len(found.of("other")) >= 200


async def test_calls_not_yet_due_are_not_queued(desk: Desk) -> None:
    """A call is queued when it is due and no sooner; a batch that is not full waits a second."""
    await desk.add(10)
    dispatcher = desk.dispatcher()

    desk.now = NOW - timedelta(minutes=2)
    early = await dispatcher.tick()
    desk.now = NOW - timedelta(minutes=1) + timedelta(milliseconds=500)
    lingering = await dispatcher.tick()
    desk.now = NOW
    due = await dispatcher.tick()

    assert (early, lingering, due) == (0, 0, 1)


async def test_the_backlog_costs_redis_nothing(desk: Desk) -> None:
    """With 20,000 calls waiting Redis holds a key for each batch of the window, and the queue."""
    await desk.add(20_000)

    await desk.dispatcher().tick()

    assert await desk.pool.zcard(QUEUE) == 4
    assert await desk.pool.dbsize() == 5
