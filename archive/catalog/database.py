"""Opening the catalog by its URL, and what all catalogs have in common.

SQL lives in ``sql/*.sql``, one file a topic, each query named and commented there. Nothing above
this package writes SQL, or knows whether the catalog is a file or on a server.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

from archive.errors import CatalogError, InputError, NoCatalogError
from archive.timings import LOCK_S

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

T = TypeVar("T")
TRIES: Final = 5
"""How often a write is done before it is given up that others were in the way of each time."""
FIRST_ROOT: Final = 1
"""The number of a catalog's only root, or of the first of several."""
NO_ROOT: Final = 0
"""Where a process has no root before it that the catalog knows: all files are elsewhere."""
PACKAGE: Final = "archive.catalog"
_SQLITE: Final = "sqlite:///"
SERVER_SCHEMES: Final = ("postgresql://", "postgres://")


class Row(Protocol):
    """A row of a result: by the names of its columns, or by their places."""

    def __getitem__(self, key: str | int, /) -> Any: ...  # noqa: ANN401 - what the SQL selects
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def keys(self) -> Iterable[str]: ...  # noqa: D102 - the names of its columns


class Tx:
    """One transaction, or one read: runs the named queries of ``sql/*.sql``.

    ``queries`` are what aiosql made of them for this kind of connection. ``root`` is the number of
    the root whose files this process has before it: `archive.catalog.roots`.
    """

    counts_what_is_added: ClassVar[bool] = False
    """Whether new rows are counted without our doing: see `archive.catalog.counts`."""

    def __init__(
        self,
        connection: Any,  # noqa: ANN401 - each driver's own
        queries: Any,  # noqa: ANN401 - as above
        root: int = FIRST_ROOT,
    ) -> None:
        self.connection = connection
        self.root = root
        self._queries = queries

    def rows(self, query: str, **parameters: object) -> list[Row]:
        """Return all rows of a query."""
        return list(getattr(self._queries, query)(self.connection, **parameters))

    def stream(self, query: str, **parameters: object) -> Generator[Row, None, None]:
        """Yield the rows of a query one after another, however many there are.

        Who may stop before the last one closes it.
        """
        rows: Generator[Row, None, None] = getattr(self._queries, query)(
            self.connection, **parameters
        )
        return rows

    def row(self, query: str, **parameters: object) -> Row:
        """Return the one row of a query that always has one."""
        found: Row = getattr(self._queries, query)(self.connection, **parameters)
        return found

    def value(self, query: str, **parameters: object) -> Any:  # noqa: ANN401 - what the SQL selects
        """Return the first value of a query that always has one row."""
        return self.row(query, **parameters)[0]

    def run(self, query: str, **parameters: object) -> int:
        """Run a statement and return how many rows it changed."""
        return int(getattr(self._queries, query)(self.connection, **parameters))

    def run_many(
        self, query: str, rows: Iterable[Mapping[str, object]] | Iterable[Sequence[object]]
    ) -> int:
        """Run a statement once a row and return how many rows it changed in all.

        A row gives its values by name, or in order where the statement has no names.
        """
        return int(getattr(self._queries, query)(self.connection, rows))

    def table(self, name: str, columns: Sequence[str], order: str) -> Generator[Row, None, None]:
        """Yield all rows of a table, in an order, for `archive.catalog.copying`."""
        text = f"SELECT {', '.join(columns)} FROM {name} ORDER BY {order}"  # noqa: S608 - our words
        yield from self.connection.execute(text)

    def fill(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Put rows into a table."""
        places = ", ".join("?" * len(columns))
        text = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - as above
        self.connection.executemany(text, rows)


class Database(Protocol):
    """One connection to the catalog. Not shared between threads."""

    root: int
    """The number of the root whose files this process has before it."""

    @property
    def name(self) -> str:
        """What it is called in errors: never with a secret."""

    def write(self) -> AbstractContextManager[Tx]:
        """Run a write transaction; what it did is on disk when it ends.

        Raises:
            CatalogError: it cannot be written; nothing of the transaction was kept.
        """

    def read(self) -> AbstractContextManager[Tx]:
        """Read one consistent state, which writers do not change meanwhile.

        Raises:
            CatalogError: it cannot be read.
        """

    def scratch(self) -> AbstractContextManager[Tx]:
        """Write to temporary tables of this connection only: nobody waits for that, nor do we."""

    def errors(self, doing: str) -> AbstractContextManager[None]:
        """Turn the driver's errors into one that says what was being done, and what to look at.

        Raises:
            CatalogError: instead of any error of the driver.
        """

    def clock(self) -> datetime:
        """Return the time by which all who use this catalog decide."""

    @property
    def ahead(self) -> timedelta:
        """How far this machine's own clock is ahead of that."""

    def is_in_its_place(self) -> bool:
        """Tell whether what was opened is still what is to be found there."""

    def close(self) -> None:
        """Close the connection."""


def open_database(
    where: str | Path, *, patience_s: float = LOCK_S, for_import: bool = False, make: bool = True
) -> Database:
    """Open the catalog that a URL names, or that lies in a file, and migrate it.

    ``patience_s`` is how long a write waits for others. ``for_import`` takes less memory, and does
    less in between, for who brings a million calls. Without ``make`` none is made. Commands open
    theirs by `archive.belonging`.

    Raises:
        NoCatalogError: there is none, and none was to be made.
        CatalogError: it cannot be opened, or is no catalog.
    """
    # Loaded when needed: a driver takes as long to load as some commands run.
    if is_on_a_server(where):
        check_driver()
        from archive.catalog.postgresql import PostgresqlDatabase  # noqa: PLC0415 - as said above

        return PostgresqlDatabase(str(where), patience_s=patience_s, make=make)
    from archive.catalog.sqlite import SqliteDatabase  # noqa: PLC0415 - as said above

    return SqliteDatabase(file_of(where), patience_s=patience_s, for_import=for_import, make=make)


def written(database: Database, work: Callable[[Tx], T]) -> T:
    """Do something in a write transaction; once more, where another host was in its way.

    Raises:
        CatalogError: it cannot be written, or others were in its way again and again.
    """
    for _ in range(TRIES - 1):
        try:
            with database.write() as tx:
                return work(tx)
        except CatalogError as error:
            if not error.passing:
                raise
    with database.write() as tx:
        return work(tx)


def no_catalog(name: str, *, empty: bool = False) -> NoCatalogError:
    """Return the error of who looks for a catalog where none was made yet.

    ``empty``: there is a file, with nothing in it.
    """
    return NoCatalogError(
        f"there is no catalog yet: {name}{' is an empty file' if empty else ''}",
        hint="it is made as the first calls become known: callvault enqueue, poll, web or run",
    )


def check_driver() -> None:
    """Check that what speaks to a PostgreSQL server is installed.

    Raises:
        CatalogError: it is not.
    """
    if find_spec("psycopg") is None:
        raise CatalogError(
            "the catalog is on a PostgreSQL server, and psycopg is not installed",
            hint="install it with: pip install 'callvault[postgresql]'",
        )


def is_on_a_server(where: str | Path) -> bool:
    """Tell whether a catalog is on a server, and no file of ours."""
    return isinstance(where, str) and where.startswith(SERVER_SCHEMES)


def file_of(where: str | Path) -> Path:
    """Return the file that a catalog's URL names.

    Raises:
        InputError: it is on a server.
    """
    if is_on_a_server(where):
        raise InputError(
            f"the catalog {name_of(where)} is on a server, and no file",
            hint="see docs/how-to/postgresql.md for backups and for making it anew",
        )
    return where if isinstance(where, Path) else Path(where.removeprefix(_SQLITE))


def name_of(where: str | Path) -> str:
    """Return what a catalog is called in errors and reports: never with a secret."""
    if not is_on_a_server(where):
        return str(file_of(where))
    check_driver()
    from archive.catalog.postgresql_line import name_of_url  # noqa: PLC0415 - loaded when needed

    return name_of_url(str(where))
