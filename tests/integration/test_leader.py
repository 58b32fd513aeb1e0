"""Leading on a real Valkey: one at a time, and another as soon as the first is gone."""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import TYPE_CHECKING

from archive.errors import QueueError
from archive.timings import LEADER_S
from jobs.leader import Duty, Leader, lead

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

BOUND_S = 20


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; what it returns may have to be waited for."""
    async with asyncio.timeout(BOUND_S):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.005)


async def test_one_leads_and_keeps_its_place(redis: Redis) -> None:
    """Of two the first leads, again and again; the place lapses by itself after its holder."""
    first, second = Leader(redis), Leader(redis)

    led = [await first.leads(), await second.leads(), await first.leads(), await second.leads()]

    assert led == [True, False, True, False]
    (key,) = await redis.keys("*")
    assert 0 < await redis.pttl(key) <= LEADER_S * 1000


async def test_leaving_makes_room_at_once(redis: Redis) -> None:
    """One who leaves gives the place up; one who never had it takes nobody's by leaving."""
    first, second, third = Leader(redis), Leader(redis), Leader(redis)
    assert await first.leads()

    await third.leave()
    assert not await second.leads()
    await first.leave()

    assert await second.leads()
    assert not await first.leads()


async def test_another_takes_over_when_the_first_is_gone(redis: Redis) -> None:
    """The place of one who renews it no more lapses, and the next who asks has it."""
    first, second = Leader(redis), Leader(redis)
    assert await first.leads()
    (key,) = await redis.keys("*")
    # So that the time need not be waited for.
    await redis.pexpire(key, 1)

    await until(second.leads)

    assert not await first.leads()


async def test_duties_are_done_by_one_of_two(redis: Redis) -> None:
    """Two that want to lead: one does the duties; when it stops the other goes on at once."""
    stops = [asyncio.Event(), asyncio.Event()]
    done: list[int] = []
    changed = asyncio.Event()

    def duty_of(number: int) -> Duty:
        async def work() -> None:
            done.append(number)
            changed.set()

        return Duty("duty", 0.01, work)

    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(lead(Leader(redis), [duty_of(0)], stops[0]))
        await changed.wait()
        tasks.create_task(lead(Leader(redis), [duty_of(1)], stops[1]))
        await until(lambda: done.count(0) >= 3)
        assert 1 not in done
        stops[0].set()
        await until(lambda: 1 in done)
        stops[1].set()

    assert sorted(done) == done
    assert await redis.keys("*") == []


async def test_trouble_is_waited_out(redis: Redis) -> None:
    """A duty that meets a Redis that is away is tried again; leading goes on."""
    stopping = asyncio.Event()
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise QueueError("looking into the queue: Redis does not answer")
        stopping.set()

    async with asyncio.timeout(BOUND_S):
        await lead(Leader(redis), [Duty("duty", 0.01, work)], stopping)

    assert tries == 2


async def test_work_that_waited_is_done_again_soon() -> None:
    """Whatever held it up (a lock, a Redis that was frozen): its next turn comes soon.

    What merely takes long is done a fifth of the time.
    """
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1
        # Longer than a beat of the clock, so that four times that is more than the longest rest.
        await asyncio.to_thread(asyncio.run, asyncio.sleep(0.05))

    loop = asyncio.get_running_loop()
    rescue = Duty("rescue", 0.0, work, longest_rest_s=0.01)
    files = Duty("day files", 0.0, work, longest_rest_s=math.inf)
    for duty, expected in ((rescue, 2), (files, 1)):
        done = 0
        began = loop.time()
        await duty.turn(began)
        took = loop.time() - began
        await duty.turn(began + 2 * took)
        assert done == expected
