"""The catalog is tidied, backed up and checked."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.catalog import hearings, runs, tallies, tidy, troubles, upkeep, work
from archive.catalog.backup import is_backup_of, name_of
from archive.catalog.database import Database
from archive.catalog.upkeep import Sizes, vacuum_or_why_not
from archive.clock import system_clock, to_ms
from archive.errors import CatalogError, InputError, StoreError
from archive.housekeeping import Tidier, horizons
from archive.leavings import is_left, left_below, old_rejected, writer_of
from archive.tallies import LIMITER_WAIT_MS, RECORDINGS, Count
from archive.verdicts import Again, Failed, Lost
from tests.unit.books import NOW, SIDS, Books, called
from tests.unit.vaulted import DAY, HOUR, Vaulted, sound

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.work import Outcome

IST = ZoneInfo("Asia/Kolkata")
HOUR_LONG = timedelta(hours=1)
DAY_LONG = timedelta(days=1)
GIB = 2**30


def looked_at(books: Books, sid: str, *ages_days: int, end: Outcome | None = None) -> None:
    """Let a call be looked at so many days before `NOW`, and end archived or otherwise."""
    books.add(called(sid), now=NOW - timedelta(days=400))
    for age in ages_days:
        now = NOW - timedelta(days=age)
        books.claim(sid, lease=f"{sid}{age}")
        outcome = end or Again("not-ready", after=HOUR_LONG)
        with books.database.write() as tx:
            work.settle(tx, [(sid, outcome)], lease=f"{sid}{age}", account="main", now=now)
            work.end_batch(tx, lease=f"{sid}{age}")


def tidied(
    books: Books, *, steps: int = 1000, dry_run: bool = False, now: datetime = NOW
) -> dict[str, Any]:
    """Drop what is old, in at most so many steps."""
    left = iter(range(steps))
    done = Tidier(
        database=books.database,
        before=horizons(now, keep_looks=90 * DAY_LONG, keep_history=400 * DAY_LONG),
        zones={"main": IST},
        zone=ZoneInfo("UTC"),
        go_on=lambda: next(left, None) is not None,
        rest=lambda: None,
        dry_run=dry_run,
    ).run()
    return {name: getattr(done, name) for name in done.__struct_fields__}


def looks(books: Books, sid: str) -> list[int]:
    """Return how many days ago the looks at a call were that are kept."""
    rows = books.sql("SELECT at_ms FROM looks WHERE sid = ? ORDER BY at_ms", sid)
    return [round((to_ms(NOW) - row["at_ms"]) / 86_400_000) for row in rows]


# --- Rows -----------------------------------------------------------------------------------------


def test_old_looks_of_settled_calls_go(books: Books) -> None:
    """What is lost, failed or still waits keeps its story; so does what is young."""
    looked_at(books, SIDS[0], 200, 100, 80)
    books.sql("UPDATE calls SET state = 'archived', settled_ms = 1 WHERE sid = ?", SIDS[0])
    looked_at(books, SIDS[1], 200, 100)
    looked_at(books, SIDS[2], 200, end=Lost("fetch-gone"))
    looked_at(books, SIDS[3], 200, end=Failed("body-empty"))
    counted = tidied(books, dry_run=True)
    assert looks(books, SIDS[0]) == [200, 100, 80]

    done = tidied(books)

    assert done == counted
    assert (2, True) == (done["looks"], done["finished"])
    assert [looks(books, sid) for sid in SIDS[:4]] == [[80], [200, 100], [200], [200]]
    assert tidied(books)["looks"] == 0


def test_a_run_whose_time_is_over_is_gone_on_with(books: Books) -> None:
    """It says that it did not end; what went is gone, and nothing else."""
    for sid in SIDS[:3]:
        looked_at(books, sid, 200)
    books.sql("UPDATE calls SET state = 'absent', settled_ms = 1")
    cut = tidied(books, steps=0)
    assert (0, False) == (cut["looks"], cut["finished"])
    done = tidied(books)
    assert (3, True) == (done["looks"], done["finished"])


def test_history_goes_after_its_time_but_for_the_last_word_of_a_source(books: Books) -> None:
    """Without that one, a source that fell silent would be one that never spoke."""
    old = NOW - 500 * DAY_LONG
    with books.database.write() as tx:
        for source, moments in (
            ("cdr", (old, old + 9 * DAY_LONG)),
            ("webhook", (old, NOW - DAY_LONG)),
        ):
            for moment in moments:
                hearings.hear(tx, "main", source, moment, moment)
        for moment in (old, NOW - DAY_LONG):
            runs.begin(tx, runs.begun("verify", host="here", now=moment))
        troubles.note_trouble(tx, "queue", "away", host="there", now=old)
        troubles.note_trouble(tx, "queue", "away", host="here", now=NOW - DAY_LONG)
    done = tidied(books)
    assert (2, 1, 1) == (done["hearings"], done["runs"], done["troubles"])
    kept = books.sql("SELECT source, COUNT(*) FROM hearings GROUP BY source ORDER BY source")
    assert [("cdr", 1), ("webhook", 1)] == [tuple(row) for row in kept]
    assert 1 == len(books.sql("SELECT * FROM runs"))
    assert ["here"] == [row["host"] for row in books.sql("SELECT host FROM troubles")]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 24 * 45),
            st.sampled_from(["here", "there"]),
            st.sampled_from(["main", "other"]),
            st.integers(1, 1000),
        ),
        max_size=30,
    )
)
def test_tallies_of_a_day_become_one_and_no_sum_changes(
    counted: list[tuple[int, str, str, int]],
) -> None:
    """Neither the totals nor those of any day of the account's zone, however often it runs."""
    books = Books(Path(":memory:")) if False else _scratch()
    try:
        with books.database.write() as tx:
            for hours, host, account, amount in counted:
                for name in (RECORDINGS, LIMITER_WAIT_MS):
                    count = Count(account, name, "", amount)
                    tallies.add(tx, [count], host=host, now=NOW - hours * HOUR_LONG)
        before = _sums(books)
        for _ in range(2):
            tidied(books)
            assert before == _sums(books)
        with books.database.read() as tx:
            old = NOW - 35 * DAY_LONG
            assert tidy.tally_days(tx, old, {"main": IST}, ZoneInfo("UTC")) == []
    finally:
        books.database.close()
