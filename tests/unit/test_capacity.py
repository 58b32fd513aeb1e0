"""How much one process takes on."""

from __future__ import annotations

import asyncio

import pytest

from jobs.capacity import Capacity


async def settle(task: asyncio.Task[None]) -> bool:
    """Let everything run that can; return whether the task is done."""
    for _ in range(5):
        await asyncio.wait([task], timeout=0)
    return task.done()


async def test_the_next_batch_begins_when_the_line_runs_short() -> None:
    """That is when fewer calls wait than downloads may run, not when the batch before has ended."""
    told: list[bool] = []
    capacity = Capacity(3, told.append)

    async def second() -> None:
        async with capacity.room(1):
            pass

    async with capacity.room(5) as room:
        assert not capacity.has_room
        waiting = asyncio.create_task(second())
        for left in (5, 4, 3):
            assert not await settle(waiting), left
            room.leave(1)
        assert await settle(waiting)
    assert capacity.has_room
    assert told[0] is False
    assert told[-1] is True


async def test_batches_take_their_turn() -> None:
    """Of several that wait one begins, and the next only when there is room again."""
    capacity = Capacity(1)
    begun: list[int] = []
    leave = [asyncio.Event() for _ in range(3)]

    async def batch(number: int) -> None:
        async with capacity.room(2):
            begun.append(number)
            await leave[number].wait()

    tasks = [asyncio.create_task(batch(number)) for number in range(3)]
    for number, task in enumerate(tasks):
        await settle(tasks[-1])
        assert begun == list(range(number + 1))
        leave[number].set()
        await task


async def test_a_batch_that_fails_or_is_stopped_leaves_its_room() -> None:
    """Also one that was still waiting for it."""
    capacity = Capacity(1)

    async def fail() -> None:
        async with capacity.room(9):
            assert not capacity.has_room
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert capacity.has_room

    async def wait() -> None:
        async with capacity.room(1):
            pass

    async with capacity.room(1):
        waiting = asyncio.create_task(wait())
        assert not await settle(waiting)
        waiting.cancel()
        assert await settle(waiting)
    assert capacity.has_room
    async with capacity.room(1):
        assert not capacity.has_room


async def test_more_leave_than_wait_does_no_harm() -> None:
    """A batch gives back its own share and no more."""
    capacity = Capacity(2)
    async with capacity.room(2), capacity.download():
        pass
    async with capacity.room(3) as room:
        room.leave(99)
        async with capacity.room(2) as other:
            room.leave(99)
            assert not capacity.has_room
            other.leave_all()
            other.leave_all()
        assert capacity.has_room


async def test_no_more_downloads_run_than_may() -> None:
    """However many batches there are."""
    capacity = Capacity(2)
    running, most = 0, 0

    async def download() -> None:
        nonlocal running, most
        async with capacity.download():
            running += 1
            most = max(most, running)
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0)
            running -= 1

    await asyncio.gather(*(download() for _ in range(9)))
    assert (running, most) == (0, 2)


async def test_an_account_that_hangs_holds_up_no_other() -> None:
    """Its line is full and its downloads never end; another one has room, and downloads too."""
    capacity = Capacity(8, accounts=("hangs", "works"))
    never = asyncio.Event()

    async def hang() -> None:
        async with capacity.download("hangs"):
            await never.wait()

    async def work() -> None:
        async with capacity.download("works"):
            pass

    async with capacity.room(100, "hangs"):
        hanging = [asyncio.create_task(hang()) for _ in range(20)]
        await settle(hanging[-1])
        assert capacity.must_wait("hangs")
        assert not capacity.must_wait("works")
        assert capacity.has_room
        async with capacity.room(5, "works"):
            assert await settle(asyncio.create_task(work()))
    assert capacity.most == 10
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert await settle(asyncio.create_task(work()))


@pytest.mark.parametrize(("others", "expected"), [(0, 8), (30, 6)])
async def test_downloads_are_shared_by_those_that_wait(others: int, expected: int) -> None:
    """One that is alone has all of them; of two with a backlog each comes to half."""
    capacity = Capacity(8, accounts=("a", "b"))
    running = {"a": 0, "b": 0}
    most = 0
    go = asyncio.Semaphore(0)

    async def download(account: str) -> None:
        nonlocal most
        async with capacity.download(account):
            running[account] += 1
            most = max(most, sum(running.values()))
            await go.acquire()
            running[account] -= 1

    tasks = [asyncio.create_task(download("a")) for _ in range(60)]
    await settle(tasks[-1])
    assert running == {"a": 8, "b": 0}
    tasks += [asyncio.create_task(download("b")) for _ in range(others)]
    for _ in range(20):
        go.release()
        await settle(tasks[-1])
    assert abs(running["a"] - expected) <= 1
    assert most <= capacity.most
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_download_that_is_stopped_while_it_waits_takes_no_place() -> None:
    """Neither while it waits, nor in the moment in which its turn comes."""
    capacity = Capacity(1, accounts=("a",))
    go = asyncio.Event()

    async def download() -> None:
        async with capacity.download("a"):
            await go.wait()

    first, second, third = (asyncio.create_task(download()) for _ in range(3))
    await settle(third)
    first.cancel()
    await asyncio.wait([first])
    second.cancel()
    await asyncio.wait([second])
    go.set()
    assert await settle(third)
