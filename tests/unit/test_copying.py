"""A catalog moves from a file to a server and back, and is the same afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import Source
from archive.catalog import copying, coverage, dayfiles, hearings, pauses, runs, tallies
from archive.catalog.copying import move
from archive.errors import CatalogError, InputError
from archive.tallies import Count
from archive.verdicts import Again, Lost
from tests.unit.books import ACCOUNT, NOW, OTHER, SIDS, Books, by_hand, called, proved

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql import Server

LATER = NOW + timedelta(hours=1)


def filled(books: Books) -> None:
    """Bring something into most of the tables, with odd characters among it."""
    books.add(*map(called, SIDS), called("zürich-Ω-sid", status="späť"), account=ACCOUNT)
    books.add(called(SIDS[0]), account=OTHER, source=Source.WEBHOOK)
    books.claim(*SIDS[:4])
    books.archive(proved(SIDS[0]))
    books.settle(SIDS[1], Again("first", after=timedelta(0), costs_try=True))
    for number in range(3):
        books.claim(SIDS[1], lease=f"again-{number}")
        books.settle(
            SIDS[1],
            Again(f"more-{number}", after=timedelta(0), costs_try=True),
            lease=f"again-{number}",
        )
    books.settle(SIDS[2], Lost("fetch-gone"))
    books.sql("UPDATE recordings SET seconds = 65.125")
    with books.database.write() as tx:
        pauses.pause_by_operator(tx, pauses.ALL, why="a test", now=NOW)
        hearings.hear(tx, "main", Source.LISTING, NOW, LATER)
        coverage.cover(tx, "main", NOW, LATER)
        tallies.add(tx, [Count("main", "requests", "ok", 5)], host="h", now=NOW)
        runs.begin(tx, runs.begun("work", host="h", now=NOW))
        dayfiles.own_day(tx, "main/2026/02/09")
        for day in dayfiles.changed_days(tx):
            dayfiles.day_is_written(tx, day)
        dayfiles.mark_day(tx, "main/2026/02/01")


def test_there_and_back_it_is_the_same(postgresql: Server, tmp_path: Path) -> None:
    """Row by row, in order; the books balance, and only the days are marked that were."""
    places: list[str | Path] = [tmp_path / "one.db", postgresql.emptied(), tmp_path / "two.db"]
    first, server, last = (Books(place) for place in places)
    filled(first)

    there = move(first.database, server.database, now=LATER)
    back = move(server.database, last.database, now=LATER)

    assert there == back
    counts = {moved.table: moved.rows for moved in there}
    assert (counts["calls"], counts["sightings"], counts["looks"]) == (11, 11, 6)
    assert first.balance() == server.balance() == last.balance()
    for books in (server, last):
        with books.database.read() as tx:
            assert [day.folder for day in dayfiles.changed_days(tx)] == ["main/2026/02/01"]
    stories = [
        [row["reason"] for row in books.sql("SELECT reason FROM looks ORDER BY rowid")]
        for books in (first, last)
    ]
    assert sorted(stories[0]) == sorted(stories[1])
    claimed = [books.claim(SIDS[1], lease="new")[0] for books in (first, server, last)]
    assert claimed[0] == claimed[1] == claimed[2]
    assert len(claimed[0].found) == 4
    for books in (first, server, last):
        books.database.close()


def test_each_table_is_moved_with_all_its_columns(books: Books) -> None:
    """One that a migration adds is not forgotten."""
    for table, (columns, _) in copying.TABLES.items():
        books.sql(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608
    with books.database.read() as tx:
        found = {row["name"]: row["cid"] + 1 for row in by_hand(tx, _COLUMNS)}
    assert {name: len(columns) for name, (columns, _) in copying.TABLES.items()} == found


_COLUMNS = (
    "SELECT t.name, MAX(c.cid) AS cid FROM sqlite_schema AS t, pragma_table_info(t.name) AS c"
    " WHERE t.type = 'table' AND t.name NOT IN ('changed_days', 'counts', 'sqlite_sequence')"
    " AND t.name NOT LIKE 'sqlite_stat%' GROUP BY t.name"
)


def test_a_target_that_knows_calls_is_refused(tmp_path: Path) -> None:
    """It stays as it is."""
    source, target = Books(tmp_path / "one.db"), Books(tmp_path / "two.db")
    source.add(called(SIDS[0]))
    target.add(called(SIDS[1]))
    with pytest.raises(InputError, match="knows calls already"):
        move(source.database, target.database, now=LATER)
    assert [row["sid"] for row in target.sql("SELECT sid FROM calls")] == [SIDS[1]]
    source.database.close()
    target.database.close()


def test_a_source_with_workers_is_refused(tmp_path: Path) -> None:
    """What they write during the move would be lost."""
    source, target = Books(tmp_path / "one.db"), Books(tmp_path / "two.db")
    source.sql("INSERT INTO processes VALUES ('p', 'one', 1, 'v', 1, ?, 0, 0, 0, 0)", _ms())
    with pytest.raises(InputError, match=r"workers are at work on .*: one"):
        move(source.database, target.database, now=NOW)
    source.database.close()
    target.database.close()


def test_a_table_that_does_not_arrive_as_it_was_leaves_nothing(tmp_path: Path) -> None:
    """Something changes a row on its way: the target stays empty."""
    source, target = Books(tmp_path / "one.db"), Books(tmp_path / "two.db")
    source.add(called(SIDS[0]), called(SIDS[1]))
    target.sql(
        "CREATE TRIGGER odd AFTER INSERT ON sightings BEGIN"
        " UPDATE sightings SET seen_ms = 1 WHERE sid = new.sid; END"
    )
    with pytest.raises(CatalogError, match="the table sightings did not arrive"):
        move(source.database, target.database, now=LATER)
    assert target.balance().known == 0
    assert target.sql("SELECT * FROM calls") == []
    source.database.close()
    target.database.close()


def _ms() -> int:
    return int(NOW.timestamp() * 1000)
