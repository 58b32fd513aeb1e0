"""A catalog on a PostgreSQL server, for several hosts that share the work.

Many write at once here. Each write is one transaction (READ COMMITTED) whose statements are right
whatever others commit between them: see docs/decisions. The URL goes to libpq as it is.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from archive.catalog.database import PACKAGE
from archive.catalog.postgresql_queries import PostgresqlTx, WholeNumber, rows_of
from archive.errors import CatalogError
from archive.timings import LOCK_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archive.catalog.database import Tx

OLDEST_SERVER: Final = 130000
"""The oldest that its makers care for is newer; nothing of ours needs more than this one has."""

_CONNECT_S: Final = 10
_DEAD_AFTER_S: Final = 30
_MIGRATING: Final = 0x63616C6C
"""The number of the lock under which the tables are made: 'call'."""
_PASSING: Final = frozenset({"40001", "40P01"})
"""Two transactions were in each other's way, and this one was undone: it may be done again."""
_USUAL: Final[Mapping[str, Any]] = {
    "connect_timeout": _CONNECT_S,
    # A host that is cut off is noticed, and does not hold the rows that it wrote to.
    "keepalives_idle": _DEAD_AFTER_S,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": _DEAD_AFTER_S * 1000,
    "fallback_application_name": "callvault",
    "client_encoding": "utf8",
}
_SESSION: Final = """
SET lock_timeout = {patience_ms};
SET idle_in_transaction_session_timeout = '10min';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SET client_min_messages = warning;
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""
_HINTS: Final = (
    ("57P", "the server is being stopped or started: what is tried again later goes on"),
    ("08", "the server cannot be reached just now: what is tried again later goes on"),
    ("28", "check user and password: PGPASSFILE, PGPASSWORD, or the server's pg_hba.conf"),
    ("3D", "make the database first: createdb"),
    ("42501", "the user needs the rights to make and use tables in this database's schema"),
    ("53100", "the server's disk is full"),
    ("53300", "the server has no connection left: two for each process of callvault are needed"),
    ("55P03", "somebody else holds it; see who with: SELECT * FROM pg_stat_activity"),
    ("25006", "this server only reads (a standby): name the one that writes"),
    ("42", "its tables are not what this program made: has somebody changed them?"),
)
_REFUSALS: Final = (
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ("does not exist", "3D"),
    ("starting up", "57P"),
    ("shutting down", "57P"),
    ("too many clients", "53300"),
)
"""Parts of what a server says that refuses a connection: libpq passes on no code."""


class PostgresqlDatabase:
    """One connection to a catalog on a server. Not shared between threads.

    A connection that was lost is made anew by the next transaction. ``patience_s`` is how long a
    write waits for who holds a row.

    Raises:
        CatalogError: the server cannot be reached or refuses us, or what it has is no catalog.
    """

    def __init__(self, url: str, *, patience_s: float = LOCK_S) -> None:
        self.name = name_of_url(url)
        self._url = url
        self._patience_s = patience_s
        with self.errors("opening"):
            self._line = self._connect()
            try:
                migrate(self._line, self.name)
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
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with self._transaction(begin, "reading") as tx:
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
                yield PostgresqlTx(self._line)
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
        self._line = self._connect()
        self._line.execute(begin)

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn the driver's errors into one that says what was being done and what to look at.

        Raises:
            CatalogError: instead of any ``psycopg.Error``; without its details, which tell values.
        """
        try:
            yield
        except psycopg.Error as error:
            raise self._said(error, doing) from None

    def _said(self, error: psycopg.Error, doing: str) -> CatalogError:
        state = error.sqlstate or ""
        text = error.diag.message_primary or str(error).strip().partition("\n")[0]
        told = CatalogError(f"{doing} the catalog {self.name}: {text}", hint=_hint(error, state))
        told.passing = state in _PASSING
        return told

    def is_in_its_place(self) -> bool:
        """Tell that nobody takes a server's catalog away unseen."""
        return True

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            given = conninfo_to_dict(self._url)
        except psycopg.ProgrammingError:
            # What is said of such a one has all of it, a password included.
            raise CatalogError(
                f"opening the catalog {self.name}: its URL cannot be read",
                hint="write postgresql://USER@HOST:PORT/DATABASE, as libpq takes it",
            ) from None
        usual = {key: value for key, value in _USUAL.items() if key not in given}
        if "PGCONNECT_TIMEOUT" in os.environ:
            usual.pop("connect_timeout", None)
        line = psycopg.connect(
            self._url,
            autocommit=True,
            cursor_factory=psycopg.ClientCursor,
            row_factory=rows_of,
            **usual,
        )
        line.adapters.register_loader("numeric", WholeNumber)
        line.execute(_SESSION.format(patience_ms=int(self._patience_s * 1000)))
        return line


def name_of_url(url: str) -> str:
    """Return what a server's catalog is called: where it is, and nothing secret."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        return "postgresql://"
    if given.get("service"):
        return f"postgresql:///?service={given['service']}"
    port = f":{given['port']}" if given.get("port") else ""
    return f"postgresql://{given.get('host') or ''}{port}/{given.get('dbname') or ''}"


def _hint(error: psycopg.Error, state: str) -> str:
    for beginning, hint in _HINTS:
        if state.startswith(beginning):
            return hint
    if isinstance(error, psycopg.OperationalError) and not state:
        for part, code in _REFUSALS:
            if part in str(error):
                return next(hint for beginning, hint in _HINTS if code.startswith(beginning))
        return "look whether the server runs and lets us in: psql with the same URL"
    return ""


def migrate(line: psycopg.Connection[Any], name: str) -> None:
    """Bring the catalog to this program's version, one numbered file after another, under a lock.

    Raises:
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
