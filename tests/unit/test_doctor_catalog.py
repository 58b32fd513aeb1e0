"""What `doctor` says of the catalog, and that looking at it changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.catalog import examine
from archive.catalog.examine import LongReadError, looking_at
from archive.catalog.pauses import Paused
from archive.catalog.sqlite import SqliteDatabase
from archive.catalog.troubles import Trouble
from archive.errors import CatalogError
from worker.doctor import catalog
from worker.doctor.catalog import CatalogFacts
from worker.doctor.check import Result
from worker.doctor.clocks import judge_clocks
from worker.doctor.mounts import Mount

if TYPE_CHECKING:
    from tests.unit.books import Books

_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_catalog_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Every other command makes it; a look must not."""
    path = tmp_path / "state" / "catalog.db"
    with pytest.raises(CatalogError), looking_at(path, within_s=5):
        raise AssertionError
    assert not path.parent.exists()


def test_an_older_catalog_is_not_migrated(tmp_path: Path) -> None:
    """Its version is told, and stays what it is."""
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
    for _ in range(2):
        with looking_at(path, within_s=5) as tx:
            found, ours = examine.version(tx)
        assert found == 3
        assert ours > 3


def test_a_look_cannot_write(books: Books) -> None:
    """Whatever it tried."""
    with pytest.raises(CatalogError, match="readonly"), looking_at(books.path, within_s=5) as tx:
        tx.connection.execute("DELETE FROM calls")


def test_a_look_that_takes_too_long_is_ended(books: Books) -> None:
    """It is no trouble of the catalog's."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n"
    with pytest.raises(LongReadError), looking_at(books.path, within_s=0.01) as tx:
        tx.connection.execute(endless).fetchone()


def test_a_sound_catalog_has_no_damage(books: Books) -> None:
    """And a file with a page overwritten has some."""
    with looking_at(books.path, within_s=60) as tx:
        assert examine.damage(tx) == []
    books.database.close()
    with books.path.open("r+b") as file:
        file.seek(2 * 8192)
        file.write(b"\xff" * 8192)
    with looking_at(books.path, within_s=60) as tx:
        damage = examine.damage(tx)
    assert damage
    assert catalog.judge_damage(damage).result is Result.FAILED


def test_a_write_cannot_begin_while_another_one_goes_on(books: Books) -> None:
    """And can before and after."""
    assert examine.can_write(books.path, within_s=0)
    other = SqliteDatabase(books.path)
    with other.write():
        assert not examine.can_write(books.path, within_s=0)
    other.close()
    assert examine.can_write(books.path, within_s=0)


@pytest.mark.parametrize(
    ("version", "wal_mb", "expected"),
    [(9, 0, Result.PASSED), (9, 600, Result.WARNED), (8, 0, Result.WARNED), (10, 0, Result.FAILED)],
)
def test_program_and_catalog_belong_together(version: int, wal_mb: int, expected: Result) -> None:
    """An older catalog is brought up; a newer one is refused; a log that grows is told."""
    facts = CatalogFacts(version, 9, 10**6, wal_mb * 10**6)
    assert catalog.judge_catalog(facts).result is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ext4", Result.PASSED),
        ("tmpfs", Result.PASSED),
        ("nfs4", Result.FAILED),
        ("cifs", Result.FAILED),
        ("fuse.sshfs", Result.FAILED),
    ],
)
def test_a_catalog_on_a_network_file_system_fails(kind: str, expected: Result) -> None:
    """SQLite's log needs memory that all its users share."""
    assert catalog.judge_place(Path("/srv/c.db"), Mount("/srv", kind)).result is expected


def test_where_mounts_are_not_told_nothing_is_said() -> None:
    """Not every system has them in /proc."""
    assert catalog.judge_place(Path("/srv/c.db"), None).result is Result.SKIPPED


_LOCKS = """\
1: POSIX  ADVISORY  WRITE 4242 08:02:1234 120 120
1: -> POSIX  ADVISORY  WRITE 77 08:02:1234 120 120
2: POSIX  ADVISORY  READ  99 08:02:1234 123 123
3: POSIX  ADVISORY  WRITE 55 08:02:9999 0 EOF
4: FLOCK  ADVISORY  WRITE 66 08:02:5555 0 EOF
5: POSIX  ADVISORY  WRITE 88 08:02:7777 128 128
"""


@pytest.mark.parametrize(("inode", "pid"), [(1234, 4242), (9999, 55), (5555, 0), (7777, 0), (1, 0)])
def test_who_holds_the_lock_is_found(inode: int, pid: int) -> None:
    """By the byte that writers lock, also where all of the file is; not who waits for it."""
    assert catalog.pid_of_lock(_LOCKS, inode) == pid


@given(st.text())
def test_no_text_breaks_the_reading_of_locks(text: str) -> None:
    """What is none is passed over."""
    assert catalog.pid_of_lock(text, 1234) >= 0


def test_who_holds_the_lock_is_named() -> None:
    """Or how to find out."""
    assert "sqlite3 (pid 7)" in catalog.judge_lock(is_free=False, holder="sqlite3 (pid 7)").said
    assert "fuser" in catalog.judge_lock(is_free=False, holder="").do
    assert catalog.judge_lock(is_free=True, holder="").result is Result.PASSED


def test_books_that_do_not_balance_fail() -> None:
    """With what does not add up."""
    assert catalog.judge_books([]).result is Result.PASSED
    assert catalog.judge_books(["2 of 3"]).said == "2 of 3"


def _paused(reason: str, *, fatal: bool) -> Paused:
    return Paused("account:main", reason, "why", fatal, 1, _NOW, _NOW + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([], Result.PASSED),
        ([_paused("api-unreachable", fatal=False)], Result.WARNED),
        ([_paused("operator", fatal=True)], Result.WARNED),
        ([_paused("operator", fatal=True), _paused("api-forbidden", fatal=True)], Result.FAILED),
        ([_paused("disk-full", fatal=True)], Result.FAILED),
    ],
)
def test_a_pause_fails_where_somebody_has_to_act(held: list[Paused], expected: Result) -> None:
    """One that a person made is meant, and one that passes by itself is waited out."""
    found = catalog.judge_pauses(held)
    assert found.result is expected
    assert bool(found.do) is bool(held)


def test_troubles_that_hosts_meet_are_told() -> None:
    """As `status` tells them."""
    assert catalog.judge_troubles([], 2).said == "none is noted; 2 worker processes beat"
    found = catalog.judge_troubles([Trouble("h1", "queue", "away", _NOW)], 0)
    assert (found.result, found.said) == (Result.FAILED, "queue on h1: away")


def test_clocks_that_are_off_are_told_of() -> None:
    """By host and seconds; some seconds are no matter."""
    said = "the clocks of a, b agree with the catalog's"
    assert said == judge_clocks({"b": 4.9, "a": -4.9}).said
    found = judge_clocks({"a": 0.0, "late": 420.2, "early": -419.7})
    assert found.result is Result.WARNED
    assert "early is 420 s behind it, late is 420 s ahead of it" in found.said
