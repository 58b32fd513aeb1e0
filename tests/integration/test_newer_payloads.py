"""A message that a newer callvault queued, while older workers still run: a rolling update."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from arq.constants import in_progress_key_prefix
from arq.worker import Worker, func

from jobs.batch import archive_batch
from jobs.parts import CTX_KEY
from jobs.payload import VERSION, Batch, encode_batch
from jobs.queue import ARCHIVE_BATCH, QUEUE, JobQueue, deserialise, serialise
from tests.integration.workers import SIDS, Held, open_yard, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from arq.connections import ArqRedis

NEWER = {**encode_batch(Batch("main", SIDS)), "v": VERSION + 1, "priority": "high"}
LONG_MS = 10_000


def worker_of(
    pool: ArqRedis, function: Callable[..., Awaitable[None]], ctx: dict[str, Any]
) -> Worker:
    """Return a worker of arq's, as ours are but that it looks more often."""
    return Worker(
        functions=[func(function, name=ARCHIVE_BATCH, max_tries=10**6)],  # type: ignore[arg-type]
        queue_name=QUEUE,
        redis_pool=pool,
        keep_result=0,
        poll_delay=0.01,
        handle_signals=False,
        job_serializer=serialise,
        job_deserializer=deserialise,
        ctx=ctx,
    )


async def run_until(worker: Worker, condition: Callable[[], bool]) -> None:
    """Let a worker run until a condition holds."""
    running = asyncio.create_task(worker.async_run())
    try:
        await until(condition)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def is_put_back(worker: Worker) -> bool:
    """Tell whether a worker has put a batch back, and said so to Redis."""
    return worker.jobs_retried > 0 and all(task.done() for task in worker.tasks.values())


async def test_an_older_worker_leaves_it_to_a_newer_one(pool: ArqRedis, tmp_path: Path) -> None:
    """It is put back for a quarter of a minute, not picked again and again; no call is touched.

    A newer worker gets it as it was; the older one's dispatcher counts it as waiting meanwhile.
    """
    await pool.enqueue_job(ARCHIVE_BATCH, NEWER)
    (job_id,) = await pool.zrange(QUEUE, 0, -1)
    seen: list[object] = []

    async def newer(_: dict[str, Any], payload: object) -> None:
        seen.append(payload)

    async with open_yard(tmp_path) as yard:
        parts = await yard.worker("older", Held())
        older = worker_of(pool, archive_batch, {CTX_KEY: parts})
        began_ms = time.time() * 1000
        await run_until(older, lambda: is_put_back(older))
        score = await pool.zscore(QUEUE, job_id)
        assert score is not None
        assert score > began_ms + LONG_MS
        assert not await pool.exists(f"{in_progress_key_prefix}{job_id.decode()}")
        assert await JobQueue(pool).waiting() == 1
        assert (older.jobs_retried, older.jobs_failed, older.jobs_complete) == (1, 0, 0)
        assert await yard.states() == {"expected": len(SIDS)}
        assert await yard.rows("SELECT lease FROM batches") == []

    # As if the time had come.
    await pool.zadd(QUEUE, {job_id: 1})
    await run_until(worker_of(pool, newer, {}), lambda: bool(seen))
    assert seen == [NEWER]
