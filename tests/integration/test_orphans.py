"""Messages that arq holds for begun though no process has them, as a new leader finds them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from arq.constants import in_progress_key_prefix

from archive.catalog.writer import Catalog
from archive.store import Store
from archive.timings import JOB_TIMEOUT_S, LEASE_S
from jobs.payload import Batch
from jobs.queue import QUEUE, JobQueue, close_pool, open_pool
from jobs.rescue import Rescuer

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("begun_s", "left"), [(LEASE_S + 5, 0), (5, 1)])
async def test_a_new_leader_knows_how_old_an_orphan_is(
    redis: Redis, valkey_url: str, tmp_path: Path, begun_s: int, left: int
) -> None:
    """One begun longer ago than a lease lives goes at its first look, a younger one stays.

    Leaders that follow each other quicker than a lease lapses would else never remove it.
    """
    catalog = await Catalog.open(tmp_path / "catalog.db")
    pool = open_pool(valkey_url)
    queue = JobQueue(pool)
    await queue.put(Batch("main", ["sid000001"]))
    (job_id,) = await redis.zrange(QUEUE, 0, -1)
    # arq's mark of a begun job lives ten seconds longer than the job may take.
    mark = f"{in_progress_key_prefix}{job_id.decode()}"
    await redis.set(mark, b"1", ex=JOB_TIMEOUT_S + 10 - begun_s)

    rescuer = Rescuer(
        catalog=catalog, queue=queue, store=Store(tmp_path / "recordings"), clock=lambda: NOW
    )
    await rescuer.tick()

    assert await redis.zcard(QUEUE) == left
    assert await redis.exists(mark) == left
    await close_pool(pool)
    await catalog.close()
