"""What keeps work from going on and is no pause: a queue that is away, workers that fall silent.

A host that leads or polls writes down what it meets, so that `status` can tell without asking
anybody. What polling meets is written by `archive.catalog.watermarks`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.clock import from_ms, to_ms
from archive.timings import HEARTBEAT_S, LEASE_S

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.database import Tx

QUEUE: Final = "queue"
"""Redis cannot be reached or used."""
ROOT: Final = "root"
"""The archive's root is not there."""
STATE_DISK: Final = "state-disk"
"""The disk of the catalog or the queue is full: never noted here, but looked at by who tells."""
WORKER: Final = "worker"
"""A worker process does not beat."""
POLLING: Final = "polling:{}"
"""The provider, asked for an account's calls, does not answer as it should."""
LISTING: Final = "listing:{}"
"""It lists no calls where there always are some."""
_MET: Final = timedelta(hours=6)
"""Polling is taken to be over where it met its trouble no more for so long."""
_SILENT: Final = timedelta(seconds=5 * HEARTBEAT_S)


class Trouble(msgspec.Struct, frozen=True):
    """One trouble: who meets it, what it is about, its words, and since when."""

    host: str
    what: str
    detail: str
    since: datetime


def note_trouble(tx: Tx, what: str, detail: str, *, host: str, now: datetime) -> None:
    """Note that a host meets a trouble (again)."""
    tx.run("note_trouble", host=host, what=what, detail=detail, now_ms=to_ms(now))


def clear_troubles(tx: Tx, *, host: str) -> None:
    """Note that nothing keeps a host from going on."""
    tx.run("clear_troubles", host=host)


def troubles(tx: Tx, now: datetime) -> list[Trouble]:
    """Return what hosts meet now, and worker processes that miss one beat after the other.

    A trouble that its host has not met for as long as a lease lasts is left out: nobody leads there
    any more. What polling met stays for some hours, since rounds may be far apart.
    """
    seen_since = to_ms(now - timedelta(seconds=LEASE_S))
    met = [
        Trouble(row["host"], row["what"], row["detail"], from_ms(row["since_ms"]))
        for row in tx.rows("troubles", seen_since_ms=seen_since, met_since_ms=to_ms(now - _MET))
    ]
    silent = [
        Trouble(
            row["host"],
            WORKER,
            f"the worker process {row['process']} (pid {row['pid']}) gives no sign of life",
            from_ms(row["beat_ms"]),
        )
        for row in tx.rows("roll")
        if now - from_ms(row["beat_ms"]) > _SILENT
    ]
    return met + silent


def beating(tx: Tx, now: datetime) -> int:
    """Count the worker processes that beat."""
    return sum(now - from_ms(row["beat_ms"]) <= _SILENT for row in tx.rows("roll"))
