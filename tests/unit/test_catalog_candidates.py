"""Recordings that sources told of: which are kept, and what they do to calls that are settled."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from archive.call import State
from archive.catalog.candidates import Candidate
from archive.catalog.work import Find
from archive.verdicts import Absent, Failed, Lost
from tests.unit.books import NOW, SIDS, called, proved

if TYPE_CHECKING:
    from archive.call import CallFacts
    from archive.catalog.work import Outcome
    from tests.unit.books import Books

SID = SIDS[0]
BASE = "https://recordings.exotel.com/exotelrecordings/acme1"
CANONICAL, FOREIGN, SECOND = f"{BASE}/{SID}.mp3", f"{BASE}/1772.1_1.mp3", f"{BASE}/{SID}_2.mp3"


def told(*urls: str, age: timedelta = timedelta(days=1)) -> CallFacts:
    """Return a call as an export has it that tells where its recordings are."""
    began = NOW - age
    facts = called(SID, started_at=began, ended_at=began + timedelta(seconds=65))
    return replace(facts, recording_urls=urls)


def kept(books: Books) -> list[str]:
    """Return the URLs that the catalog has kept."""
    return [row["url"] for row in books.sql("SELECT url FROM candidates ORDER BY rowid")]


@pytest.mark.parametrize(
    ("urls", "age", "expected"),
    [
        ((CANONICAL,), 1, []),
        ((CANONICAL,), 170, []),
        ((FOREIGN,), 1, [FOREIGN]),
        ((CANONICAL, SECOND), 1, [CANONICAL, SECOND]),
        ((f"{SECOND}?X-Amz-Signature=s", SECOND), 1, [SECOND]),
        (("https://evil.example/exotelrecordings/acme1/x.mp3", "null"), 1, []),
        ((CANONICAL, "https://evil.example/x.mp3"), 1, [CANONICAL]),
    ],
)
def test_what_is_worth_keeping_is_kept(
    books: Books, urls: tuple[str, ...], age: int, expected: list[str]
) -> None:
    """The usual one alone is not: it stands in the call's own row."""
    books.add(told(*urls, age=timedelta(days=age)))
    assert expected == kept(books)


def test_a_batch_learns_what_sources_told(books: Books) -> None:
    """With the call it claims, in the order in which they became known."""
    books.add(told(FOREIGN), called(SIDS[1]))
    books.add(told(CANONICAL, SECOND, FOREIGN), now=NOW + timedelta(hours=1))
    first, second = sorted(books.claim(*SIDS[:2]), key=lambda call: call.facts.sid)
    assert ["1772.1_1.mp3", f"{SID}.mp3", f"{SID}_2.mp3"] == [
        candidate.object_name for candidate in first.candidates
    ]
    assert (second.candidates, second.kept) == ((), ())


def test_a_further_recording_brings_an_archived_call_back(books: Books) -> None:
    """Once: the same export read again changes nothing, nor does one with what is archived."""
    books.add(told(CANONICAL))
    books.claim(SID)
    books.archive(proved(SID))
    books.end()
    books.add(told(CANONICAL, SECOND))
    assert (books.row(SID)["state"], books.row(SID)["reason"]) == ("expected", "another-recording")
    assert kept(books) == [SECOND]
    assert books.balance().faults == []

    (call,) = books.claim(SID, lease="second")
    assert [replace(proved(SID), root=1)] == list(call.kept)
    further = proved(SID, object_name=f"{SID}_2.mp3", number=2)
    books.archive(proved(SID), further, lease="second")
    books.end("second")
    books.add(told(CANONICAL, SECOND))
    assert books.row(SID)["state"] == "archived"
    assert books.balance().faults == []


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Absent("not-recorded"), "expected"),
        (Lost("fetch-gone"), "expected"),
        (Failed("fetch-refused"), "failed"),
    ],
)
def test_a_further_recording_takes_back_what_was_given_up(
    books: Books, outcome: Outcome, expected: str
) -> None:
    """But for what failed: there a person has to look."""
    books.add(called(SID))
    books.claim(SID)
    books.settle(SID, outcome)
    books.add(told(FOREIGN))
    assert expected == books.row(SID)["state"]


def test_a_call_is_archived_when_all_of_its_recordings_are(books: Books) -> None:
    """Until then it stands where the missing one stands, and what came is kept and counted."""
    books.add(told(CANONICAL, SECOND))
    books.claim(SID)
    find = Find(sid=SID, proofs=(proved(SID),), outcome=Lost("fetch-gone"), detail="HTTP 404")
    assert books.found(find) == [SID]
    books.end()
    counted = books.balance()
    assert (counted.recordings, counted.states[State.LOST], counted.proved) == (1, 1, 0)
    assert counted.faults == []


def test_a_recording_without_an_archived_call_is_a_fault_in_the_books(books: Books) -> None:
    """Where nobody told of a further one there is no reason for it."""
    books.add(called(SID))
    books.claim(SID)
    books.archive(proved(SID))
    books.sql("UPDATE calls SET state = 'absent'")
    assert books.balance().faults == ["0 calls are archived, but 1 have a recording"]


def test_the_same_bytes_are_noted_and_not_asked_for_again(books: Books) -> None:
    """The candidate says whose they are."""
    books.add(told(CANONICAL, SECOND))
    books.claim(SID)
    same = Candidate(f"{SID}_2.mp3", SECOND, same_as=f"{SID}.mp3")
    books.found(Find(sid=SID, proofs=(proved(SID),), same=(same,)))
    books.end()
    assert books.row(SID)["state"] == "archived"
    books.sql("UPDATE calls SET state = 'expected'")
    (call,) = books.claim(SID, lease="next")
    assert same in call.candidates


def test_the_usual_url_is_kept_with_the_call(books: Books) -> None:
    """Without its query, and given to whoever claims the call; what else is in the row is not."""
    books.add(told(f"{CANONICAL}?X-Amz-Signature=s"), called(SIDS[1]))
    first, second = sorted(books.claim(*SIDS[:2]), key=lambda call: call.facts.sid)
    assert first.facts.recording_urls == (CANONICAL,)
    assert not second.facts.recording_urls
    assert kept(books) == []


@pytest.mark.parametrize("outcome", [Absent("not-recorded"), Lost("past-retention")])
def test_a_url_that_shows_up_takes_back_what_was_given_up(books: Books, outcome: Outcome) -> None:
    """Once: the same export read again tells nothing new, and a row without a URL tells nothing."""
    books.add(called(SID))
    books.claim(SID)
    books.settle(SID, outcome)
    books.end()
    books.add(called(SID))
    assert outcome.reason == books.row(SID)["reason"]

    books.add(told(CANONICAL))
    assert (books.row(SID)["state"], books.row(SID)["reason"]) == ("expected", "reappeared")

    books.claim(SID, lease="next")
    books.settle(SID, outcome, lease="next")
    books.add(told(CANONICAL))
    assert outcome.reason == books.row(SID)["reason"]


def test_a_recording_that_is_named_after_another_call_is_that_calls(books: Books) -> None:
    """Whatever row of an export it stands in, and whichever of the two became known first."""
    others = f"{BASE}/{SIDS[1]}.mp3"
    books.add(told(others), told(SECOND, others), called(SIDS[1]))
    (call,) = books.claim(SID)
    assert [f"{SID}_2.mp3"] == [one.object_name for one in call.candidates]


def test_a_late_finisher_keeps_nothing(books: Books) -> None:
    """Its lease has lapsed: neither its recordings nor what it noted are written."""
    books.add(told(CANONICAL, SECOND))
    books.claim(SID)
    books.end()
    same = Candidate(f"{SID}_2.mp3", SECOND, same_as=f"{SID}.mp3")
    assert books.found(Find(sid=SID, proofs=(proved(SID),), same=(same,))) == []
    assert books.balance().recordings == 0
    assert books.sql("SELECT * FROM candidates WHERE same_as <> ''") == []
