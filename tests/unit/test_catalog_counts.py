"""The counts that are kept: always those of the rows, and wrong as soon as a row is missing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts, Source, State
from archive.catalog import counts, intake
from archive.catalog.database import open_database, written
from archive.readiness import Readiness
from archive.verdicts import Absent, Again, Lost
from tests.unit.books import ACCOUNT, NOW, OTHER, SIDS, called, proved

if TYPE_CHECKING:
    from archive.catalog.balance import Balance
    from tests.unit.books import Books


def _kept(books: Books, account: str | None = None) -> Balance:
    with books.database.read() as tx:
        return counts.quick_balance(tx, account)


def _audit(books: Books) -> list[str]:
    with books.database.read() as tx:
        return counts.audit(tx)


@pytest.fixture
def full(books: Books) -> Books:
    """Calls of several states and accounts, some seen twice, one with two recordings."""
    books.add(*map(called, SIDS[:7]))
    books.add(*map(called, SIDS[:3]), source=Source.LISTING)
    # A chunk may have some that are known, and one twice.
    books.add(called(SIDS[6]), CallFacts(sid=SIDS[7]), CallFacts(sid=SIDS[7]))
    books.add(called(SIDS[0]), account=OTHER)
    books.claim(*SIDS[:4])
    second = proved(SIDS[0], object_name="second.mp3", number=2)
    books.archive(proved(SIDS[0]), second, proved(SIDS[1]))
    books.settle(SIDS[2], Absent("no-answer"))
    books.settle(SIDS[3], Lost("past-retention"))
    books.claim(SIDS[4], lease="second")
    return books


def test_the_counts_are_those_of_the_rows(full: Books) -> None:
    """Whatever became of calls, in all and by account."""
    assert _audit(full) == []
    assert full.balance() == _kept(full)
    assert full.balance(account="main") == _kept(full, "main")
    assert full.balance(account="other") == _kept(full, "other")
    assert _kept(full).states[State.LEASED] == 1
    assert _kept(full).recordings == 3


def test_a_call_that_is_given_back_is_counted_where_it_stands(full: Books) -> None:
    """A lease counts nothing; a look that found a reason does."""
    full.settle(SIDS[4], Again("not-ready", after=timedelta(minutes=1)), lease="second")
    assert _kept(full).reasons[State.EXPECTED] == {"not-ready": 1}
    assert _audit(full) == []


@pytest.mark.parametrize(
    ("statement", "sid", "fault"),
    [
        ("DELETE FROM calls WHERE sid = ?", SIDS[5], "calls were seen by sources"),
        ("DELETE FROM sightings WHERE sid = ?", SIDS[1], "calls were seen by sources"),
        ("DELETE FROM recordings WHERE sid = ?", SIDS[1], "calls are archived, but"),
        ("UPDATE calls SET state = 'absent' WHERE sid = ?", SIDS[1], "calls are archived, but"),
    ],
)
def test_what_goes_missing_shows_at_once(full: Books, statement: str, sid: str, fault: str) -> None:
    """The counts of the three tables are compared, and each table keeps its own."""
    full.sql(statement, sid)
    found = _kept(full).faults
    assert any(fault in text for text in found)
    # By the rows it is the same, so the counts are not what is wrong.
    assert found == _audit(full)


def test_a_call_that_loses_both_recordings_at_once_is_one_less(full: Books) -> None:
    """A statement may take several rows of a call."""
    assert _kept(full).proved == 2
    full.sql("DELETE FROM recordings WHERE sid = ?", SIDS[0])
    assert (_kept(full).proved, _kept(full).recordings) == (1, 1)
    # What is wrong now is the books, and not the counts.
    assert _audit(full) == _kept(full).faults


def test_counts_that_are_wrong_are_told_and_made_anew(full: Books) -> None:
    """The end of a drain and `catalog check` hold them against every row."""
    table = "counts" if full.sql("SELECT 1 FROM counts") and _is_file(full) else "count_changes"
    full.sql(f"UPDATE {table} SET amount = amount + 1 WHERE what = 'seen'")  # noqa: S608 - our words
    assert any("by the rows, but" in fault for fault in _audit(full))
    written(full.database, counts.recount)
    assert _audit(full) == []


def test_adding_up_changes_no_count(full: Books) -> None:
    """On a server many rows become few, and nobody sees another number."""
    before = _kept(full)
    written(full.database, counts.add_up)
    assert before == _kept(full)
    if not _is_file(full):
        rows = full.sql("SELECT COUNT(*) AS n FROM count_changes")[0]["n"]
        groups = full.sql("SELECT COUNT(*) AS n FROM counts")[0]["n"]
        assert groups == rows
    full.claim(SIDS[5], lease="third")
    full.settle(SIDS[5], Absent("no-answer"), lease="third")
    assert _audit(full) == []


def test_two_sources_that_tell_of_the_same_calls_at_once_count_them_once(books: Books) -> None:
    """Each waits for the other's calls before it looks who has seen them."""

    def bring(source: Source) -> None:
        database = open_database(books.where)
        try:
            for sid in SIDS:
                written(
                    database,
                    lambda tx, sid=sid: intake.add_calls(  # type: ignore[misc]
                        tx,
                        [called(sid)],
                        account=ACCOUNT,
                        source=source,
                        readiness=Readiness(),
                        now=NOW,
                    ),
                )
        finally:
            database.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(bring, (Source.CDR, Source.WEBHOOK)))
    assert _kept(books).known == len(SIDS)
    assert _audit(books) == []


def _is_file(books: Books) -> bool:
    return str(books.where).startswith(("/", "sqlite")) or not isinstance(books.where, str)
