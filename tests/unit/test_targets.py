"""Which recordings a call has: the API's first, then what other sources told of, each once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from archive.catalog.candidates import Candidate
from archive.catalog.work import ClaimedCall
from archive.readiness import Readiness
from archive.verdicts import Symptom
from archive.wire import CallAnswer
from jobs.targets import targets_of, told_by_listing
from tests.unit.books import ACCOUNT, NOW, SIDS, called, proved

if TYPE_CHECKING:
    from archive.proof import Proof

SID = SIDS[0]
BASE = "https://recordings.exotel.com/exotelrecordings/acme1"
NAMES = st.sampled_from([f"{SID}.mp3", f"{SID}_2.mp3", "1772.1_1.mp3", "1772.1_2.wav", "x.mp3"])


def claimed(*candidates: Candidate, kept: tuple[Proof, ...] = ()) -> ClaimedCall:
    """Return a call of the day before with what sources told of it."""
    return ClaimedCall(
        called(SID), NOW + timedelta(days=9), 0, 0, 0, candidates=candidates, kept=kept
    )


def told(name: str, same_as: str = "") -> Candidate:
    """Return a recording that a source told of."""
    return Candidate(name, f"{BASE}/{name}", same_as)


def had(name: str, number: int) -> Proof:
    """Return a recording that is archived under a number."""
    return proved(SID, object_name=name, number=number)


def plan(call: ClaimedCall, answer: CallAnswer | Symptom) -> list[tuple[str, int, str]]:
    """Return object name, number and URL of each target."""
    found = targets_of(call, answer, ACCOUNT, NOW)
    return [(one.place.object_name, one.place.number, one.url) for one in found]


def test_the_apis_recording_is_the_first() -> None:
    """Its own URL is used, also where an export told of the same object."""
    answer = CallAnswer(called(SID), f"{BASE}/b.mp3", f"{BASE}/b.mp3?Signature=x")
    expected = [("b.mp3", 1, f"{BASE}/b.mp3?Signature=x"), ("a.mp3", 2, f"{BASE}/a.mp3")]
    assert expected == plan(claimed(told("a.mp3"), told("b.mp3")), answer)


def test_without_an_answer_of_the_api_others_are_all_there_is() -> None:
    """A call that the API has forgotten may still have its recording."""
    assert plan(claimed(), Symptom.CALL_OUT_OF_HISTORY) == []
    expected = [("a.mp3", 1, f"{BASE}/a.mp3")]
    assert expected == plan(claimed(told("a.mp3")), Symptom.CALL_OUT_OF_HISTORY)
    assert expected == plan(claimed(told("a.mp3")), CallAnswer(called(SID)))


def test_an_exports_usual_url_stands_in_for_the_api() -> None:
    """Where the API tells of none; one of another host or path is not trusted."""
    usual = f"{BASE}/{SID}.mp3"
    for url, expected in (
        (usual, [(f"{SID}.mp3", 1, usual)]),
        (f"https://x.example/{SID}.mp3", []),
    ):
        facts = called(SID, recording_urls=(url,))
        call = ClaimedCall(facts, NOW, 0, 0, 0)
        assert expected == plan(call, CallAnswer(called(SID)))
        assert expected == plan(call, Symptom.CALL_OUT_OF_HISTORY)
        assert [("b.mp3", 1, f"{BASE}/b.mp3")] == plan(
            call, CallAnswer(called(SID), f"{BASE}/b.mp3")
        )
        assert all(
            not one.facts.recording_urls
            for one in targets_of(call, Symptom.CALL_OUT_OF_HISTORY, ACCOUNT, NOW)
        )


def test_the_same_bytes_are_not_asked_for_again() -> None:
    """One that turned out to be another's is left alone."""
    answer = CallAnswer(called(SID), f"{BASE}/b.mp3")
    assert [("b.mp3", 1, f"{BASE}/b.mp3")] == plan(claimed(told("a.mp3", "b.mp3")), answer)


def test_what_is_kept_keeps_its_number() -> None:
    """Also where the API tells of another one first; what nobody tells of any more is looked at."""
    call = claimed(told("a.mp3"), kept=(had("a.mp3", 1), had("z.mp3", 3)))
    answer = CallAnswer(called(SID), f"{BASE}/b.mp3")
    expected = [
        ("b.mp3", 2, f"{BASE}/b.mp3"),
        ("a.mp3", 1, f"{BASE}/a.mp3"),
        ("z.mp3", 3, ""),
    ]
    assert expected == plan(call, answer)


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True), st.none() | NAMES)
def test_numbers_are_each_calls_own(
    names: list[str], archived: list[str], first: str | None
) -> None:
    """No two recordings of a call get one number, and each object comes once."""
    kept = tuple(had(name, number) for number, name in enumerate(archived, start=1))
    answer = CallAnswer(called(SID), f"{BASE}/{first}" if first else "")
    found = plan(claimed(*map(told, names), kept=kept), answer)
    assert {*names, *archived, *([first] if first else [])} == {name for name, _, _ in found}
    assert len(found) == len({name for name, _, _ in found})
    assert set(range(1, len(found) + 1)) == {number for _, number, _ in found}
    assert all(
        found_number == kept_number
        for kept_number, name in enumerate(archived, start=1)
        for found_name, found_number, _ in found
        if found_name == name
    )


def test_a_call_that_the_listing_told_all_of_is_not_asked_for() -> None:
    """Its facts are those that the listing told; an export's URLs are none of them."""
    url = f"{BASE}/{SID}.mp3"
    facts = called(SID, recording_urls=(f"{BASE}/{SID}.mp3",))
    call = replace(claimed(), facts=facts, listed_url=url)
    expected = {SID: CallAnswer(called(SID), url)}
    assert expected == told_by_listing([call, claimed()], ACCOUNT, Readiness(), NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"listed_url": ""},
        {"listed_url": "https://recordings.exotel.com/exotelrecordings/acme2/1.mp3"},
        {"listed_url": f"https://x.example/exotelrecordings/acme1/{SID}.mp3"},
        {"tries": 1},
        {"refreshes": 1},
        {"late_looks": 1},
        {"facts": called(SID, ended_at=None)},
        {"facts": called(SID, ended_at=NOW - Readiness().first_look + timedelta(seconds=1))},
    ],
)
def test_other_calls_are_asked_for(changed: dict[str, Any]) -> None:
    """No trusted URL, trouble before, an end that has not settled, or one that is too young."""
    call = replace(claimed(), **{"listed_url": f"{BASE}/{SID}.mp3", **changed})
    assert told_by_listing([call], ACCOUNT, Readiness(), NOW) == {}
