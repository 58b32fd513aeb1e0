"""A worker that was taken for dead and goes on: it changes nothing, and learns what happened."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.catalog import processes, work
from archive.timings import LEASE_S
from jobs.rescue import sweep
from tests.integration.workers import SIDS, Held, Locked, Yard, open_yard, run_batch
from worker.heart import beat

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.parts import Parts

SILENCE = timedelta(seconds=LEASE_S + 1)


async def stopped_in_the_middle(yard: Yard, fetcher: Held) -> tuple[Parts, asyncio.Task[None]]:
    """Return a worker that was stopped while it downloads, and whose lease has lapsed."""
    stopped = await yard.worker("stopped", fetcher)
    await beat(stopped)
    running = asyncio.create_task(run_batch(stopped, "the job of the stopped one"))
    await fetcher.begun.wait()
    yard.now += SILENCE
    dead = await yard.catalog.write(processes.rescue, yard.now)
    assert [batch.calls for batch in dead] == [len(SIDS)]
    await sweep(yard.catalog, stopped.store)
    return stopped, running


@pytest.mark.parametrize("in_file", [False, True])
async def test_what_it_finishes_late_is_refused(tmp_path: Path, *, in_file: bool) -> None:
    """Its downloads end after its calls were given back: nothing of it counts, nothing is paused.

    Its part files were swept; that it misses them says nothing of the disk.
    """
    async with open_yard(tmp_path) as yard:
        fetcher = Held(in_file=in_file)
        stopped, running = await stopped_in_the_middle(yard, fetcher)

        fetcher.go.set()
        await running

        assert await yard.states() == {"expected": len(SIDS)}
        assert await yard.rows("SELECT * FROM recordings") == []
        assert await yard.held() == []
        assert stopped.counters.recordings == 0
        assert stopped.store.parts() == []


async def test_it_finishes_late_beside_who_has_its_calls_now(tmp_path: Path) -> None:
    """Both bring the same recordings to the same places: each counts once, for the second."""
    async with open_yard(tmp_path) as yard:
        late, soon = Held(), Held()
        _, running = await stopped_in_the_middle(yard, late)
        other = await yard.worker("other", soon)
        taking = asyncio.create_task(run_batch(other))
        await soon.begun.wait()

        late.go.set()
        await running
        assert await yard.states() == {"leased": len(SIDS)}
        soon.go.set()
        await taking

        assert await yard.states() == {"archived": len(SIDS)}
        assert await yard.rows("SELECT COUNT(*) FROM recordings") == [(len(SIDS),)]
        assert len(list(yard.root.rglob("*.mp3"))) == len(SIDS)
        assert other.counters.recordings == len(SIDS)


async def test_its_next_beat_finds_its_batches_gone(tmp_path: Path) -> None:
    """It lets go of them at once, without waiting for downloads that nobody needs, and lives on."""
    async with open_yard(tmp_path) as yard:
        stopped, running = await stopped_in_the_middle(yard, Held())

        await beat(stopped)
        await running

        assert await yard.states() == {"expected": len(SIDS)}
        assert stopped.in_work.all() == frozenset()
        assert await yard.rows("SELECT process, ended FROM processes") == [("stopped", 0)]


async def test_a_beat_leaves_batches_that_are_its_own_alone(tmp_path: Path) -> None:
    """Also those that begin or end while it is being written."""
    async with open_yard(tmp_path) as yard:
        fetcher = Held()
        worker = await yard.worker("alive", fetcher)
        running = asyncio.create_task(run_batch(worker))
        while not fetcher.begun.is_set():
            await beat(worker)
        await beat(worker)
        fetcher.go.set()
        while not running.done():
            await beat(worker)

        assert await yard.states() == {"archived": len(SIDS)}


async def test_a_batch_that_could_not_be_given_back_is_given_back_later(tmp_path: Path) -> None:
    """Its process lives and beats, so no lease lapses: the next beat finds it."""
    async with open_yard(tmp_path) as yard:
        locked = await asyncio.to_thread(Locked, yard.catalog.where, work.end_batch)
        fetcher = Held()
        worker = await yard.worker("alive", fetcher, catalog=locked)
        running = asyncio.create_task(run_batch(worker))
        await fetcher.begun.wait()
        running.cancel()
        await asyncio.wait({running})
        assert await yard.states() == {"leased": len(SIDS)}

        await beat(worker)

        assert await yard.states() == {"expected": len(SIDS)}
        assert locked.failed
        await locked.close()
