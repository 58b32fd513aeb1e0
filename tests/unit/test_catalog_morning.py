"""What the catalog tells of one account's day, and that it reads no more than that for it."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts, Source, State
from archive.catalog import balance
from archive.catalog.morning import read_part
from archive.morning.facts import Counts
from archive.verdicts import Absent, Again, Failed
from tests.unit.books import ACCOUNT, NOW, OTHER, SIDS, called, proved

if TYPE_CHECKING:
    from archive.catalog.morning import Part
    from tests.unit.books import Books

DAY = "2026-02-09"
ENDED = NOW - timedelta(days=1) + timedelta(seconds=65)


def part_of(books: Books, day: str = DAY) -> Part:
    """Read a day of the first account."""
    with books.database.read() as tx:
        return read_part(tx, ACCOUNT, day, NOW)


@pytest.fixture
def full(books: Books) -> Books:
    """Five calls of a day and one of no day; one of another account."""
    books.add(called(SIDS[0], exophone="0804"), now=ENDED + timedelta(seconds=20))
    books.add(*(called(sid, exophone="0804") for sid in SIDS[1:4]), called(SIDS[4]))
    books.add(CallFacts(sid=SIDS[5]))
    books.add(called(SIDS[0]), account=OTHER)
    books.claim(*SIDS[:5])
    books.archive(proved(SIDS[0]), proved(SIDS[1]))
    books.settle(SIDS[2], Absent("no-answer"))
    books.settle(SIDS[3], Failed("url-untrusted"))
    books.settle(SIDS[4], Again("not-ready", after=timedelta(minutes=1)))
    return books


def test_a_day_is_told_by_account(full: Books) -> None:
    """Its balance, its ExoPhones and its hours are of this account's calls of this day."""
    part = part_of(full)
    assert part.balance.known == 5
    assert part.balance.faults == []
    assert part.balance.reasons[State.FAILED] == {"url-untrusted": 1}
    (named, unnamed) = part.exophones
    expected = Counts(calls=4, archived=2, without=1, failed=1)
    assert (named.name, named.counts) == ("0804", expected)
    assert (unnamed.name, unnamed.counts) == ("", Counts(calls=1, waiting=1))
    # 12:00 UTC is 17:30 in Kolkata, where the day began at 00:00.
    assert list(part.hours) == [17]
    assert part.hours[17].calls == 5
    assert part.days == {DAY: Counts(calls=5, archived=2, without=1, waiting=1, failed=1)}
    assert part.undated == 1


def test_the_first_few_calls_that_are_missing_are_named(full: Books) -> None:
    """By state and reason; what is settled as it should be is not asked for."""
    first = part_of(full).first
    assert first[State.FAILED, "url-untrusted"] == (SIDS[3],)
    assert first[State.EXPECTED, "not-ready"] == (SIDS[4],)
    assert (State.ABSENT, "no-answer") not in first


def test_promptness_is_of_calls_that_became_known_in_time(full: Books) -> None:
    """One was told of within seconds; the other a day later, which says nothing of us."""
    part = part_of(full)
    took = (NOW - ENDED) // timedelta(minutes=1) * 60
    assert part.promptness == {took: 1, None: 1}
    assert part.margins == {29 * 24: 2}
    assert part.came == (NOW, NOW)


def test_looks_in_vain_are_the_providers_own_part(books: Books) -> None:
    """The last look that found nothing counts, of calls that are archived now."""
    books.add(called(SIDS[0]), now=ENDED, source=Source.WEBHOOK)
    for seconds in (90, 120):
        books.sql(
            "INSERT INTO looks VALUES ('main', ?, ?, 'expected', 'not-ready', '')",
            SIDS[0],
            int((ENDED + timedelta(seconds=seconds)).timestamp() * 1000),
        )
    assert part_of(books).in_vain == {}
    books.claim(SIDS[0])
    books.archive(proved(SIDS[0]))
    assert part_of(books).in_vain == {120: 1}


def test_the_same_weekday_is_compared_where_calls_were_known_then(books: Books) -> None:
    """A catalog that is younger than that has nothing to compare."""
    books.add(called(SIDS[0]))
    assert part_of(books).before is None
    began = NOW - timedelta(days=8)
    books.add(called(SIDS[1], started_at=began, ended_at=began))
    books.claim(SIDS[1])
    books.archive(proved(SIDS[1]))
    before = part_of(books).before
    assert before is not None
    assert (before.recordings, before.bytes) == (1, 1000)
    assert part_of(books).days["2026-02-02"] == Counts(calls=1, archived=1)


def test_what_is_deleted_next_is_told_by_day(full: Books) -> None:
    """Of calls that wait, by the day of their deletion in the account's zone."""
    full.end()
    assert part_of(full).due == {"2026-03-11": 1}
    assert part_of(full).past == 0


def test_a_day_of_all_accounts_is_the_sum_of_theirs(full: Books) -> None:
    """However the balance is counted: day by day, or the whole catalog."""
    with full.database.read() as tx:
        accounts = balance.accounts_with_calls(tx)
        of_day = balance.balance(tx, day=DAY)
        everything = balance.balance(tx)
    assert accounts == ["main", "other"]
    assert of_day.known == 6
    assert everything.known == 7
    assert of_day.states | {State.EXPECTED: 3} == everything.states
    assert of_day.reasons == everything.reasons
    assert of_day.proved == everything.proved
    assert of_day.bytes == everything.bytes


def test_a_call_without_a_sighting_unbalances_its_day(full: Books) -> None:
    """As it unbalances the whole catalog."""
    full.sql("DELETE FROM sightings WHERE sid = ? AND account = 'main'", SIDS[2])
    assert part_of(full).balance.faults == ["4 calls were seen by sources, but 5 have a state"]


def test_a_day_without_calls_has_no_figures(books: Books) -> None:
    """Of a catalog that knows nothing at all."""
    part = part_of(books)
    assert (part.balance.known, part.exophones, part.hours, part.came) == (0, (), {}, None)
    assert (part.promptness, part.margins, part.before, part.days) == ({}, {}, None, {})


_SQL = resources.files("archive.catalog") / "sql" / "morning.sql"
_NAMES = re.findall(r"^-- name: (\w+)", _SQL.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", _NAMES)
def test_no_query_reads_more_than_the_day(books: Books, name: str) -> None:
    """The catalog may have millions of calls: each query begins with the day's part of an index."""
    with books.database.read() as tx:
        sql = getattr(tx._queries, name).sql
        given = dict.fromkeys(re.findall(r":(\w+)", sql), "1")
        plan = [row["detail"] for row in tx.connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
    scans = [step for step in plan if step.startswith("SCAN") and step != "SCAN t"]
    assert scans == []
    # Each table is entered by its day, or by the call's own key.
    keyed = ("day=?", "day>?", "sid=?", "account>?")
    entered = [step for step in plan if step.startswith("SEARCH")]
    assert entered
    assert [step for step in entered if not any(key in step for key in keyed)] == []
