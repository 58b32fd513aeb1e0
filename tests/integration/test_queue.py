"""The queue on a real Valkey: what is put in is seen, run and forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.worker import Worker, func

from archive.errors import QueueError
from jobs.payload import Batch, decode_batch, encode_batch
from jobs.queue import (
    ARCHIVE_BATCH,
    QUEUE,
    JobQueue,
    check_queue,
    close_pool,
    deserialise,
    open_pool,
    serialise,
)

if TYPE_CHECKING:
    from pathlib import Path

    from arq.connections import ArqRedis

FIRST = Batch("main", ["abcdef1", "abcdef2"])
SECOND = Batch("main", ["abcdef3"])
THIRD = Batch("other", ["abcdef1"])


async def ids(pool: ArqRedis) -> list[str]:
    """Return the ids in the queue, in its order."""
    return [job_id.decode() for job_id in await pool.zrange(QUEUE, 0, -1)]


async def test_what_is_put_in_is_seen(pool: ArqRedis) -> None:
    """A look finds the Sids of every account's batches, and how many wait."""
    queue = JobQueue(pool)
    for batch in (FIRST, SECOND, THIRD):
        await queue.put(batch)

    found = await queue.look()

    assert found.waiting == 3
    assert await queue.waiting() == 3
    assert found.of("main") == {"abcdef1", "abcdef2", "abcdef3"}
    assert found.of("other") == {"abcdef1"}
    assert found.of("nobody") == set()


async def test_an_empty_queue_holds_nothing(pool: ArqRedis) -> None:
    """A look into an empty (or flushed) queue finds nothing and raises nothing."""
    queue = JobQueue(pool)
    await queue.put(FIRST)
    await pool.flushall()

    found = await queue.look()

    assert (found.waiting, found.sids) == (0, {})
    assert await queue.waiting() == 0


async def test_running_jobs_do_not_wait_but_are_seen(pool: ArqRedis) -> None:
    """A job that a worker has begun stays in sight without counting as waiting."""
    queue = JobQueue(pool)
    await queue.put(FIRST)
    await queue.put(SECOND)
    first, _ = await ids(pool)
    await pool.set(f"{in_progress_key_prefix}{first}", b"1", ex=60)

    found = await queue.look()

    assert found.waiting == 1
    assert found.of("main") == {"abcdef1", "abcdef2", "abcdef3"}


async def test_forgetting_removes_every_key(pool: ArqRedis) -> None:
    """A dead job's place in the queue, its message, its lock and its count of tries all go.

    Its neighbours stay.
    """
    queue = JobQueue(pool)
    await queue.put(FIRST)
    await queue.put(SECOND)
    first, second = await ids(pool)
    for prefix in (in_progress_key_prefix, retry_key_prefix):
        await pool.set(f"{prefix}{first}", b"1", ex=60)

    await queue.forget([first])

    assert await ids(pool) == [second]
    assert {key.decode() for key in await pool.keys("*")} == {QUEUE, f"{job_key_prefix}{second}"}


async def test_messages_are_msgpack_and_name_no_function_of_ours(pool: ArqRedis) -> None:
    """What lies in Redis is msgpack: reading it runs nobody's code."""
    await JobQueue(pool).put(FIRST)
    (job_id,) = await ids(pool)

    stored = await pool.get(f"{job_key_prefix}{job_id}")

    assert stored is not None
    message = msgspec.msgpack.decode(stored)
    expected = (ARCHIVE_BATCH, [{"v": 1, "account": "main", "sids": FIRST.sids}])
    assert expected == (message["f"], message["a"])


@pytest.mark.parametrize("message", [b"", b"\xc1", b"\x80\x04K\x01.", b"\x93\x01\x02\x03"])
async def test_what_others_put_there_is_passed_over(pool: ArqRedis, message: bytes) -> None:
    """A message of another's (a pickle, nonsense, none at all) counts, and disturbs no look."""
    queue = JobQueue(pool)
    await queue.put(FIRST)
    await pool.zadd(QUEUE, {"stranger": 1})
    if message:
        await pool.set(f"{job_key_prefix}stranger", message)

    found = await queue.look()

    assert found.waiting == 2
    assert found.of("main") == {"abcdef1", "abcdef2"}


async def test_arq_runs_what_was_put_in_and_keeps_nothing(pool: ArqRedis) -> None:
    """The worker of arq hands the payload on as it was; no result stays behind."""
    seen: list[Batch | None] = []

    async def archive(ctx: dict[str, Any], payload: object) -> None:
        assert ctx["job_try"] == 1
        seen.append(decode_batch(payload))

    await JobQueue(pool).put(FIRST)
    worker = Worker(
        functions=[func(archive, name=ARCHIVE_BATCH)],
        queue_name=QUEUE,
        redis_pool=pool,
        burst=True,
        keep_result=0,
        poll_delay=0.01,
        handle_signals=False,
        job_serializer=serialise,
        job_deserializer=deserialise,
    )

    await worker.main()

    assert seen == [FIRST]
    assert [key for key in await pool.keys("*") if b"health" not in key] == []


def test_an_exception_is_written_as_its_text() -> None:
    """An exception in a message is kept as its text, and reading it is safe."""
    message = deserialise(serialise({"r": ValueError("no"), "p": encode_batch(FIRST)}))

    assert message == {
        "r": "ValueError('no')",
        "p": {"v": 1, "account": "main", "sids": FIRST.sids},
    }


async def test_a_queue_that_is_away_is_one_error(tmp_path: Path) -> None:
    """Nobody listens: every use says what was being done and what to check."""
    pool = open_pool(f"unix://{tmp_path}/nobody.sock", retries=0)
    queue = JobQueue(pool)
    try:
        for use in (queue.waiting(), queue.look(), queue.put(FIRST), queue.forget(["a"])):
            with pytest.raises(QueueError, match="Redis does not answer") as caught:
                await use
            assert "[queue] url" in caught.value.hint
    finally:
        await close_pool(pool)


async def test_a_queue_that_refuses_writes_is_one_error(pool: ArqRedis) -> None:
    """Redis out of memory refuses a batch: that is told, not swallowed."""
    await pool.config_set("maxmemory", "1")
    try:
        with pytest.raises(QueueError, match="queueing a batch"):
            await JobQueue(pool).put(FIRST)
    finally:
        await pool.config_set("maxmemory", "0")


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    """Who lets us in and never answers is no Redis: the first look ends after its bound."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(QueueError, match=r"no answer within 0\.2 s"):
            await check_queue(f"redis://127.0.0.1:{port}", bound_s=0.2)
