"""A catalog in one file: SQLite in WAL mode, migrated, with one writer at a time."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import aiosql

from archive.catalog.database import FIRST_ROOT, PACKAGE, Tx, no_catalog
from archive.catalog.sqlite_migrations import migrate
from archive.clock import system_clock
from archive.errors import CatalogError
from archive.timings import LOCK_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

OLDEST_SQLITE: Final = (3, 35, 0)
"""The first with ``RETURNING``, which claims need. Debian 11 and Ubuntu 22.04 have newer ones."""

_NAP_S: Final = (0.001, 0.004)
"""Between two looks at a lock that somebody has; the time of a short transaction."""
_CACHE_KIB: Final = 64 * 1024
_FOLD_PAGES: Final = 1_000
_CACHE_KIB_OF_IMPORT: Final = 24 * 1024
_FOLD_PAGES_OF_IMPORT: Final = 16_000


class SqliteDatabase:
    """One connection to a catalog in a file. Not shared between threads.

    ``patience_s`` is how long a write waits for others. ``for_import`` keeps less of the file in
    memory, and lets the WAL grow longer before it is folded into the file. Without ``make`` none is
    made.

    Raises:
        NoCatalogError: there is none, and none was to be made.
        CatalogError: SQLite is too old, or the file cannot be opened or is no catalog.
    """

    def __init__(
        self,
        path: Path,
        *,
        patience_s: float = LOCK_S,
        for_import: bool = False,
        make: bool = True,
    ) -> None:
        self.path = path
        self.root = FIRST_ROOT
        self.name = str(path)
        self._patience_s = patience_s
        cache_kib = _CACHE_KIB_OF_IMPORT if for_import else _CACHE_KIB
        fold_pages = _FOLD_PAGES_OF_IMPORT if for_import else _FOLD_PAGES
        self._connection = _connect(path, make=make)
        self._connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {fold_pages}")
        self._file = _identity(path)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Run a write transaction; what it did is on disk when it ends."""
        with catalog_errors(self.path, "writing to"):
            self._begin()
            try:
                yield Tx(self._connection, queries(), self.root)
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk rolls back by itself, and then there is nothing to roll back.
                with suppress(sqlite3.OperationalError):
                    self._connection.execute("ROLLBACK")
                raise

    def _begin(self) -> None:
        """Begin to write, once others let us.

        SQLite's own way of waiting sleeps longer and longer, up to 0.1 s, so that who has waited
        longest has the least chance: beside one who writes again and again it never had its turn
        for seconds. Here all look equally often.

        Raises:
            sqlite3.OperationalError: others did not let us for as long as anybody waits.
        """
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            until = time.monotonic() + self._patience_s
            while not self._try_to_begin(last=time.monotonic() > until):
                _nap()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {LOCK_S * 1000}")

    def _try_to_begin(self, *, last: bool) -> bool:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if last or not _is_busy(error):
                raise
            return False
        return True

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Read one consistent state, which writers do not change meanwhile."""
        with catalog_errors(self.path, "reading"):
            self._connection.execute("BEGIN")
            try:
                yield Tx(self._connection, queries(), self.root)
            finally:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def scratch(self) -> Iterator[Tx]:
        """Write to temporary tables of this connection only: nobody waits for that, nor do we."""
        with catalog_errors(self.path, "working beside"):
            self._connection.execute("BEGIN")
            try:
                yield Tx(self._connection, queries(), self.root)
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):
                    self._connection.execute("ROLLBACK")
                raise

    def errors(self, doing: str) -> AbstractContextManager[None]:
        """Turn SQLite's errors into the catalog's: see `catalog_errors`."""
        return catalog_errors(self.path, doing)

    @contextmanager
    def bare(self, doing: str) -> Iterator[sqlite3.Connection]:
        """Lend the connection outside of any transaction, for the upkeep of the file itself."""
        with catalog_errors(self.path, doing):
            yield self._connection

    def clock(self) -> datetime:
        """Return this machine's time: all who use the file are on it."""
        return system_clock()

    @property
    def ahead(self) -> timedelta:
        """Return none: there is one clock."""
        return timedelta()

    def is_in_its_place(self) -> bool:
        """Tell whether the file that was opened is still the one at its path.

        One that was deleted can be written to as if nothing were wrong, and is gone when closed.
        """
        return self._file == _identity(self.path)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def catalog_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn SQLite's errors into one that says what was being done and what to look at.

    Raises:
        CatalogError: instead of any ``sqlite3.Error``.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise CatalogError(f"{doing} the catalog {path}: {error}", hint=_hint(error)) from error


def _hint(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "another program holds it; see which with: fuser -v on the file"
    if "full" in text or "I/O" in text:
        return "the disk may be full or failing: check df -h and the system log"
    if "readonly" in text or "unable to open" in text:
        return "check that its folder exists and belongs to the user callvault runs as"
    if "not a database" in text or "malformed" in text:
        return (
            "the file is no catalog, or is damaged: keep it, and restore a backup, or make a new "
            "one of the archive's files by: callvault rebuild (docs/how-to/restore.md)"
        )
    return ""


def is_file_made(path: Path) -> bool:
    """Tell whether there is a catalog's file; an empty one is none, whoever left it there.

    Raises:
        CatalogError: nobody lets us look.
    """
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CatalogError(
            f"opening the catalog {path}: {error.strerror}",
            hint="check that its folder belongs to the user callvault runs as",
        ) from error


def _connect(path: Path, *, make: bool) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise CatalogError(
            f"SQLite {sqlite3.sqlite_version} is too old for the catalog, which needs {oldest}",
            hint="use a Python that is built with a newer SQLite",
        )
    if make:
        _make_file(path)
    elif not is_file_made(path):
        raise no_catalog(str(path), empty=path.exists())
    with catalog_errors(path, "opening"):
        # Never made here: it may be gone since it was looked for.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=LOCK_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        try:
            # Of a new catalog only: an import writes a quarter less by it than with half of that.
            connection.execute("PRAGMA page_size = 8192")
            _switch_to_wal(connection)
            # FULL: a commit is on disk when it returns, also after a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection, str(path), make=make)
        except BaseException:
            connection.close()
            raise
        return connection


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Numbers of callers and Sids are nobody else's business. Only a file that is made here is
        # opened here: closing any descriptor of a file drops all locks that this process has on it
        # (fcntl(2), "advisory record locking"), those of SQLite's other connections included.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise CatalogError(
            f"opening the catalog {path}: {error.strerror}",
            hint="check that its folder exists and belongs to the user callvault runs as",
        ) from error


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Have a WAL, as an opened catalog has already.

    Several who open a new one at once refuse each other this, and SQLite's own patience does not
    cover it (https://www.sqlite.org/wal.html, 8: "Sometimes Queries Return SQLITE_BUSY In WAL
    Mode").

    Raises:
        sqlite3.OperationalError: others did not let us for as long as anybody waits.
    """
    until = time.monotonic() + LOCK_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until:
                raise
            _nap()
        else:
            return


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _nap() -> None:
    time.sleep(random.uniform(*_NAP_S))  # noqa: S311 - chance protects nothing here


@cache
def queries() -> Any:  # noqa: ANN401 - aiosql makes its methods from the files
    """Return the named queries, as SQLite takes them."""
    with resources.as_file(resources.files(PACKAGE) / "sql") as folder:
        return aiosql.from_path(folder, "sqlite3")
