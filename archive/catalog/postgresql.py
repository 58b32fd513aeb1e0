"""A catalog on a PostgreSQL server, for several hosts that share the work.

Many write at once here. Each write is one transaction (READ COMMITTED) whose statements are right
whatever others commit between them: see docs/decisions.
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import psycopg

from archive.catalog.database import FIRST_ROOT, PACKAGE, no_catalog
from archive.catalog.postgresql_line import connect, name_of_url, said_as_ours
from archive.catalog.postgresql_queries import PostgresqlTx
from archive.catalog.server_clock import ServerClock
from archive.clock import from_ms
from archive.errors import CatalogError
from archive.timings import LOCK_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

    from archive.catalog.database import Tx

OLDEST_SERVER: Final = 130000
"""The oldest that its makers care for is newer; nothing of ours needs more than this one has."""
_MIGRATING: Final = 0x63616C6C
"""The number of the lock under which the tables are made: 'call'."""
_AWAY_S: Final = 1.0
_TIME: Final = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresqlDatabase:
    """One connection to a catalog on a server. Not shared between threads.

    A connection that was lost is made anew by the next transaction. ``patience_s`` is how long a
    write waits for who holds a row. Without ``make`` no tables are made.

    Raises:
        NoCatalogError: there are none, and none were to be made.
        CatalogError: the server cannot be reached or refuses us, or what it has is no catalog.
    """

    def __init__(self, url: str, *, patience_s: float = LOCK_S, make: bool = True) -> None:
        self.name = name_of_url(url)
        self.root = FIRST_ROOT
        self._url = url
        self._patience_s = patience_s
        self._clock = ServerClock()
        self._away = ""
        self._away_until = 0.0
        with self.errors("opening"):
            self._line = connect(self._url, patience_s=self._patience_s)
            try:
                migrate(self._line, self.name, make=make)
                self._clock.ask(self._ask_time)
            except BaseException:
                self._line.close()
                raise

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Run a write transaction; what it did is on disk when it ends.

        Where the server went away while it was being committed, nobody knows whether it was: it is
        said not to be, and what is done again finds itself done (docs/decisions).
        """
        with self._transaction("BEGIN", "writing to") as tx:
            yield tx
            ended = self._line.execute("COMMIT").statusmessage
            if ended != "COMMIT":
                raise CatalogError(f"writing to the catalog {self.name}: it was undone ({ended})")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Read one consistent state, which writers do not change meanwhile."""
        with self._transaction(_READ, "reading") as tx:
            yield tx
            self._line.execute("ROLLBACK")

    @contextmanager
    def scratch(self) -> Iterator[Tx]:
        """Write to temporary tables of this connection only: nobody waits for that, nor do we."""
        with self._transaction("BEGIN", "working beside") as tx:
            yield tx
            self._line.execute("COMMIT")

    @contextmanager
    def _transaction(self, begin: str, doing: str) -> Iterator[Tx]:
        with self.errors(doing):
            self._begin(begin)
            try:
                if self._clock.is_old:
                    self._clock.ask(self._ask_time)
                yield PostgresqlTx(self._line, self.root)
            except BaseException:
                # A connection that is lost has nothing to roll back.
                with suppress(psycopg.Error):
                    self._line.execute("ROLLBACK")
                raise

    def _begin(self, begin: str) -> None:
        """Begin a transaction; on a new connection if the old one turns out to be lost."""
        if not self._line.closed:
            try:
                self._line.execute(begin)
            except psycopg.OperationalError:
                if not self._line.closed:
                    raise
            else:
                return
        self._line = self._connect_again()
        self._line.execute(begin)

    def _ask_time(self) -> datetime:
        told: Any = self._line.execute(_TIME).fetchone()
        return from_ms(told[0])

    def clock(self) -> datetime:
        """Return the server's time."""
        return self._clock()

    @property
    def ahead(self) -> timedelta:
        """How far this machine's own clock is ahead of the server's."""
        return self._clock.ahead

    def _connect_again(self) -> psycopg.Connection[Any]:
        """Connect anew; for a moment after that was in vain, it is not even tried.

        Else each of many who wait for a server that is away would wait as long as the first.
        """
        if time.monotonic() < self._away_until:
            raise psycopg.OperationalError(self._away)
        try:
            return connect(self._url, patience_s=self._patience_s)
        except psycopg.Error as error:
            self._away, self._away_until = str(error), time.monotonic() + _AWAY_S
            raise

    def errors(self, doing: str) -> AbstractContextManager[None]:
        """Turn the driver's errors into the catalog's: see `said_as_ours`."""
        return said_as_ours(self.name, doing)

    def is_in_its_place(self) -> bool:
        """Tell that nobody takes a server's catalog away unseen."""
        return True

    def close(self) -> None:
        """Close the connection."""
        self._line.close()


@contextmanager
def looking(url: str, *, within_s: float) -> Iterator[tuple[Tx, type[Exception]]]:
    """Lend a connection that only reads and makes nothing, with the error of one that is too slow.

    Raises:
        CatalogError: it cannot be opened or read.
    """
    with (
        said_as_ours(name_of_url(url), "reading"),
        closing(connect(url, patience_s=within_s)) as line,
    ):
        line.execute(f"SET statement_timeout = {int(within_s * 1000)}")
        line.execute(_READ)
        yield PostgresqlTx(line), psycopg.errors.QueryCanceled


def migrate(line: psycopg.Connection[Any], name: str, *, make: bool = True) -> None:
    """Bring the catalog to this program's version, one numbered file after another, under a lock.

    Raises:
        NoCatalogError: there is none, and without ``make`` none is made.
        CatalogError: a newer program made it, or the server cannot hold a catalog.
    """
    numbered = migrations()
    newest = max(numbered)
    if line.info.server_version < OLDEST_SERVER:
        raise CatalogError(
            f"the server of {name} is PostgreSQL {line.info.server_version // 10_000}",
            hint=f"{OLDEST_SERVER // 10_000} is the oldest that will do",
        )
    version = _version(line)
    if version > newest:
        raise CatalogError(
            f"the catalog is of version {version}, newer than this program's {newest}",
            hint="a newer callvault has used it: use that one",
        )
    if version == newest:
        return
    with line.transaction():
        line.execute(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        # Looked at again under the lock: another process may have been quicker.
        version = _version(line)
        if version == 0:
            if not make:
                raise no_catalog(name)
            _check_encoding(line, name)
        for number, text in sorted(numbered.items()):
            if number > version:
                line.execute(text)
        line.execute("CREATE TABLE IF NOT EXISTS catalog_version (version INTEGER NOT NULL)")
        line.execute("DELETE FROM catalog_version")
        line.execute("INSERT INTO catalog_version (version) VALUES (%s)", [newest])


def migrations() -> dict[int, str]:
    """Return the migrations by their numbers, which are those of SQLite's."""
    folder = resources.files(PACKAGE) / "migrations_postgresql"
    return {int(file.name[:4]): file.read_text() for file in folder.iterdir()}


def _version(line: psycopg.Connection[Any]) -> int:
    # Read from the table of tables: by to_regclass, one that was made a moment ago is not seen.
    made = line.execute(
        "SELECT 1 FROM pg_class WHERE relname = 'catalog_version' AND pg_table_is_visible(oid)"
    ).fetchone()
    if made is None:
        return 0
    found = line.execute("SELECT COALESCE(MAX(version), 0) FROM catalog_version").fetchone()
    return 0 if found is None else int(found[0])


def _check_encoding(line: psycopg.Connection[Any], name: str) -> None:
    found = line.execute("SHOW server_encoding").fetchone()
    if found is not None and found[0] != "UTF8":
        raise CatalogError(
            f"the database {name} keeps text as {found[0]}",
            hint="make one that keeps UTF-8: createdb --encoding=UTF8 --template=template0",
        )
