"""The catalog locked by another program, or its disk full: writes wait, or are done later."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.catalog.database import file_of
from archive.catalog.sqlite import SqliteDatabase
from archive.catalog.writer import Catalog
from archive.errors import CatalogError
from tests.integration.workers import SIDS, Held, open_yard, run_batch, until
from worker.heart import beat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archive.catalog.database import Tx


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the catalog's lock as another program does."""
    line = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closing(line):
        line.execute("BEGIN IMMEDIATE")
        yield line


def mark(tx: Tx, folder: str) -> None:
    """Write any row."""
    tx.run("mark_day", folder=folder)


def test_a_write_waits_for_who_holds_the_lock(tmp_path: Path) -> None:
    """It is done as soon as the other one lets go."""
    database = SqliteDatabase(tmp_path / "catalog.db")
    with closing(database), locked(database.path) as other:
        letting_go = threading.Timer(0.3, other.execute, ["ROLLBACK"])
        letting_go.start()
        with database.write() as tx:
            mark(tx, "a")
        assert not other.in_transaction
        letting_go.join()


def test_a_lock_that_is_never_let_go_is_said(tmp_path: Path) -> None:
    """After its patience; reading goes on meanwhile, and writing does afterwards."""
    database = SqliteDatabase(tmp_path / "catalog.db", patience_s=0.05)
    with closing(database):
        with locked(database.path):
            with pytest.raises(CatalogError, match="locked") as caught, database.write():
                pass
            assert "another program holds it" in caught.value.hint
            with database.read() as tx:
                assert tx.rows("changed_days") == []
        with database.write() as tx:
            mark(tx, "a")


async def test_many_that_write_at_once_all_have_their_turn(tmp_path: Path) -> None:
    """Six connections, each with twenty writes: none is refused, none is lost."""
    path = tmp_path / "catalog.db"
    SqliteDatabase(path).close()

    def write(name: int) -> None:
        with closing(SqliteDatabase(path)) as database:
            for number in range(20):
                with database.write() as tx:
                    mark(tx, f"{name}/{number}")

    await asyncio.gather(*(asyncio.to_thread(write, name) for name in range(6)))

    with closing(SqliteDatabase(path)) as database, database.read() as tx:
        assert len(tx.rows("changed_days")) == 120


class Bounded(SqliteDatabase):
    """A connection whose file may not grow: SQLite then finds the disk full (SQLITE_FULL)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.refusals: list[CatalogError] = []

    def bound(self) -> None:
        """Let it have no page more than it has now, and fill those that looks are written to."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        self._connection.execute(f"PRAGMA max_page_count = {pages}")
        for length in (3000, 300, 30, 3, 0):
            while self._is_noted("x" * length):
                pass

    def _is_noted(self, detail: str) -> bool:
        try:
            with self.write() as tx:
                tx.connection.execute("INSERT INTO looks VALUES ('', '', 0, '', '', ?)", [detail])
        except CatalogError as error:
            self.refusals.append(error)
            return False
        return True

    def unbound(self) -> None:
        """Let it grow again."""
        self._connection.execute("PRAGMA max_page_count = 1073741823")


async def test_a_full_disk_below_the_catalog_loses_nothing(tmp_path: Path) -> None:
    """What was published and could not be written down is adopted later, and not fetched again.

    Meanwhile the process begins nothing, so that the provider is not asked in vain.
    """
    opened: list[Bounded] = []

    def open_bounded(where: str | Path) -> Bounded:
        opened.append(Bounded(file_of(where)))
        return opened[-1]

    async with open_yard(tmp_path) as yard:
        catalog = await asyncio.to_thread(Catalog, yard.catalog.where, open_bounded)
        fetcher = Held()
        parts = await yard.worker("alive", fetcher, catalog=catalog, rest=timedelta(hours=1))
        running = asyncio.create_task(run_batch(parts))
        await fetcher.begun.wait()
        await asyncio.to_thread(opened[0].bound)
        assert {("full" in e.message, "df -h" in e.hint) for e in opened[0].refusals} == {
            (True, True)
        }
        fetcher.go.set()
        await until(lambda: not parts.capacity.has_room)
        assert "archived" not in await yard.states()
        assert await yard.rows("SELECT * FROM recordings") == []

        await asyncio.to_thread(opened[0].unbound)
        parts.stopping.set()
        await running
        await beat(parts)
        assert await yard.states() == {"expected": len(SIDS)}
        published = len(list(yard.root.rglob("*.mp3")))
        assert published > 0

        again = Held()
        again.go.set()
        await run_batch(await yard.worker("next", again))
        assert await yard.states() == {"archived": len(SIDS)}
        assert again.fetched == len(SIDS) - published
        await catalog.close()
