"""Publishing in groups: what waits goes together, and each caller gets its own result."""

from __future__ import annotations

import asyncio
import errno
import gc
import threading
from typing import TYPE_CHECKING

import pytest

from archive.publisher import Publisher
from archive.store import Store
from tests.unit.recordings import SIDS, pending, place, proof

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archive.proof import Proof
    from archive.store import Pending

MANY = [f"{index:032}" for index in range(40)]


class HeldStore(Store):
    """A store whose first group waits until it is let go."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.done = threading.Semaphore(0)
        self.groups: list[int] = []

    def publish(self, group: Sequence[Pending]) -> list[Proof | OSError]:
        """Publish once it is let go."""
        self.groups.append(len(group))
        self.begun.release()
        assert self.go.wait(30)
        results = super().publish(group)
        self.done.release()
        return results


async def has(semaphore: threading.Semaphore) -> None:
    """Wait for something that a thread says."""
    assert await asyncio.to_thread(semaphore.acquire, timeout=30)


async def test_each_caller_gets_the_proof_of_its_own_recording(tmp_path: Path) -> None:
    """However many publish at once."""
    async with Publisher(Store(tmp_path)) as publisher:
        proofs = await asyncio.gather(*(publisher.publish(pending(sid)) for sid in MANY))
    assert [proof(sid) for sid in MANY] == proofs


async def test_what_comes_while_two_groups_are_written_is_the_next_group(tmp_path: Path) -> None:
    """One flush then serves them all."""
    store = HeldStore(tmp_path)
    async with Publisher(store) as publisher:
        tasks = []
        for sid in MANY[:2]:
            tasks.append(asyncio.create_task(publisher.publish(pending(sid))))
            await has(store.begun)
        tasks += [asyncio.create_task(publisher.publish(pending(sid))) for sid in MANY[2:]]
        await asyncio.wait(tasks, timeout=0)
        store.go.set()
        await asyncio.gather(*tasks)
    assert store.groups == [1, 1, 38]


async def test_one_that_fails_is_its_own_callers_alone(tmp_path: Path) -> None:
    """The error is raised to it; the others of the group have their proofs."""

    class Failing(Store):
        def _describe(self, pending: Pending) -> None:
            if pending.place.sid == SIDS[1]:
                raise OSError(errno.ENOSPC, "No space left on device")
            super()._describe(pending)

    async with Publisher(Failing(tmp_path)) as publisher:
        results = await asyncio.gather(
            *(publisher.publish(pending(sid)) for sid in SIDS), return_exceptions=True
        )
    assert [proof(SIDS[0]), proof(SIDS[2])] == [results[0], results[2]]
    assert isinstance(results[1], OSError)


async def test_an_error_nobody_thought_of_is_told_and_survived(tmp_path: Path) -> None:
    """Each caller of the group gets it, nobody waits for ever, and later groups are published."""

    class Odd(Store):
        def _write(self, pending: Pending) -> None:
            if pending.place.sid == SIDS[0]:
                raise ValueError("odd")
            super()._write(pending)

    async with Publisher(Odd(tmp_path)) as publisher:
        for _ in range(3):
            with pytest.raises(ValueError, match="odd"):
                await asyncio.wait_for(publisher.publish(pending(SIDS[0])), 30)
        assert proof(SIDS[1]) == await asyncio.wait_for(publisher.publish(pending(SIDS[1])), 30)


async def test_a_caller_that_is_cancelled_leaves_a_file_to_adopt(tmp_path: Path) -> None:
    """The publishing goes on, and so does the publisher."""
    store = HeldStore(tmp_path)
    async with Publisher(store) as publisher:
        caller = asyncio.create_task(publisher.publish(pending(SIDS[0])))
        await has(store.begun)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        store.go.set()
        assert proof(SIDS[1]) == await publisher.publish(pending(SIDS[1]))
        for _ in range(2):
            await has(store.done)
    assert proof(SIDS[0]) == store.adopt(place(SIDS[0]))


def test_an_error_whose_caller_was_cancelled_is_nobodys(tmp_path: Path) -> None:
    """A full disk, and a batch that was given back meanwhile: asyncio has nothing to tell of."""

    class Full(HeldStore):
        def _describe(self, pending: Pending) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(pending.place.sid))

    complaints: list[dict[str, object]] = []

    async def cancelled() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        store = Full(tmp_path)
        async with Publisher(store) as publisher:
            caller = asyncio.create_task(publisher.publish(pending(SIDS[0])))
            await has(store.begun)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            store.go.set()
            await has(store.done)
            # By the time that another one has its answer, the first one's came back as well.
            with pytest.raises(OSError, match="No space left"):
                await publisher.publish(pending(SIDS[1]))

    asyncio.run(cancelled())
    # An error that nobody looked at is missed when it is thrown away.
    gc.collect()
    assert complaints == []


async def test_a_publisher_that_ends_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Who waits for the group being written is told that it was cancelled."""
    store = HeldStore(tmp_path)
    async with Publisher(store) as publisher:
        caller = asyncio.create_task(publisher.publish(pending(SIDS[0])))
        await has(store.begun)
    store.go.set()
    await has(store.done)
    with pytest.raises(asyncio.CancelledError):
        await caller
