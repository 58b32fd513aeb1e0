"""What manifests tell of purged calls, taken over by a catalog that does not know it.

A catalog that was put back from a backup, or begun anew, still calls archived or expected what was
purged since. That a call was purged is never taken back: a tombstone wins over whatever else a
catalog has of a call. Each function is part of a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.accounts import Account
from archive.call import State
from archive.catalog.counts import Counting
from archive.catalog.dayfiles import mark_day
from archive.catalog.rebuild import tell_calls
from archive.clock import to_ms
from archive.manifest import day_of_folder
from archive.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.catalog.database import Tx
    from archive.manifest import Line


def state_of(tx: Tx, account: str, sid: str) -> State | None:
    """Return a call's state, None if it is not known."""
    rows = tx.rows("told_state", account=account, sid=sid)
    return State(rows[0]["state"]) if rows else None


def not_known(tx: Tx, tombstones: Iterable[Line]) -> list[Line]:
    """Return those that are news: the catalog does not have the call as purged."""
    return [line for line in tombstones if state_of(tx, line.account, line.sid) is not State.PURGED]


def take_over(tx: Tx, tombstones: Iterable[Line], *, folder: str, now: datetime) -> int:
    """Take the tombstones of a folder's manifest over; return how many calls are purged now.

    A call that a worker holds is left for another time.
    """
    count = 0
    for line in not_known(tx, tombstones):
        tx.rows("hold_call", account=line.account, sid=line.sid)
        if state_of(tx, line.account, line.sid) is State.LEASED:
            continue
        _bury(tx, line, now)
        # A call that is not known gets its row; of one that is, only what is missing.
        account, day = day_of_folder(folder) or (line.account, "")
        counting = Counting(tx, line.account)
        counting.before_sightings([line.sid])
        new = tell_calls(
            tx,
            [line],
            folder=folder,
            day=day,
            account=Account(name=account, sid="unknown"),
            readiness=Readiness(),
            now=now,
        )
        counting.calls_added(new)
        counting.sightings_added(len(line.sightings))
        count += 1
    if count:
        mark_day(tx, folder)
    return count


def _bury(tx: Tx, line: Line, now: datetime) -> None:
    mine = {"account": line.account, "sid": line.sid}
    if not tx.run(
        "purge_by_manifest",
        **mine,
        reason=line.reason,
        settled_ms=to_ms(line.settled_at or now),
    ):
        return
    for row in tx.rows("paths_of", **mine):
        mark_day(tx, row["path"].rsplit("/", 2)[0])
    # What this catalog has of recordings is all that it knows of their files: these go, too.
    why = line.purged[0].why if line.purged else line.reason
    at = line.purged[0].at if line.purged else line.settled_at or now
    tx.run("bury", **mine, purged_ms=to_ms(at), why=why)
    tx.run("unlist", **mine)
