"""The story of a call: every look of whoever held it, and how it is put back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.call import CallFacts, Source, State
from archive.catalog import story, work
from archive.catalog.story import CallStory, Kept, Look, Sighting
from archive.clock import to_ms
from archive.verdicts import Absent, Again, Failed, Lost, Refresh
from tests.unit.books import NOW, OTHER, SIDS, called, proved

if TYPE_CHECKING:
    from archive.catalog.work import Outcome
    from tests.unit.books import Books

MINUTE = timedelta(minutes=1)
SETTLED = (State.FAILED, State.LOST, State.ABSENT)
LATER = NOW + timedelta(hours=1)


def read(books: Books, sid: str = SIDS[0], account: str = "main") -> CallStory:
    """Return the story of a call that is known."""
    with books.database.read() as tx:
        found = story.read_story(tx, account, sid)
    assert found is not None
    return found


def put_back(books: Books, **chosen: Any) -> int:  # noqa: ANN401 - choices of every type
    """Put calls back, all settled ones of the account unless told otherwise."""
    every: dict[str, Any] = {"reason": None, "day": None, "sids": None}
    with books.database.write() as tx:
        return story.put_back(
            tx, **{"accounts": ["main"], "states": SETTLED, **every, **chosen}, now=LATER
        )


@pytest.fixture
def settled(books: Books) -> Books:
    """A call of each settled state, one expected and one in work, and another account's."""
    books.add(*map(called, SIDS[:7]))
    old = NOW - timedelta(days=3)
    books.add(called(SIDS[7], started_at=old, ended_at=old), CallFacts(sid=SIDS[8]))
    books.claim(*SIDS[:5], *SIDS[7:])
    books.archive(proved(SIDS[0]))
    books.settle(SIDS[1], Absent("no-answer"))
    books.settle(SIDS[2], Lost("fetch-gone"))
    books.settle(SIDS[3], Failed("url-untrusted"))
    books.settle(SIDS[4], Failed("call-unknown"))
    books.settle(SIDS[7], Failed("url-untrusted"))
    books.settle(SIDS[8], Absent("not-recorded"))
    books.claim(SIDS[6], lease="working")
    books.add(called(SIDS[1]), account=OTHER)
    books.sql("UPDATE calls SET state = 'failed' WHERE account = 'other'")
    return books


def states(books: Books) -> dict[str, str]:
    """Return the state of each call of the account."""
    found = books.sql("SELECT sid, state FROM calls WHERE account = 'main'")
    return {row["sid"]: row["state"] for row in found}


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Again("not-ready", after=MINUTE), State.EXPECTED),
        (Refresh("fetch-expired", after=MINUTE), State.EXPECTED),
        (Absent("no-answer"), State.ABSENT),
        (Lost("past-retention"), State.LOST),
        (Failed("url-untrusted"), State.FAILED),
    ],
)
def test_each_look_is_kept_with_what_it_found(books: Books, outcome: Outcome, state: State) -> None:
    """When it was, where the call stood after it, and the words of whoever answered, bounded."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    with books.database.write() as tx:
        work.settle(
            tx, [(SIDS[0], outcome)], lease="lease", account="main", now=NOW, detail="x" * 999
        )
    assert [Look(NOW, state, outcome.reason, "x" * 300)] == read(books).looks


@pytest.mark.parametrize("lapsed", [True, False])
def test_who_no_longer_holds_a_call_leaves_no_look(books: Books, *, lapsed: bool) -> None:
    """Neither after its lease lapsed and another took the call, nor a second time by itself."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    if lapsed:
        books.end()
        books.claim(SIDS[0], lease="next")
    else:
        books.settle(SIDS[0], Absent("no-answer"))
    expected = read(books)
    assert books.settle(SIDS[0], Failed("late")) == 0
    assert books.archive(proved(SIDS[0])) == []
    assert expected == read(books)
    assert len(expected.looks) == (0 if lapsed else 1)


def test_a_story_has_its_looks_in_order_and_its_recordings(books: Books) -> None:
    """Seen by two sources, not ready, tried, and then archived; looks of one moment too."""
    books.add(called(SIDS[0]))
    books.add(called(SIDS[0]), source=Source.LISTING, now=NOW + MINUTE)
    outcomes: list[Outcome] = [
        Again("not-ready", after=MINUTE),
        Again("fetch-timeout", after=MINUTE, costs_try=True),
        Refresh("fetch-expired", after=MINUTE),
    ]
    for number, outcome in enumerate(outcomes):
        books.claim(SIDS[0], lease=f"{number}")
        books.settle(SIDS[0], outcome, lease=f"{number}")
    books.claim(SIDS[0])
    books.archive(proved(SIDS[0]))
    expected = CallStory(
        account="main",
        facts=called(SIDS[0]),
        state=State.ARCHIVED,
        reason="",
        due=NOW + MINUTE,
        delete_by=NOW + timedelta(days=29),
        tries=1,
        refreshes=1,
        sightings=[Sighting("cdr", NOW), Sighting("listing", NOW + MINUTE)],
        looks=[
            *(Look(NOW, State.EXPECTED, outcome.reason, "") for outcome in outcomes),
            Look(NOW, State.ARCHIVED, "", ""),
        ],
        recordings=[
            Kept(f"main/2026/02/09/17/{SIDS[0]}.mp3", "ab" * 32, 1000, "mp3", 1, 65.0, NOW, "")
        ],
        candidates=[],
    )
    assert expected == read(books)


def test_a_call_is_told_apart_from_that_of_another_account(books: Books) -> None:
    """The same Sid may be known in several; one that is known nowhere has no story."""
    books.add(called(SIDS[0]), called(SIDS[1]))
    books.add(called(SIDS[0]), account=OTHER)
    books.claim(SIDS[0])
    books.settle(SIDS[0], Absent("no-answer"))
    with books.database.read() as tx:
        assert story.accounts_of(tx, SIDS[0]) == ["main", "other"]
        assert story.accounts_of(tx, SIDS[1]) == ["main"]
        assert story.accounts_of(tx, SIDS[2]) == []
        assert story.read_story(tx, "other", SIDS[1]) is None
    other = read(books, account="other")
    assert (other.account, other.state, other.looks) == ("other", State.EXPECTED, [])


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, [1, 2, 3, 4, 7, 8]),
        ({"states": [State.FAILED]}, [3, 4, 7]),
        ({"states": [State.LOST]}, [2]),
        ({"states": [State.ABSENT]}, [1, 8]),
        ({"states": []}, []),
        ({"reason": "url-untrusted"}, [3, 7]),
        ({"reason": "url-untrusted", "states": [State.LOST]}, []),
        ({"day": "2026-02-07"}, [7]),
        ({"day": ""}, [8]),
        ({"sids": [SIDS[0], SIDS[1], SIDS[5], SIDS[6], "unknown"]}, [1]),
        ({"sids": []}, []),
        ({"accounts": []}, []),
        ({"accounts": ["nobody"]}, []),
    ],
)
def test_calls_are_put_back_by_what_they_are(
    settled: Books, chosen: dict[str, Any], expected: list[int]
) -> None:
    """By state, reason, day (also the unknown one) and Sids; whatever is not chosen stays."""
    before = settled.sql("SELECT * FROM calls WHERE account = 'other'")
    states_before = states(settled)
    assert len(expected) == put_back(settled, **chosen)
    assert {
        sid: "expected" if number in expected else states_before[sid]
        for number, sid in enumerate(SIDS)
    } == states(settled)
    assert before == settled.sql("SELECT * FROM calls WHERE account = 'other'")
    assert settled.balance().faults == []


def test_several_accounts_are_put_back_together(settled: Books) -> None:
    """Those that are named."""
    assert put_back(settled, accounts=["main", "other"], states=[State.FAILED]) == 4


def test_a_call_that_is_put_back_begins_anew(books: Books) -> None:
    """It is due at once, its counts are at nothing, and what became of it is still told."""
    books.add(called(SIDS[0]))
    outcomes: list[Outcome] = [
        Again("t", after=MINUTE, costs_try=True),
        Again("l", after=MINUTE, late_look=True),
        Refresh("r", after=MINUTE),
        Failed("url-untrusted"),
    ]
    for number, outcome in enumerate(outcomes):
        books.claim(SIDS[0], lease=f"{number}")
        books.settle(SIDS[0], outcome, lease=f"{number}")
    assert put_back(books) == 1
    row = books.row(SIDS[0])
    assert (row["state"], row["reason"], row["settled_ms"]) == ("expected", "retried", None)
    assert to_ms(LATER) == row["due_ms"]
    assert (row["tries"], row["refreshes"], row["late_looks"]) == (0, 0, 0)
    assert [outcome.reason for outcome in outcomes] == [look.reason for look in read(books).looks]
    assert put_back(books) == 0
    assert [SIDS[0]] == [call.facts.sid for call in books.claim(SIDS[0], lease="again")]
