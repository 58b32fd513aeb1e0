"""The runs of commands that have an end: when each began and ended, how, and with what figures.

A run that was killed has a beginning and no end. So has one that goes on; who tells them apart asks
how long ago it began.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from archive.clock import from_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from archive.catalog.database import Row, Tx


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has begun: a random id, and what is known of it from its beginning."""

    id: str
    host: str
    command: str
    began: datetime


class Run(Begun, frozen=True, kw_only=True):
    """A run as the catalog keeps it. ``ended`` and ``code`` are None of one that has not ended."""

    ended: datetime | None
    code: int | None
    note: str


def begun(command: str, *, host: str, now: datetime) -> Begun:
    """Return a new run, which the catalog does not know yet."""
    return Begun(id=secrets.token_hex(8), host=host, command=command, began=now)


def begin(tx: Tx, run: Begun) -> None:
    """Note that a run has begun."""
    tx.run("begin_run", id=run.id, host=run.host, command=run.command, began_ms=to_ms(run.began))


def end(tx: Tx, run: Begun, *, code: int, note: str, now: datetime) -> None:
    """Note that a run has ended, whether or not its beginning could be noted."""
    tx.run(
        "end_run",
        id=run.id,
        host=run.host,
        command=run.command,
        began_ms=to_ms(run.began),
        ended_ms=to_ms(now),
        code=code,
        note=note,
    )


def forget(tx: Tx, run: Begun) -> None:
    """Take back that a run has begun, whether or not that was noted."""
    tx.run("forget_run", id=run.id)


def last(tx: Tx, *commands: str, codes: Collection[int] | None = None) -> Run | None:
    """Return the run of one of these commands that began last, or None.

    With ``codes``, only of runs that ended with one of them.
    """
    with closing(tx.stream("runs_latest_first")) as rows:
        for row in rows:
            if row["command"] in commands and (codes is None or row["code"] in codes):
                return _run(row)
    return None


def between(tx: Tx, begin: datetime, end: datetime) -> list[Run]:
    """Return the runs that began in a time, in their order."""
    return [_run(row) for row in tx.rows("runs_between", begin_ms=to_ms(begin), end_ms=to_ms(end))]


def _run(row: Row) -> Run:
    return Run(
        id=row["id"],
        host=row["host"],
        command=row["command"],
        began=from_ms(row["began_ms"]),
        ended=None if row["ended_ms"] is None else from_ms(row["ended_ms"]),
        code=row["code"],
        note=row["note"],
    )
