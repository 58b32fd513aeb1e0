"""Looking at a catalog without making, migrating or changing it, for `doctor`."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog.database import Tx, check_driver, file_of, is_on_a_server
from archive.catalog.sqlite import catalog_errors, is_file_made, queries
from archive.catalog.sqlite_migrations import newest_version
from archive.clock import from_ms
from archive.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_SOON_S: Final = 10.0
_STEPS: Final = 10_000
"""Steps of SQLite's machine between two looks at the clock: some milliseconds."""


class LongReadError(CatalogError):
    """A look was ended, since it would have taken too long."""


class Known(msgspec.Struct, frozen=True):
    """A recording as the catalog has it."""

    sid: str
    object_name: str
    sha256: str
    bytes: int


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """How the calls of one day stand, and what was heard and archived last.

    ``usual`` is on how many of the seven days before there were calls.
    """

    calls: int
    unsettled: int
    settled_at: datetime | None
    archived_at: datetime | None
    listed_at: datetime | None
    usual: int


@contextmanager
def looking_at(where: str | Path, *, within_s: float) -> Iterator[Tx]:
    """Open the catalog for reading only, for so long; nothing is made where there is none.

    Raises:
        LongReadError: a query took longer.
        CatalogError: it cannot be opened or read.
    """
    if is_on_a_server(where):
        check_driver()
        from archive.catalog.postgresql import looking  # noqa: PLC0415 - loaded when needed

        with looking(str(where), within_s=within_s) as (tx, took_too_long):
            try:
                yield tx
            except took_too_long as error:
                raise _too_long(within_s) from error
        return
    path = file_of(where)
    with catalog_errors(path, "reading"), closing(_open(path, "ro")) as connection:
        until = time.monotonic() + within_s
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        connection.execute("BEGIN")
        try:
            yield Tx(connection, queries())
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise _too_long(within_s) from error
            raise


def _too_long(within_s: float) -> LongReadError:
    return LongReadError(f"not looked at to the end: it would take more than {within_s:.0f} s")


def bytes_of(where: str | Path, tx: Tx) -> tuple[int, int]:
    """Return the bytes of a catalog, and of the log that is folded into it now and then."""
    if is_on_a_server(where):
        return int(tx.value("bytes_of_catalog")), 0
    path = file_of(where)
    log = path.with_name(f"{path.name}-wal")
    return path.stat().st_size, log.stat().st_size if log.exists() else 0


def is_made(where: str | Path) -> bool:
    """Tell whether there is a catalog; on a server, whether its tables were made.

    Raises:
        CatalogError: the server cannot be reached.
    """
    if not is_on_a_server(where):
        return is_file_made(file_of(where))
    with looking_at(where, within_s=_SOON_S) as tx:
        return bool(tx.value("is_made"))


def server_time(tx: Tx) -> datetime:
    """Return what time a server has."""
    return from_ms(int(tx.value("server_ms")))


def version(tx: Tx) -> tuple[int, int]:
    """Return the catalog's version, and this program's."""
    return int(tx.value("migration")), newest_version()


def damage(tx: Tx) -> list[str]:
    """Return what SQLite finds wrong with the file: the first few; reads all of it."""
    found = [str(row[0]) for row in tx.rows("quick_check")]
    return [] if found == ["ok"] else found


def can_write(where: str | Path, *, within_s: float) -> bool:
    """Tell whether a transaction that writes can begin; nothing is written.

    Raises:
        CatalogError: for another reason than that somebody else writes all the time.
    """
    if is_on_a_server(where):
        with looking_at(where, within_s=within_s) as tx:
            return not tx.value("reads_only")
    path = file_of(where)
    with catalog_errors(path, "writing to"), closing(_open(path, "rw")) as connection:
        connection.execute(f"PRAGMA busy_timeout = {int(within_s * 1000)}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise
        connection.execute("ROLLBACK")
        return True


def newest(tx: Tx, account: str, *, sid: str | None, largest: int, most: int) -> list[Known]:
    """Return the recordings that were archived last, or those of one call; none too large."""
    rows = tx.rows("newest_recordings", account=account, sid=sid, largest=largest, most=most)
    return [Known(row["sid"], row["object_name"], row["sha256"], row["bytes"]) for row in rows]


def hashes(tx: Tx, account: str, sid: str) -> dict[str, str]:
    """Return the SHA-256 of each recording of a call by its object name."""
    rows = tx.rows("sha256_of", account=account, sid=sid)
    return {row["object_name"]: row["sha256"] for row in rows}


def night(tx: Tx, account: str, day: str, *, first_day: str, before: str) -> Night:
    """Return how a day stands; ``first_day`` to ``before`` are the days that are usual."""
    row = tx.row("night", account=account, day=day)
    heard = next(iter(tx.rows("last_heard", account=account, source="listing")), None)
    usual = tx.value("days_with_calls", account=account, first_day=first_day, last_day=before)
    return Night(
        calls=row["calls"],
        unsettled=row["unsettled"],
        settled_at=_moment(row["settled_ms"]),
        archived_at=_moment(tx.value("newest_archived", account=account)),
        listed_at=_moment(heard["until_ms"]) if heard else None,
        usual=usual,
    )


def outcomes(tx: Tx, account: str, first_day: str, last_day: str) -> dict[tuple[str, str], int]:
    """Return how many calls of some days ended in each state with each reason."""
    rows = tx.rows("outcomes", account=account, first_day=first_day, last_day=last_day)
    return {(row["state"], row["reason"]): row["calls"] for row in rows}


def met(tx: Tx, account: str, first_day: str, last_day: str) -> dict[str, int]:
    """Return how many calls of some days met each reason on their way."""
    rows = tx.rows("seen_on_the_way", account=account, first_day=first_day, last_day=last_day)
    return {row["reason"]: row["calls"] for row in rows}


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    return connection
