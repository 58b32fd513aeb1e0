"""The balance: right when all is well, and wrong as soon as anything is missing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts, Source, State
from archive.catalog import balance
from archive.verdicts import Absent, Again, Failed, Lost
from archive.waits import Wait
from tests.unit.books import NOW, OTHER, SIDS, called, proved

if TYPE_CHECKING:
    from tests.unit.books import Books

DAY = "2026-02-09"
_IS_TABLE = {
    False: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?",
    True: "SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tablename = ?",
}


@pytest.fixture
def full(books: Books) -> Books:
    """Calls of all states, on two days, of two accounts, some seen by two sources."""
    books.add(*map(called, SIDS[:7]))
    books.add(*map(called, SIDS[:3]), source=Source.LISTING)
    began = NOW - timedelta(days=2)
    books.add(called(SIDS[7], started_at=began), CallFacts(sid=SIDS[8]))
    books.add(called(SIDS[0]), account=OTHER)
    books.claim(*SIDS[:5])
    books.archive(proved(SIDS[0]), proved(SIDS[1]))
    books.settle(SIDS[2], Absent("no-answer"))
    books.settle(SIDS[3], Absent("too-short"))
    books.settle(SIDS[4], Lost("past-retention"))
    books.claim(SIDS[5], lease="working")
    books.claim(SIDS[7], lease="second")
    books.archive(proved(SIDS[7], folder="main/2026/02/08"), lease="second")
    return books


def test_all_calls_balance(full: Books) -> None:
    """What sources have seen is what has a state; what is archived has a recording."""
    counted = full.balance()
    assert counted.faults == []
    assert (counted.known, counted.proved, counted.recordings, counted.bytes) == (10, 3, 3, 3000)
    expected = {
        State.EXPECTED: 3,
        State.LEASED: 1,
        State.ARCHIVED: 3,
        State.ABSENT: 2,
        State.LOST: 1,
    }
    assert {state: expected.get(state, 0) for state in State} == counted.states
    assert counted.reasons[State.ABSENT] == {"no-answer": 1, "too-short": 1}
    assert counted.reasons[State.LOST] == {"past-retention": 1}
    assert counted.unsettled == 4


@pytest.mark.parametrize(
    ("account", "day", "known", "archived"),
    [
        ("main", None, 9, 3),
        ("other", None, 1, 0),
        (None, DAY, 8, 2),
        ("main", DAY, 7, 2),
        ("main", "2026-02-08", 1, 1),
        ("main", "", 1, 0),
        ("main", "2026-02-01", 0, 0),
        ("nobody", None, 0, 0),
    ],
)
def test_an_account_and_a_day_balance_by_themselves(
    full: Books, account: str | None, day: str | None, known: int, archived: int
) -> None:
    """The day is the account's own; calls of unknown date are a day of their own."""
    counted = full.balance(account=account, day=day)
    assert counted.faults == []
    assert (known, archived, archived) == (
        counted.known,
        counted.states[State.ARCHIVED],
        counted.proved,
    )


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM calls WHERE sid = ?", "10 calls were seen by sources, but 8 have a state"),
        ("DELETE FROM recordings WHERE sid = ?", "3 calls are archived, but 2 have a recording"),
        (
            "DELETE FROM sightings WHERE sid = ?",
            "8 calls were seen by sources, but 10 have a state",
        ),
        (
            "UPDATE calls SET state = 'expected' WHERE sid = ?",
            "2 calls are archived, but 3 have a recording",
        ),
    ],
)
def test_a_row_changed_by_hand_is_found(full: Books, statement: str, fault: str) -> None:
    """Each count has a source of its own, so none can hide the loss of another."""
    full.sql(statement, SIDS[0])
    assert fault in full.balance().faults


def test_a_recording_lost_shows_on_its_day_alone(full: Books) -> None:
    """The other day still balances."""
    full.sql("DELETE FROM recordings WHERE sid = ?", SIDS[0])
    assert full.balance(day=DAY).faults == ["2 calls are archived, but 1 have a recording"]
    assert full.balance(day="2026-02-08").faults == []


def test_a_purged_call_needs_no_recording(full: Books) -> None:
    """It was deleted on request, and a tombstone stays."""
    full.sql("UPDATE calls SET state = 'purged' WHERE sid = ? AND account = 'main'", SIDS[0])
    counted = full.balance()
    assert counted.faults == []
    assert (counted.states[State.PURGED], counted.states[State.ARCHIVED]) == (1, 2)


def test_the_quick_count_tells_what_calls_wait_for(full: Books) -> None:
    """Calls due later than now, by their reason, and when the next of them is."""
    full.settle(SIDS[5], Again("not-ready", after=timedelta(minutes=3)), lease="working")
    with full.database.read() as tx:
        counted = balance.tally(tx, ["main", "other"], NOW)
        later = balance.tally(tx, ["main", "nobody"], NOW + timedelta(minutes=3))
    assert (counted.total, counted.unsettled) == (10, 4)
    assert (Wait("not-ready", 1, NOW + timedelta(minutes=3)),) == counted.waits
    assert (later.total, later.waits) == (9, ())


def test_what_went_wrong_in_a_run_is_counted_from_its_beginning(full: Books) -> None:
    """Lost and failed calls; those of a former run are not this one's."""
    full.settle(SIDS[5], Failed("url-untrusted"), lease="working")
    with full.database.read() as tx:
        counts = [
            balance.troubled_since(tx, NOW + ago)
            for ago in (-timedelta(days=1), timedelta(0), timedelta(seconds=1))
        ]
    assert counts == [2, 2, 0]


def test_unsettled_accounts_are_those_whose_calls_wait(full: Books) -> None:
    """They are what a drain waits for."""
    with full.database.read() as tx:
        assert {"main", "other"} == balance.unsettled_accounts(tx)
    full.sql("UPDATE calls SET state = 'absent' WHERE account = 'other'")
    with full.database.read() as tx:
        assert {"main"} == balance.unsettled_accounts(tx)


def test_the_quick_count_tells_leased_calls_by_their_account(full: Books) -> None:
    """What the counts keep as expected is told as it stands, and as the rows are."""
    full.claim(SIDS[0], lease="other's", account="other")
    for names in (["main"], ["other"], ["main", "other"], []):
        with full.database.read() as tx:
            counted = balance.tally(tx, names, NOW)
            by_rows = balance.count_unsettled(tx, names)
        states = dict.fromkeys(State, 0)
        for name in names:
            for state, calls in full.balance(account=name).states.items():
                states[state] += calls
        assert states == counted.states
        assert counted.unsettled == by_rows


@pytest.mark.parametrize("state", ["expected", "leased"])
def test_one_call_that_waits_is_found_whatever_the_counts_say(full: Books, state: str) -> None:
    """A drain does not end by a count: that could be wrong."""
    full.end("working")
    full.end("second")
    full.sql("UPDATE calls SET state = 'absent' WHERE state = 'expected'")
    with full.database.read() as tx:
        assert balance.unsettled_accounts(tx) == set()
        assert balance.count_unsettled(tx, ["main", "other"]) == 0
    if state == "leased":
        full.sql("UPDATE calls SET lease = 'one' WHERE sid = ? AND account = 'main'", SIDS[6])
    full.sql("UPDATE calls SET state = ? WHERE sid = ? AND account = 'main'", state, SIDS[6])
    for table in ("counts", "count_changes"):
        if full.sql(_IS_TABLE[str(full.where).startswith("postgresql")], table):
            full.sql(f"DELETE FROM {table}")  # noqa: S608 - our words
    with full.database.read() as tx:
        assert balance.tally(tx, ["main"], NOW).states[State.ABSENT] == 0
        assert {"main"} == balance.unsettled_accounts(tx)
        assert balance.count_unsettled(tx, ["main", "other"]) == 1
        assert balance.count_unsettled(tx, ["other"]) == 0
