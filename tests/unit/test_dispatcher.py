"""How many batches may be added while something is paused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from archive.call import Source
from archive.catalog import intake, pauses, processes
from archive.catalog.writer import Catalog
from archive.readiness import Readiness
from jobs.dispatcher import Dispatcher
from jobs.payload import Batch
from jobs.queue import Queued
from tests.unit.books import ACCOUNT, NOW, OTHER, called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from jobs.queue import JobQueue

MINUTE = timedelta(minutes=1)
HELD, DUE = MINUTE, timedelta(0)
CALLS = 40
MAIN = pauses.account_scope("main")
HERE, THERE = pauses.host_scope("here"), pauses.host_scope("there")


class FakeQueue:
    """A queue in which everything waits, and nothing is begun."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def waiting(self) -> int:
        """Count."""
        return len(self.batches)

    async def look(self, *, leaving_out: AbstractSet[str]) -> Queued:
        """Tell what is in."""
        assert leaving_out == frozenset()
        found = Queued()
        found.waiting = len(self.batches)
        for batch in self.batches:
            found.sids.setdefault(batch.account, set()).update(batch.sids)
            found.waiting_of[batch.account] = found.waiting_of.get(batch.account, 0) + 1
        return found

    async def put(self, batch: Batch) -> None:
        """Add."""
        self.batches.append(batch)

    def of(self, account: str) -> list[int]:
        """Return the sizes of an account's batches."""
        return [len(batch.sids) for batch in self.batches if batch.account == account]


class Desk:
    """A dispatcher of batches of ten, between a catalog with forty due calls and a fake queue."""

    def __init__(self, catalog: Catalog, *accounts: Account, window: int = 4) -> None:
        self.catalog = catalog
        self.queue = FakeQueue()
        self.dispatcher = Dispatcher(
            catalog=catalog,
            queue=cast("JobQueue", self.queue),
            accounts=accounts,
            window=window,
            batch=10,
            clock=lambda: NOW,
        )

    async def pause(self, scope: str, after: timedelta) -> None:
        """Hold something up until a probe after so long."""
        await self.catalog.write(
            pauses.pause, scope, reason="r", detail="", fatal=False, after=after, now=NOW
        )

    async def live(self, *hosts: str) -> None:
        """Let a process of each host beat."""
        for host in hosts:
            await self.catalog.write(beat, host, NOW)


def beat(tx: Tx, host: str, now: datetime) -> None:
    """Let a host's process say that it lives."""
    sign = processes.Beat(
        process=f"p-{host}", host=host, pid=1, version="1", started_at=now, recordings=0, bytes=0
    )
    processes.beat(tx, sign, now)


@asynccontextmanager
async def opened(folder: Path, *accounts: Account) -> AsyncIterator[Desk]:
    """Open a desk, of one account unless told otherwise."""
    chosen = accounts or (ACCOUNT,)
    catalog = await Catalog.open(folder / "catalog.db")
    try:
        for account in chosen:
            await catalog.write(
                intake.add_calls,
                [called(f"{number:032}") for number in range(CALLS)],
                account=account,
                source=Source.CDR,
                readiness=Readiness(),
                now=NOW - MINUTE,
            )
        yield Desk(catalog, *chosen)
    finally:
        await catalog.close()


async def test_without_a_pause_the_window_is_filled(tmp_path: Path) -> None:
    """And filled once: another look finds it full."""
    async with opened(tmp_path) as desk:
        assert [await desk.dispatcher.tick() for _ in range(2)] == [4, 0]
        assert desk.queue.of("main") == [10] * 4


@pytest.mark.parametrize(
    ("hosts", "paused", "added"),
    [
        ([], {pauses.ALL: HELD}, 0),
        ([], {pauses.ALL: DUE}, 1),
        ([], {MAIN: HELD}, 0),
        ([], {MAIN: DUE}, 1),
        ([], {MAIN: DUE, pauses.ALL: HELD}, 0),
        ([], {pauses.account_scope("other"): HELD}, 4),
        (["here"], {HERE: HELD}, 0),
        (["here"], {HERE: DUE}, 1),
        (["here"], {HERE: DUE, MAIN: HELD}, 0),
        (["here", "there"], {HERE: HELD}, 4),
        (["here", "there"], {HERE: HELD, THERE: HELD}, 0),
        (["here", "there"], {HERE: DUE, THERE: DUE}, 1),
        (["here", "there"], {HERE: HELD, MAIN: DUE}, 1),
        (["here"], {THERE: HELD}, 4),
        ([], {HERE: HELD}, 4),
    ],
)
async def test_a_pause_leaves_room_for_one_probe_or_for_none(
    tmp_path: Path, hosts: list[str], paused: dict[str, timedelta], added: int
) -> None:
    """Everything's and the account's own count; a host's only while no other host lives."""
    async with opened(tmp_path) as desk:
        await desk.live(*hosts)
        for scope, after in paused.items():
            await desk.pause(scope, after)
        assert added == await desk.dispatcher.tick()


async def test_a_probe_is_one_batch_until_it_has_ended(tmp_path: Path) -> None:
    """While it waits nothing more is added; when it is gone and the pause stays, one more is."""
    async with opened(tmp_path) as desk:
        await desk.pause(MAIN, DUE)
        assert [await desk.dispatcher.tick() for _ in range(3)] == [1, 0, 0]
        desk.queue.batches.clear()
        assert await desk.dispatcher.tick() == 1


async def test_a_host_that_died_paused_holds_nobody_up(tmp_path: Path) -> None:
    """It counts among the hosts only while one of its processes beats."""
    async with opened(tmp_path) as desk:
        await desk.live("here", "there")
        await desk.pause(HERE, HELD)
        await desk.catalog.write(processes.retire, "p-here", NOW)
        assert await desk.dispatcher.tick() == 4


@pytest.mark.parametrize(("scope", "added"), [(pauses.ALL, {}), (MAIN, {"other": [10] * 4})])
async def test_what_a_person_holds_up_is_never_probed(
    tmp_path: Path, scope: str, added: dict[str, list[int]]
) -> None:
    """Neither at once nor in a new run; of two accounts the other one goes on."""
    async with opened(tmp_path, ACCOUNT, OTHER) as desk:
        await desk.catalog.write(pauses.pause_by_operator, scope, why="w", now=NOW)
        await desk.catalog.write(pauses.probe_all, NOW)
        for _ in range(3):
            await desk.dispatcher.tick()
        found = {name: desk.queue.of(name) for name in ("main", "other") if desk.queue.of(name)}
        assert added == found
        await desk.catalog.write(pauses.lift, scope)
        desk.queue.batches.clear()
        await desk.dispatcher.tick()
        assert len(desk.queue.of("main")) > 1


async def test_batches_that_one_account_leaves_in_the_queue_keep_out_no_other(
    tmp_path: Path,
) -> None:
    """Each has a window of its own: one whose batches wait and wait fills just that."""
    async with opened(tmp_path, ACCOUNT, OTHER) as desk:
        stuck = [Batch("main", [f"stuck{number}"]) for number in range(4)]
        desk.queue.batches += stuck
        await desk.dispatcher.tick()
        assert desk.queue.of("main") == [1] * 4
        assert desk.queue.of("other") == [10] * 4
        desk.queue.batches[:] = [batch for batch in desk.queue.batches if batch.account == "main"]
        assert await desk.dispatcher.tick() == 4
