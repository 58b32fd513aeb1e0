"""A worker process's signs of life, and what it learns from giving them."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from archive.catalog import processes, tallies, work
from archive.clock import system_clock
from archive.errors import CatalogError
from archive.timings import HEARTBEAT_S
from worker.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.catalog.database import Tx
    from archive.tallies import Count
    from jobs.parts import Parts

_STARTED_AT: Final = system_clock()
_STDOUT: Final = 1
_log = structlog.get_logger()


async def beat(parts: Parts) -> None:
    """Note in the catalog that this process lives, and see whether its batches are still its own.

    One that was silent for too long (stopped, or on a machine that slept) was taken for dead: what
    it held is in other hands, so it lets go of it. A batch that the catalog has and nobody here
    works on could not be given back when it ended: it is now.

    Raises:
        CatalogError: the catalog cannot be written.
    """
    noted = parts.in_work.noted()
    counted = parts.tallies.take()
    try:
        kept = await parts.catalog.write(_beat, parts, counted)
    except CatalogError:
        parts.tallies.put_back(counted)
        raise
    if lost := parts.in_work.lose(noted - kept):
        _log.warning("this process was silent for too long: others have its batches", batches=lost)
    for lease in kept - parts.in_work.all():
        await parts.catalog.write(work.end_batch, lease=lease)


def _beat(tx: Tx, parts: Parts, counted: list[Count]) -> frozenset[str]:
    sign = processes.Beat(
        process=parts.process,
        host=parts.host,
        pid=os.getpid(),
        version=VERSION,
        started_at=_STARTED_AT - parts.catalog.ahead,
        recordings=parts.counters.recordings,
        bytes=parts.counters.bytes,
        ahead=parts.catalog.ahead,
    )
    # The time is taken here, with the lock in hand: one that waited for it is no younger for that.
    now = parts.clock()
    tallies.add(tx, counted, host=parts.host, now=now)
    return processes.beat(tx, sign, now)


async def keep_beating(parts: Parts) -> None:
    """Beat until cancelled."""
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        try:
            await beat(parts)
        except CatalogError as error:
            # The lease lapses if this lasts, and others take over: nothing to decide here.
            _log.warning("cannot beat", error=error.message)


async def keep_signing(sign: Callable[[], bytes], woken: asyncio.Event) -> None:
    """Show the supervisor, which reads our standard output, that this process is not stuck.

    ``sign`` is one of `worker.pulse`, and tells whether it holds work and that moves. It is given
    every few seconds, and at once when ``woken``.

    Apart from the catalog: one that somebody else keeps locked is no fault of this process.
    """
    while True:
        woken.clear()
        try:
            os.write(_STDOUT, sign())
        except OSError:  # the supervisor has died: we end by the pipe that it held
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), HEARTBEAT_S)
