"""A worker process as its supervisor watches it: one that is stuck is killed, no other."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.integration.workers import until
from tests.provider import KEY, TOKEN, write_config
from worker.child import falls_silent, run_child
from worker.main import PROCESS_VARIABLE, QUEUE_URL_VARIABLE

BOUND_S = 40


@pytest.fixture
def environment(tmp_path: Path, valkey_url: str) -> dict[str, str]:
    """The environment of a worker process that has nothing to do."""
    account = {"sid": "nobody1", "api_base": "http://127.0.0.1:9"}
    archive = {"root": str(tmp_path / "recordings")}
    catalog = {"url": f"sqlite:///{tmp_path / 'catalog.db'}"}
    config = write_config(
        tmp_path / "config.toml", accounts={"main": account}, archive=archive, catalog=catalog
    )
    bare = {name: text for name, text in os.environ.items() if not name.startswith("CALLVAULT")}
    return bare | {
        "CALLVAULT_CONFIG": str(config),
        QUEUE_URL_VARIABLE: valkey_url,
        PROCESS_VARIABLE: "a-process",
        "EXOTEL_API_KEY": KEY,
        "EXOTEL_API_TOKEN": TOKEN,
    }


def workers() -> list[int]:
    """Return the pids of this test's worker processes."""
    pids = [
        int(pid)
        for task in Path("/proc/self/task").glob("*/children")
        for pid in task.read_text().split()
    ]
    return [pid for pid in pids if b"worker.main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def has_opened_its_parts(tmp_path: Path) -> int:
    """Wait until the worker process is at work; return its pid."""
    await until((tmp_path / "recordings" / ".parts").exists)
    (pid,) = workers()
    return pid


async def test_a_process_that_is_stuck_is_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Stopped in the middle, it gives no sign of life, and does not hold anybody up for ever."""
    async with asyncio.timeout(BOUND_S):
        running = asyncio.create_task(run_child(environment, asyncio.Event(), look_s=0.5, most=20))
        os.kill(await has_opened_its_parts(tmp_path), signal.SIGSTOP)

        assert await running == -signal.SIGKILL


async def test_a_process_that_signs_is_left_alone_and_ends_when_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """It lives for longer than a stuck one may; then it is told to end, and does."""
    stopping = asyncio.Event()
    async with asyncio.timeout(BOUND_S):
        running = asyncio.create_task(run_child(environment, stopping, look_s=1, most=4))
        await has_opened_its_parts(tmp_path)
        await asyncio.wait({running}, timeout=5)
        assert not running.done()
        stopping.set()

        assert await running == 0


async def test_looks_are_counted_and_not_seconds() -> None:
    """One sign among the looks begins the count anew; the end of the signs is no silence."""
    signs = asyncio.StreamReader()
    silent = asyncio.create_task(falls_silent(signs, look_s=0.05, most=3))
    for _ in range(10):
        signs.feed_data(b".")
        await asyncio.wait({silent}, timeout=0.05)
    assert not silent.done()
    await asyncio.wait_for(silent, BOUND_S)

    signs.feed_eof()
    ended = asyncio.create_task(falls_silent(signs, look_s=0.001, most=3))
    await asyncio.wait({ended}, timeout=0.1)
    assert not ended.done()
    ended.cancel()
