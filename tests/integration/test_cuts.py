"""A worker process that dies between any two steps of publishing: the next run makes it good."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.catalog import processes
from archive.timings import LEASE_S
from jobs.rescue import sweep
from tests.integration.cut import POINTS, STEPS
from tests.integration.working import Worker, called
from tests.provider import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from arq.connections import ArqRedis

    from tests.integration.working import Recorded


async def cut(worker: Worker, url: str, point: str, sids: list[str]) -> None:
    """Run a batch in a process of its own, which kills itself at a point."""
    words = (str(worker.folder), json.dumps(worker.account), url, point, *sids)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.cut", *words, cwd=ROOT
    )
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("point", POINTS)
async def test_a_death_between_any_two_steps_is_made_good(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis, valkey_url: str, point: str
) -> None:
    """No row without right bytes, no bytes twice, no part file left; what was placed is adopted."""
    calls = recorded.take(3)
    truth = {call["sid"]: call["sha256"] for call in calls}
    worker = Worker(tmp_path, recorded.provider.account, pool)
    async with worker.open():
        await worker.take_in(*map(called, calls))
    await cut(worker, valkey_url, point, list(truth))

    async with worker.open():
        archived = {sid for sid in truth if (await worker.row(sid))["state"] == "archived"}
        assert archived <= worker.recordings().keys()
        placed = worker.recordings()
        assert placed.items() <= truth.items()

        recorded.provider.reset()
        later = worker.now + timedelta(seconds=10 * LEASE_S)
        await worker.parts.catalog.write(processes.rescue, later)
        await sweep(worker.parts.catalog, worker.parts.store)
        await worker.run(*truth)

        assert truth == worker.recordings()
        assert [(await worker.row(sid))["state"] for sid in truth] == ["archived"] * 3
        assert await worker.faults_of_the_books() == []
        assert worker.quarantined() == []
    downloads = recorded.provider.stats()["downloads"]["total"]
    assert downloads == len(truth) - len(placed)
    is_placed = point.startswith("after") and point[6:] not in STEPS[: STEPS.index("_place")]
    assert bool(placed) == (is_placed or point == "before commit")
