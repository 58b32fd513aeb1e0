"""Who is alive, and giving back what the dead held."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from archive.catalog.work import end_batch, leases_of
from archive.clock import to_ms
from archive.timings import LEASE_S

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.database import Tx


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of life of a worker process, with what it has archived since it started.

    ``ahead`` is how far its machine's clock is ahead of the catalog's.
    """

    process: str
    host: str
    pid: int
    version: str
    started_at: datetime
    recordings: int
    bytes: int
    ahead: timedelta = timedelta()


class DeadBatch(msgspec.Struct, frozen=True):
    """A batch whose process has died: its lease, arq's job id, and how many calls it gave back."""

    lease: str
    job_id: str
    process: str
    calls: int


def beat(tx: Tx, sign: Beat, now: datetime) -> frozenset[str]:
    """Note that a process lives; return the leases that it holds.

    One that was silent for too long finds its batches gone.
    """
    tx.run(
        "beat",
        process=sign.process,
        host=sign.host,
        pid=sign.pid,
        version=sign.version,
        started_ms=to_ms(sign.started_at),
        beat_ms=to_ms(now),
        recordings=sign.recordings,
        bytes=sign.bytes,
        ahead_ms=sign.ahead // timedelta(milliseconds=1),
    )
    return leases_of(tx, sign.process)


def retire(tx: Tx, process: str, now: datetime) -> None:
    """Note that a process has ended, so that its calls are given back at once."""
    lapsed = now - timedelta(seconds=LEASE_S + 1)
    tx.run("retire", process=process, silent_ms=to_ms(lapsed))


def rescue(tx: Tx, now: datetime) -> list[DeadBatch]:
    """Give back what batches of dead processes held."""
    silent_since = to_ms(now - timedelta(seconds=LEASE_S))
    dead = [
        DeadBatch(row["lease"], row["job_id"], row["process"], end_batch(tx, lease=row["lease"]))
        for row in tx.rows("dead_batches", silent_since_ms=silent_since)
    ]
    tx.run("end_silent", silent_since_ms=silent_since)
    # The counters of a run are read from these rows, so they outlive their process for a while.
    tx.run("forget_processes", silent_since_ms=to_ms(now - timedelta(days=7)))
    return dead


def live_hosts(tx: Tx, now: datetime) -> frozenset[str]:
    """Return the hosts that have a living worker process."""
    silent_since = to_ms(now - timedelta(seconds=LEASE_S))
    return frozenset(row["host"] for row in tx.rows("live_hosts", silent_since_ms=silent_since))


def work_since(tx: Tx, since: datetime) -> tuple[int, int]:
    """Return how many recordings and bytes the processes started since then have archived."""
    row = tx.row("work_since", since_ms=to_ms(since))
    return row["recordings"], row["bytes"]
