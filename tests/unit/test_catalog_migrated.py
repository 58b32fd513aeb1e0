"""A filled catalog of the version before the counts and roots, brought up to the newest."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from archive.call import State
from archive.catalog import counts, postgresql
from archive.catalog.database import open_database
from archive.catalog.sqlite_migrations import migrations
from archive.verdicts import Absent
from tests.unit.books import SIDS, Books

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql import Server

_OLD: Final = 13
_CALLS: Final = (
    ("main", SIDS[0], "archived", ""),
    ("main", SIDS[1], "archived", ""),
    ("main", SIDS[2], "absent", "no-answer"),
    ("main", SIDS[3], "expected", "not-ready"),
    ("main", SIDS[4], "leased", "not-ready"),
    ("main", SIDS[5], "expected", ""),
    ("other", SIDS[0], "lost", "fetch-gone"),
)
_SEEN: Final = (*((*call[:2], "cdr") for call in _CALLS), ("main", SIDS[0], "listing"))
_FILES: Final = ((SIDS[0], "one", 1000), (SIDS[0], "two", 500), (SIDS[1], "one", 70))


def _rows() -> Iterator[str]:
    """Return the statements that fill it, for either kind: nothing of it comes from outside."""
    for account, sid, state, reason in _CALLS:
        lease = "'gone'" if state == "leased" else "NULL"
        yield (
            "INSERT INTO calls (account, sid, state, reason, day, due_ms, delete_by_ms, lease)"  # noqa: S608 - our words
            f" VALUES ('{account}', '{sid}', '{state}', '{reason}', '2026-02-09', 1, 2, {lease})"
        )
    for account, sid, source in _SEEN:
        yield f"INSERT INTO sightings VALUES ('{account}', '{sid}', '{source}', 1)"  # noqa: S608 - our words
    for sid, name, size in _FILES:
        yield (
            "INSERT INTO recordings (account, sid, object_name, path, sha256, bytes, format,"  # noqa: S608 - our words
            " channels, sample_rate, archived_ms) VALUES"
            f" ('main', '{sid}', '{name}', 'main/{sid}{name}', '', {size}, 'mp3', 1, 8000, 1)"
        )
    yield "INSERT INTO owned_days VALUES ('main/2026/02/09')"


def _old_file(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as line:
        line.executescript("".join(migrations()[:_OLD]))
        for statement in _rows():
            line.execute(statement)
        line.execute(f"PRAGMA user_version = {_OLD}")
    return path


def _old_on_server(server: Server) -> str:
    url = server.url(server.database())
    with psycopg.connect(url, autocommit=True) as line:
        for number, text in sorted(postgresql.migrations().items()):
            if number <= _OLD:
                line.execute(text.encode())
        for statement in _rows():
            line.execute(statement.encode())
        line.execute(b"CREATE TABLE catalog_version (version INTEGER NOT NULL)")
        line.execute("INSERT INTO catalog_version VALUES (%s)", [_OLD])
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """An old catalog, opened by this version."""
    if request.param == "sqlite":
        found = Books(_old_file(tmp_path / "catalog.db"))
    else:
        found = Books(_old_on_server(request.getfixturevalue("postgresql")))
    yield found
    found.database.close()


def test_what_it_held_is_counted(books: Books) -> None:
    """By state and reason, with what is leased; each account apart."""
    with books.database.read() as tx:
        assert counts.audit(tx) == []
        main, other = counts.quick_balance(tx, "main"), counts.quick_balance(tx, "other")
    expected = {State.ARCHIVED: 2, State.ABSENT: 1, State.EXPECTED: 2, State.LEASED: 1}
    assert expected == {state: calls for state, calls in main.states.items() if calls}
    assert main.reasons[State.EXPECTED] == main.reasons[State.LEASED] == {"not-ready": 1}
    assert (main.known, main.proved, main.recordings, main.bytes) == (6, 2, 3, 1570)
    assert (other.known, other.states[State.LOST], other.recordings) == (1, 1, 0)


def test_what_changes_from_then_on_is_counted_too(books: Books) -> None:
    """Rows that were there before count like others."""
    books.claim(SIDS[3])
    books.settle(SIDS[3], Absent("no-answer"))
    books.sql("DELETE FROM recordings WHERE object_name = 'two'")
    with books.database.read() as tx:
        assert counts.audit(tx) == []
        assert counts.quick_balance(tx).states[State.ABSENT] == 2
        assert counts.quick_balance(tx).bytes == 1070


def test_its_recordings_and_days_are_those_of_the_first_root(books: Books) -> None:
    """There was only one place for files; opening it once more changes nothing."""
    open_database(books.where).close()
    assert [row["root"] for row in books.sql("SELECT DISTINCT root FROM recordings")] == [1]
    owned = books.sql("SELECT root, folder FROM owned_days")
    assert [tuple(row) for row in owned] == [(1, "main/2026/02/09")]
