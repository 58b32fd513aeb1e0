"""One worker process as its supervisor sees it: started, watched, ended."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import structlog

from archive.timings import HEARTBEAT_S, KILL_AFTER_S, LEASE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_SILENT: Final = LEASE_S // HEARTBEAT_S
_log = structlog.get_logger()


def _tell_nobody(_: bytes) -> None:
    """Pass a sign over."""


async def run_child(
    environment: Mapping[str, str],
    stopping: asyncio.Event,
    *,
    signed: Callable[[bytes], None] = _tell_nobody,
    look_s: float = HEARTBEAT_S,
    most: int = _MOST_SILENT,
) -> int:
    """Run a worker process until it ends, or is told to by ``stopping``; return its exit code.

    One that gives no sign of life for as long as a lease lasts is killed, so that another takes
    its place: it holds what it has claimed, and may hold the catalog's lock. See `falls_silent` for
    ``signed``, ``look_s`` and ``most``.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        # No module of the folder we happen to be in is taken for one of ours.
        "-P",
        "-m",
        "worker.main",
        env=environment,
        # Held open by us alone: a worker ends when this pipe does, so never after us.
        stdin=asyncio.subprocess.PIPE,
        # Its signs of life.
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C is for the supervisor, which tells its workers when they can be told.
        start_new_session=True,
    )
    assert process.stdout is not None
    ended = asyncio.create_task(process.wait())
    told = asyncio.create_task(stopping.wait())
    stuck = asyncio.create_task(
        falls_silent(process.stdout, signed=signed, look_s=look_s, most=most)
    )
    try:
        await asyncio.wait({ended, told, stuck}, return_when=asyncio.FIRST_COMPLETED)
        if told.done() and not ended.done():
            process.terminate()
            await asyncio.wait({ended}, timeout=KILL_AFTER_S)
        if not ended.done():
            why = "did not end in time" if told.done() else "gave no sign of life"
            _log.warning(f"a worker process {why} and is killed", pid=process.pid)
            process.kill()
        return await ended
    finally:
        for task in (ended, told, stuck):
            task.cancel()


async def falls_silent(
    signs: asyncio.StreamReader,
    *,
    signed: Callable[[bytes], None] = _tell_nobody,
    look_s: float,
    most: int,
) -> None:
    """Return when ``most`` looks in a row, each of ``look_s`` seconds, saw no sign.

    Looks are counted rather than seconds: who was stopped or asleep itself has not looked, and
    must not take everybody else for dead when it wakes. The end of the signs is no silence: then
    this never returns. ``signed`` is told of each sign.
    """
    silent = 0
    while silent < most:
        reading = asyncio.ensure_future(signs.read(1024))
        done, _ = await asyncio.wait({reading}, timeout=look_s)
        if not done:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            silent += 1
        elif came := await reading:
            silent = 0
            signed(came)
        else:
            await asyncio.Event().wait()
