"""When sources of calls were heard, so that their silences can be told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.clock import from_ms, to_ms

if TYPE_CHECKING:
    from datetime import datetime

    from archive.call import Source
    from archive.catalog.database import Tx

PAUSE: Final = timedelta(minutes=5)
"""What is this far apart at most was heard without a silence between."""


class Heard(msgspec.Struct, frozen=True):
    """A time in which a source was heard, both ends included."""

    source: str
    since: datetime
    until: datetime


def hear(tx: Tx, account: str, source: Source, since: datetime, until: datetime) -> None:
    """Note that a source was heard from one moment to another (the same one, if only once).

    A moment that lies before one that was noted already makes no new time of it.
    """
    names = {"account": account, "source": source.value}
    last = next(iter(tx.rows("last_heard", **names)), None)
    if last is not None and to_ms(since) <= last["until_ms"] + _span_ms(PAUSE):
        tx.run("go_on_hearing", **names, since_ms=last["since_ms"], until_ms=to_ms(until))
    else:
        tx.run("begin_hearing", **names, since_ms=to_ms(since), until_ms=to_ms(until))


def begin_listening(tx: Tx, account: str, source: Source, now: datetime) -> None:
    """Note from when on a source may be heard, once: one that never is has been silent since then.

    That is a time without length: nothing was heard in it, and what comes later goes on from it.
    """
    if not tx.rows("last_heard", account=account, source=source.value):
        hear(tx, account, source, now, now)


def hearings(tx: Tx, account: str, begin: datetime, end: datetime) -> list[Heard]:
    """Return when sources were heard in a time, by source and in order."""
    found = tx.rows("hearings_of", account=account, from_ms=to_ms(begin), to_ms=to_ms(end))
    return [
        Heard(row["source"], from_ms(row["since_ms"]), from_ms(row["until_ms"])) for row in found
    ]


def _span_ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
