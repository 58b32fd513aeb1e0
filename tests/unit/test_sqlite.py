"""Opening a catalog in a file: made once, migrated once, and clear about what it cannot open."""

from __future__ import annotations

import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from archive.catalog import sqlite as module
from archive.catalog.sqlite import SqliteDatabase, queries
from archive.catalog.sqlite_migrations import migrations
from archive.errors import CatalogError, Exit
from tests.unit.books import SIDS, called

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books


def schema(path: Path) -> list[tuple[str, str]]:
    """Return what the file holds, and its version."""
    connection = sqlite3.connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        made = connection.execute("SELECT type, sql FROM sqlite_schema ORDER BY name").fetchall()
        return [("version", str(version)), *made]
    finally:
        connection.close()


def test_opening_again_changes_nothing(books: Books) -> None:
    """Migrations run once; what is in the catalog stays."""
    books.add(called(SIDS[0]))
    expected = schema(books.path)
    SqliteDatabase(books.path).close()
    assert expected == schema(books.path)
    assert books.balance().known == 1


def test_a_catalog_of_the_first_version_is_brought_up_with_all_it_holds(tmp_path: Path) -> None:
    """It has room for looks then, and nothing it held is changed."""
    path = tmp_path / "catalog.db"
    numbered = migrations()
    connection = sqlite3.connect(path)
    connection.executescript(numbered[0])
    connection.execute(
        "INSERT INTO calls (account, sid, due_ms, delete_by_ms) VALUES ('main', ?, 1, 2)", SIDS[:1]
    )
    before = connection.execute("SELECT * FROM calls").fetchall()
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()

    SqliteDatabase(path).close()
    SqliteDatabase(tmp_path / "new.db").close()
    assert schema(tmp_path / "new.db") == schema(path)
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT * FROM calls").fetchall()
    # Columns are only added, at the end.
    assert before == [row[: len(before[0])] for row in rows]
    assert connection.execute("SELECT * FROM looks").fetchall() == []
    connection.close()


def test_several_that_open_a_new_catalog_at_once_all_can(tmp_path: Path) -> None:
    """One of them migrates, and the others find it done."""
    together = threading.Barrier(6)

    def opened(path: Path) -> int:
        together.wait(30)
        database = SqliteDatabase(path)
        with database.read() as tx:
            known: int = tx.value("known", account=None)
        database.close()
        return known

    # Many catalogs, since in most nobody meets anybody at the moment that matters.
    with ThreadPoolExecutor(6) as pool:
        for number in range(40):
            path = tmp_path / f"{number}.db"
            assert list(pool.map(opened, [path] * 6)) == [0] * 6


def test_it_is_private_and_survives_a_power_cut(books: Books) -> None:
    """Only its owner reads it; a commit is on disk when it returns, beside readers (WAL)."""
    assert stat.S_IMODE(books.path.stat().st_mode) == 0o600
    with books.database.read() as tx:
        modes = [
            tx.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]
    assert modes == ["wal", 2]


def test_a_catalog_of_a_newer_version_is_refused(books: Books) -> None:
    """A program that does not know its tables would spoil them."""
    books.sql("PRAGMA user_version = 99")
    before = schema(books.path)
    with pytest.raises(CatalogError, match="version 99, newer than this") as caught:
        SqliteDatabase(books.path)
    assert "a newer callvault" in caught.value.hint
    assert caught.value.exit_code is Exit.FATAL
    assert before == schema(books.path)


@pytest.mark.parametrize("content", [b"no catalog\n" * 100, b"\xff" * 8192])
def test_a_file_that_is_no_database_is_kept_and_said(tmp_path: Path, content: bytes) -> None:
    """It is not written over, and the hint says what to do with it."""
    path = tmp_path / "catalog.db"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="opening the catalog") as caught:
        SqliteDatabase(path)
    assert "no catalog, or is damaged" in caught.value.hint
    assert content == path.read_bytes()


def test_a_place_that_cannot_be_is_said(tmp_path: Path) -> None:
    """A folder below a plain file, and a folder in the catalog's own place."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "catalog.db", tmp_path):
        with pytest.raises(CatalogError, match="opening the catalog") as caught:
            SqliteDatabase(path)
        assert "belongs to the user" in caught.value.hint


def test_an_sqlite_that_is_too_old_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has both versions, and nothing is made."""
    monkeypatch.setattr(module, "OLDEST_SQLITE", (99, 1, 0))
    with pytest.raises(CatalogError, match=r"too old for the catalog, which needs 99\.1\.0"):
        SqliteDatabase(tmp_path / "catalog.db")
    assert list(tmp_path.iterdir()) == []


def test_new_calls_are_counted_by_their_row_numbers_alone(tmp_path: Path) -> None:
    """What a chunk of an import costs does not grow with the catalog."""
    database = SqliteDatabase(tmp_path / "catalog.db")
    with database.read() as tx:
        text = queries().in_file_count_calls.sql
        plan = [
            row["detail"]
            for row in tx.connection.execute(f"EXPLAIN QUERY PLAN {text}", {"after": 1})
        ]
    database.close()
    assert [line for line in plan if "calls" in line] == [
        "SEARCH calls USING INTEGER PRIMARY KEY (rowid>?)"
    ]
