"""Which recordings are deleted, noted before their files go; each is part of a transaction.

The order is: noted here; the lists of their days written without them; their files removed; that
noted, too. A crash between any two is finished by the next run, since what is noted and not yet
removed is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archive.call import State
from archive.catalog.dayfiles import mark_day
from archive.clock import from_ms, to_ms
from archive.manifest import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.catalog.database import Row, Tx
    from archive.purging import Horizon


class Purgeable(msgspec.Struct, frozen=True, kw_only=True):
    """A call with recordings, how many and how large. ``day`` is ``YYYY-MM-DD`` or empty."""

    account: str
    sid: str
    day: str
    state: State
    began: datetime | None
    delete_by: datetime
    recordings: int
    bytes: int


class Group(msgspec.Struct, frozen=True):
    """Calls of an account, a day (``YYYY-MM-DD``) and an ExoPhone, which are kept alike."""

    account: str
    day: str
    exophone: str


class Buried(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a recording that was deleted; ``path`` is below the root.

    ``day`` is its call's, which need not be that of the folder.
    """

    account: str
    sid: str
    object_name: str
    path: str
    sha256: str
    bytes: int
    at: datetime
    why: str
    day: str

    @property
    def folders(self) -> set[str]:
        """Return the folders whose lists told of it."""
        return {self.path.rsplit("/", 2)[0], folder_of(self.account, self.day)}


def days(tx: Tx, account: str, last_day: str) -> list[str]:
    """Return the days up to one on which calls have recordings."""
    return [row["day"] for row in tx.rows("purge_days", account=account, last_day=last_day)]


def exophones(tx: Tx, account: str, day: str) -> list[str]:
    """Return the ExoPhones of the calls of a day that may have recordings (empty: unknown)."""
    rows = tx.rows("purge_exophones", account=account, day=day)
    return [row["exophone"] for row in rows]


def due(tx: Tx, group: Group, horizon: Horizon, most: int) -> list[Purgeable]:
    """Return some calls of a group whose recordings may go."""
    values = {**msgspec.structs.asdict(group), **_limits(horizon)}
    return [_purgeable(row) for row in tx.rows("purge_due", most=most, **values)]


def amount(tx: Tx, group: Group, horizon: Horizon) -> tuple[int, int, int]:
    """Return how many calls of a group, recordings and bytes may go."""
    row = tx.row("purge_amount", **msgspec.structs.asdict(group), **_limits(horizon))
    return row["calls"], row["recordings"], row["bytes"]


def recordings(tx: Tx) -> int:
    """Return how many recordings there are in all."""
    return int(tx.value("recordings_in_all"))


def newest(tx: Tx, accounts: Iterable[str]) -> datetime | None:
    """Return the latest that the catalog knows: a call that was settled, an hour of work.

    A purge is none: one that a wrong clock had would vouch for that clock.
    """
    found = [row["at_ms"] for row in tx.rows("newest_tally")]
    for account in accounts:
        found += [row["at_ms"] for row in tx.rows("newest_settled", account=account)]
    return from_ms(max(found)) if found else None


def named(tx: Tx, account: str, sid: str) -> Purgeable | None:
    """Return a call by its Sid, None if it is not known."""
    return next((_purgeable(row) for row in tx.rows("purge_named", account=account, sid=sid)), None)


def bury(tx: Tx, calls: Iterable[Purgeable], *, reason: str, why: str, now: datetime) -> int:
    """Note that the recordings of calls are deleted; return how many that are.

    A call that is looked at again by now keeps what it has.
    """
    count = 0
    for call in calls:
        mine = {"account": call.account, "sid": call.sid}
        tx.rows("hold_call", **mine)
        # Their call's day is marked by a trigger; they may lie in another one's folder.
        for row in tx.rows("paths_of", **mine):
            mark_day(tx, row["path"].rsplit("/", 2)[0])
        count += tx.run("bury", **mine, purged_ms=to_ms(now), why=why)
        tx.run("unlist", **mine)
        tx.run("mark_purged", **mine, reason=reason, settled_ms=to_ms(now))
    return count


def to_remove(tx: Tx, after: str, most: int) -> list[Buried]:
    """Return deleted recordings whose files may still lie in this root, behind a path."""
    return [
        Buried(
            account=row["account"],
            sid=row["sid"],
            object_name=row["object_name"],
            path=row["path"],
            sha256=row["sha256"],
            bytes=row["bytes"],
            at=from_ms(row["purged_ms"]),
            why=row["why"],
            day=row["day"],
        )
        for row in tx.rows("to_remove", after=after, most=most, root=tx.root)
    ]


def left_to_remove(tx: Tx) -> int:
    """Return how many deleted recordings may have files that lie in this root still."""
    return int(tx.value("left_to_remove", root=tx.root))


def left_elsewhere(tx: Tx) -> int:
    """Return how many may have files in other roots: the hosts that have these remove them."""
    return int(tx.row("left_to_remove", root=tx.root)["elsewhere"])


def remove_again(tx: Tx, account: str, sid: str, path: str) -> bool:
    """Note that a file of a deleted recording has come back; return whether it is one."""
    return bool(tx.run("remove_again", account=account, sid=sid, path=path))


def note_removed(tx: Tx, gone: Iterable[Buried], now: datetime) -> None:
    """Note that files are gone."""
    tx.run_many(
        "note_removed",
        [
            {
                "account": one.account,
                "sid": one.sid,
                "object_name": one.object_name,
                "path": one.path,
                "removed_ms": to_ms(now),
            }
            for one in gone
        ],
    )


def _limits(horizon: Horizon) -> dict[str, object]:
    return {
        "began_before_ms": to_ms(horizon.began_before),
        "deleted_before_ms": to_ms(horizon.deleted_before),
    }


def _purgeable(row: Row) -> Purgeable:
    return Purgeable(
        account=row["account"],
        sid=row["sid"],
        day=row["day"],
        state=State(row["state"]),
        began=None if row["began_ms"] is None else from_ms(row["began_ms"]),
        delete_by=from_ms(row["delete_by_ms"]),
        recordings=row["recordings"],
        bytes=row["bytes"],
    )
