"""The upkeep of the catalog's file: its WAL, statistics and free room, and whether it is sound.

Whether writing it anew pays is a pure decision, `vacuum_or_why_not`. The rest blocks.
A server looks after its files itself: there, nothing is done, and nothing is found.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog.sqlite import SqliteDatabase
from archive.timings import LOCK_S

if TYPE_CHECKING:
    from archive.catalog.database import Database, Tx

_FOLD_MS: Final = 500
"""How long a fold waits for others; while it waits, they wait for it."""
_SHARE: Final = 0.3
_LEAST: Final = 64 * 2**20
_MOST: Final = 4 * 2**30
"""What is written within the time that others wait for the lock, on a slow disk too."""
_ROOM: Final = 2.2
"""A vacuum writes all that is left twice: to a file beside it, and to the WAL."""


class Sizes(msgspec.Struct, frozen=True):
    """Bytes of the catalog's file, and those of them that hold nothing."""

    bytes: int
    free: int

    @property
    def used(self) -> int:
        """What is left when the free is given back."""
        return self.bytes - self.free


def vacuum_or_why_not(sizes: Sizes, *, room: int, workers: int) -> str:
    """Return why the file is not to be written anew; empty if it is.

    What is free is used again by what comes next, so it pays only when much is: after the first
    tidying, or one that keeps less. Nobody can write meanwhile, so nobody may be at work. ``room``
    is what the disk has.
    """
    if sizes.free < _LEAST or sizes.free < sizes.bytes * _SHARE:
        return "little is free"
    if workers:
        return "workers are at work"
    if sizes.used > _MOST:
        return "it is too large to be written anew while others wait"
    if room < sizes.used * _ROOM:
        return "the disk has no room for it"
    return ""


def sizes_of(database: Database) -> Sizes:
    """Measure the catalog."""
    if not isinstance(database, SqliteDatabase):
        with database.read() as tx:
            return Sizes(bytes=tx.value("bytes_of_catalog"), free=0)
    with database.bare("measuring") as connection:
        page, pages, free = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_size", "page_count", "freelist_count")
        )
    return Sizes(bytes=page * pages, free=page * free)


def room_of(database: Database) -> int:
    """Return the free bytes of the disk that has the catalog's file; 0 where that is not ours."""
    if not isinstance(database, SqliteDatabase):
        return 0
    return shutil.disk_usage(database.path.parent).free


def fold(database: Database) -> bool:
    """Fold the WAL into the file and empty it; return False where others were in the way.

    Most of it is folded beside who reads and writes. They are kept waiting for the rest only, and
    for no longer than we wait for them.
    """
    if not isinstance(database, SqliteDatabase):
        return True
    with database.bare("folding the WAL of") as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {_FOLD_MS}")
        try:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {LOCK_S * 1000}")
        return not busy


def vacuum(database: Database) -> None:
    """Write the whole file anew, without what is free."""
    if not isinstance(database, SqliteDatabase):
        return
    with database.bare("writing anew") as connection:
        connection.execute("VACUUM")


def damage(database: Database, most: int) -> list[str]:
    """Return what SQLite finds wrong with the file, at most so many; reads all of it."""
    if not isinstance(database, SqliteDatabase):
        return []
    with database.bare("checking") as connection:
        found = connection.execute(f"PRAGMA integrity_check({int(most)})").fetchall()
    return [str(row[0]) for row in found if row[0] != "ok"]


def contradictions(tx: Tx) -> dict[str, int]:
    """Count what no row should say in view of others, by what is wrong; only what there is."""
    return {row["fault"]: row["found"] for row in tx.rows("contradictions") if row["found"]}
