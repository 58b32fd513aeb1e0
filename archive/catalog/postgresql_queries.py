"""The named queries in PostgreSQL's words, and their rows.

Queries of ``sql/`` are taken as they are, but for those of the same names in ``sql_postgresql/``.
Their values are put into the text by libpq's own rules (psycopg's `ClientCursor`): the planner
then sees which of ``(:day IS NULL OR day = :day)`` is meant, and nothing is prepared on the server,
which a pooler between us and it would not keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import count, islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

import aiosql
from aiosql.adapters.pyformat import PyFormatAdapter
from psycopg.adapt import Dumper, Loader

from archive.catalog.database import FIRST_ROOT, PACKAGE, Row, Tx
from archive.catalog.rows import NEW_COLUMNS, OF_FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    import psycopg
    from psycopg.abc import Buffer

INT2_OID: Final = 21
_AT_ONCE: Final = 200
"""How many statements go to the server together."""
_FETCHED: Final = 1_000
_NUMBERS: Final = count()
_COPIED: Final = {
    "add_call": ("new_calls", NEW_COLUMNS),
    "add_sighting": ("new_sightings", ("account", "sid", "source", "seen_ms")),
    "fill_blanks_at_once": ("new_calls", OF_FACTS),
}
"""Loaded in bulk: by which statement, through which table, in which columns."""


class _Row:
    """A row by names and places, as SQLite's are."""

    __slots__ = ("_places", "_values")

    def __init__(self, values: Sequence[Any], places: Mapping[str, int]) -> None:
        self._values = values
        self._places = places

    def __getitem__(self, key: str | int) -> Any:  # noqa: ANN401 - what the SQL selects
        return self._values[self._places[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Row):
            return NotImplemented
        return self._places == other._places and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def keys(self) -> Iterable[str]:
        return self._places.keys()


def rows_of(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Row]:
    """Return what makes rows of a result's values (a row factory of psycopg)."""
    places = {column.name: place for place, column in enumerate(cursor.description or ())}
    return lambda values: _Row(values, places)


class WholeNumber(Loader):
    """Sums come as ``numeric``; all of ours are whole."""

    def load(self, data: Buffer) -> int:
        """Read it."""
        return int(bytes(data))


class YesAsNumber(Dumper):
    """Flags are numbers in our tables, as SQLite has no others."""

    oid = INT2_OID

    def dump(self, obj: bool) -> bytes:  # noqa: FBT001 - psycopg's
        """Write it."""
        return b"1" if obj else b"0"

    def quote(self, obj: bool) -> bytes:  # noqa: FBT001 - psycopg's
        """Write it into a statement."""
        return self.dump(obj)


class PostgresqlTx(Tx):
    """One transaction, or one read, on a server."""

    counts_what_is_added: ClassVar[bool] = True

    def __init__(self, connection: psycopg.Connection[Any], root: int = FIRST_ROOT) -> None:
        super().__init__(connection, _queries(), root)

    def stream(self, query: str, **parameters: object) -> Generator[Row, None, None]:
        """Yield the rows of a query one after another, of which few are here at a time."""
        sql = getattr(self._queries, query).sql
        with self.connection.cursor() as cursor:
            text = cursor.mogrify(sql, parameters)
        return self._in_parts(text)

    def _in_parts(self, text: str) -> Generator[Row, None, None]:
        with self.connection.cursor(f"parts_{next(_NUMBERS)}") as cursor:
            cursor.itersize = _FETCHED
            cursor.execute(text)
            yield from cursor

    def table(self, name: str, columns: Sequence[str], order: str) -> Generator[Row, None, None]:
        """Yield all rows of a table, in an order."""
        text = f"SELECT {', '.join(columns)} FROM {name} ORDER BY {order}"  # noqa: S608 - our words
        return self._in_parts(text)

    def fill(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Put rows into a table in bulk."""
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def run_many(
        self, query: str, rows: Iterable[Mapping[str, object]] | Iterable[Sequence[object]]
    ) -> int:
        """Run a statement once a row, or load the rows in bulk; return how many changed in all."""
        if query == "fill_blanks":
            named = [row for row in rows if isinstance(row, Mapping)]
            if len({row["sid"] for row in named}) == len(named):
                query = "fill_blanks_at_once"
            rows = named
        if query not in _COPIED:
            return super().run_many(query, rows)
        table, columns = _COPIED[query]
        getattr(self._queries, f"make_{table}")(self.connection)
        self.fill(table, columns, (_in_order(row, columns) for row in rows))
        return self.run(query)


def _in_order(
    row: Mapping[str, object] | Sequence[object], columns: Sequence[str]
) -> Sequence[object]:
    if isinstance(row, Mapping):
        return [row[name] for name in columns]
    return row


class _Adapter(PyFormatAdapter):
    """What aiosql asks for, with many statements in one message to the server."""

    def process_sql(self, query_name: str, op_type: Any, sql: str) -> str:  # noqa: ANN401 - aiosql's
        """Write a query for psycopg."""
        # The same function under another name: a row for each element, in a column 'value'.
        sql = sql.replace("%", "%%").replace("json_each(", "json_array_elements_text(")
        text: str = super().process_sql(query_name, op_type, sql)  # type: ignore[no-untyped-call]
        return text.rstrip().removesuffix(";")

    def insert_update_delete_many(
        self,
        conn: Any,  # noqa: ANN401 - aiosql knows no driver's connection
        query_name: str,  # noqa: ARG002 - aiosql's order
        sql: str,
        parameters: Any,  # noqa: ANN401 - as above
    ) -> int:
        """Run a statement once a row; return how many rows changed."""
        changed = 0
        rows = iter(parameters)
        with conn.cursor() as cursor:
            while chunk := list(islice(rows, _AT_ONCE)):
                cursor.execute("\n;".join(cursor.mogrify(sql, row) for row in chunk))
                changed += cursor.rowcount
                while cursor.nextset():
                    changed += cursor.rowcount
        return changed


class _Queries:
    """The queries of ``sql/``, but for those that are PostgreSQL's own."""

    def __init__(self, common: Any, own: Any) -> None:  # noqa: ANN401 - aiosql makes them
        self._common = common
        self._own = own

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        found = getattr(self._own, name, None) or getattr(self._common, name)
        setattr(self, name, found)
        return found


@cache
def _queries() -> _Queries:
    def read(folder: str) -> Any:  # noqa: ANN401 - aiosql makes its methods from the files
        with resources.as_file(resources.files(PACKAGE) / folder) as place:
            return aiosql.from_path(place, _Adapter)

    return _Queries(read("sql"), read("sql_postgresql"))
