"""A catalog on a server: made once, the same as in a file, and clear about what goes wrong."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import resources
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from archive.catalog import postgresql as module
from archive.catalog.database import name_of, open_database
from archive.catalog.postgresql_line import said_as_ours
from archive.catalog.sqlite import SqliteDatabase
from archive.errors import CatalogError, Exit
from tests.postgresql import running_server
from tests.unit.books import SIDS, Books, by_hand, called

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql import Server

_FOLDER = resources.files("archive.catalog")


@pytest.fixture
def books(postgresql: Server) -> Iterator[Books]:
    """An empty catalog on the server."""
    books = Books(postgresql.emptied())
    yield books
    books.database.close()


def test_it_has_the_tables_of_one_in_a_file(books: Books, tmp_path: Path) -> None:
    """By names and columns; what is a table here and a view there is the same to who reads it."""
    file = tmp_path / "catalog.db"
    SqliteDatabase(file).close()
    with closing(sqlite3.connect(file)) as line:
        expected = {
            (table, row[1])
            for (table,) in line.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            for row in line.execute(f"PRAGMA table_info({table})")
        }
    found = books.sql(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name <> 'rowid'"
        " AND table_name NOT IN ('count_changes', 'day_changes', 'catalog_version')"
    )
    assert expected == {tuple(row) for row in found}


def test_its_version_is_that_of_one_in_a_file() -> None:
    """A migration of the one that the other lacks is seen here."""
    numbers = {int(f.name[:4]) for f in (_FOLDER / "migrations").iterdir()}
    assert max(numbers) == max(module.migrations())


def test_text_is_compared_byte_by_byte(books: Books) -> None:
    """Whatever the language of the server: ranges of paths and orders of Sids rely on it."""
    loose = books.sql(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'text'"
        " AND collation_name IS DISTINCT FROM 'C'"
    )
    assert loose == []


def test_it_takes_every_query(books: Books) -> None:
    """Those of both kinds of catalogs as they are, too; planned, with a value for each name."""
    texts = [
        file.read_text()
        for folder in ("sql", "sql_postgresql")
        for file in (_FOLDER / folder).iterdir()
    ]
    names = {n for text in texts for n in re.findall(r"^-- name: (\w+)", text, re.MULTILINE)}
    with books.database.scratch() as tx:
        queries = tx._queries
        for name in sorted(n for n in names if n.startswith("make_")):
            getattr(queries, name)(tx.connection)
        for name in sorted(names):
            # The last are for a file alone.
            if name.startswith(("make_", "index_", "in_file_")):
                continue
            sql = getattr(queries, name).sql
            found = re.findall(r"%\((\w+)\)s", sql)
            # The text '1' is taken as a number, too, where its column is one.
            given: dict[str, object] = {n: 1 if n.endswith("_ms") else "1" for n in found}
            lists = dict.fromkeys(("sids", "accounts", "states"), "[]")
            with tx.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {cursor.mogrify(sql, given | lists)}")


def test_several_that_open_a_new_catalog_at_once_all_can(postgresql: Server) -> None:
    """One of them makes the tables, and the others find them."""
    together = threading.Barrier(4)

    def opened(url: str) -> int:
        together.wait(30)
        with closing(open_database(url)) as database, database.read() as tx:
            known: int = tx.value("known", account=None)
        return known

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            url = postgresql.url(postgresql.database())
            assert list(pool.map(opened, [url] * 4)) == [0] * 4


def test_a_catalog_of_a_newer_version_is_refused(postgresql: Server) -> None:
    """A program that does not know its tables would spoil them."""
    name = postgresql.database()
    open_database(postgresql.url(name)).close()
    postgresql.sql("UPDATE catalog_version SET version = 99", name)
    with pytest.raises(CatalogError, match="version 99, newer than this") as caught:
        open_database(postgresql.url(name))
    assert "a newer callvault" in caught.value.hint
    assert caught.value.exit_code is Exit.FATAL


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgresql:///x?host=/nowhere", "whether the server runs"),
        ("postgresql://127.0.0.1:1/x?connect_timeout=2", "whether the server runs"),
        ("postgresql://u:sesame@127.0.0.1:1/x?passfile=/n&foo=sesame", ""),
        ("postgresql://u:sesame@[::1/x", ""),
        ("postgresql://u:sesame@127.0.0.1:port/x", ""),
    ],
)
def test_a_server_that_cannot_be_reached_is_said_without_secrets(url: str, hint: str) -> None:
    """Whatever is wrong with the URL, its password is not told."""
    with pytest.raises(CatalogError, match=r"opening the catalog postgresql://") as caught:
        open_database(url)
    assert hint in caught.value.hint
    assert "sesame" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert "sesame" not in name_of(url)


def test_a_database_that_is_not_there_is_said(postgresql: Server) -> None:
    """With the command that makes it."""
    with pytest.raises(CatalogError, match='database "nowhere" does not exist') as caught:
        open_database(postgresql.url("nowhere"))
    assert "createdb" in caught.value.hint


def test_an_error_tells_no_values(books: Books) -> None:
    """The server's details have whole rows, and with them numbers of callers."""
    with pytest.raises(CatalogError, match="null value") as caught, books.database.write() as tx:
        by_hand(
            tx,
            "INSERT INTO calls (account, sid, due_ms, from_number) VALUES ('a', 'b', 1, '90000')",
        )
    assert "90000" not in f"{caught.value} {caught.value.__cause__}"


def test_a_transaction_that_failed_within_is_not_said_to_be_written(books: Books) -> None:
    """The server answers the COMMIT of such a one with an undoing, and calls that no error."""

    def overlooked() -> None:
        with books.database.write() as tx:
            by_hand(tx, "INSERT INTO owned_days (root, folder) VALUES (1, 'd')")
            with pytest.raises(psycopg.Error):
                by_hand(tx, "SELECT * FROM nowhere")

    with pytest.raises(CatalogError, match="undone"):
        overlooked()
    assert books.sql("SELECT * FROM owned_days") == []


def test_a_connection_that_was_lost_between_two_writes_is_made_anew(
    postgresql: Server, books: Books
) -> None:
    """Nothing was done on it yet, so nobody needs to know."""
    books.add(called(SIDS[0]))
    postgresql.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    )
    books.add(called(SIDS[1]))
    assert books.balance().known == 2


def test_a_write_whose_connection_is_lost_fails_and_the_next_one_works(
    postgresql: Server, books: Books
) -> None:
    """Nothing of it is kept."""

    def cut() -> None:
        with books.database.write() as tx:
            by_hand(tx, "INSERT INTO owned_days (root, folder) VALUES (1, 'd')")
            postgresql.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid()"
            )
            by_hand(tx, "INSERT INTO owned_days (root, folder) VALUES (1, 'e')")

    with pytest.raises(CatalogError, match="writing to the catalog") as caught:
        cut()
    assert "what is tried again later goes on" in caught.value.hint
    assert books.sql("SELECT * FROM owned_days") == []


def test_a_server_that_is_restarted_is_gone_on_with() -> None:
    """While it is away each write and read fails as the catalog's."""
    with running_server() as server:
        books = Books(server.emptied())
        books.add(called(SIDS[0]))
        server.stop()
        for doing in (lambda: books.add(called(SIDS[1])), books.balance):
            with pytest.raises(CatalogError) as caught:
                doing()
            assert caught.value.hint
        server.start()
        until = time.monotonic() + 30
        while True:
            try:
                books.add(called(SIDS[1]))
                break
            except CatalogError:
                assert time.monotonic() < until
                time.sleep(0.05)  # it is tried again from a second after the last time on
        assert books.balance().known == 2
        books.database.close()


def test_values_are_what_they_are_in_a_file(books: Books) -> None:
    """Sums are whole numbers, and flags are numbers, which may be given as true and false."""
    books.sql("INSERT INTO pauses VALUES ('a', '', '', ?, 7, 1, 1)", True)  # noqa: FBT003
    books.sql("INSERT INTO pauses VALUES ('b', '', '', ?, 2, 1, 1)", False)  # noqa: FBT003
    (row,) = books.sql("SELECT SUM(strikes), MIN(fatal), MAX(fatal) FROM pauses")
    assert tuple(row) == (9, 0, 1)
    assert {type(value) for value in row} == {int}


def test_long_results_come_in_parts(books: Books) -> None:
    """Who stops before the end leaves nothing open, and the next read works."""
    books.add(*(called(f"{n:032}") for n in range(2_500)))
    query: dict[str, Any] = {"account": "main", "first_day": "", "last_day": "9999-12-31"}
    names = "from_ms to_ms sid number exophone state reason direction status group_name least_s"
    query |= dict.fromkeys(f"{names} most_s flag source".split())
    with books.database.read() as tx:
        assert [f"{n:032}" for n in range(2_500)] == [
            row["sid"] for row in tx.stream("find_calls", **query)
        ]
        with closing(tx.stream("find_calls", **query)) as rows:
            assert next(rows)["sid"] == f"{0:032}"
    assert books.balance().known == 2_500


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (psycopg.OperationalError("connection timeout expired"), True),
        (psycopg.errors.AdminShutdown("terminating connection"), True),
        (psycopg.errors.CannotConnectNow("starting up"), True),
        (psycopg.errors.DiskFull("could not extend file"), False),
        (psycopg.errors.UndefinedTable("no such table"), False),
    ],
)
def test_a_server_that_is_away_is_told_from_one_that_refuses(
    error: psycopg.Error, *, is_away: bool
) -> None:
    """Whoever begins just then is started again later, and is not given up."""
    with pytest.raises(CatalogError) as told, said_as_ours("there", "reading"):
        raise error
    assert told.value.is_away == is_away
