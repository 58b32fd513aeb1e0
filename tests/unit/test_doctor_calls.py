"""What `doctor` finds among real calls: the provider's own troubles, and the last night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.call import CallFacts, Source
from archive.catalog import examine, hearings
from archive.catalog.examine import Night
from archive.catalog.runs import Run
from archive.reasons import meaning_of
from archive.verdicts import Symptom
from tests.unit.books import ACCOUNT, NOW, SIDS, proved
from worker.doctor import calls, night
from worker.doctor.calls import Recent
from worker.doctor.check import Result
from worker.doctor.recording import Got, judge_recording

if TYPE_CHECKING:
    from tests.unit.books import Books

_DAY = "2026-02-09"


def _recent(archived: int, *, unrecorded: int = 0, **met: int) -> Recent:
    named = {reason.replace("_", "-"): n for reason, n in met.items()}
    return Recent({("archived", ""): archived, ("absent", "not-recorded"): unrecorded}, named)


@pytest.mark.parametrize(
    ("archived", "unrecorded", "expected"),
    [
        (100, 0, Result.PASSED),
        (100, 25, Result.PASSED),
        (100, 26, Result.WARNED),
        (0, 4, Result.PASSED),
        (0, 5, Result.WARNED),
    ],
)
def test_answered_calls_without_recordings_are_told(
    archived: int, unrecorded: int, expected: Result
) -> None:
    """More than a fifth of them, and more than chance: their flow may not record."""
    found = calls.judge_unrecorded(_recent(archived, unrecorded=unrecorded))
    assert found.result is expected
    assert ("flows record" in found.do) is (expected is Result.WARNED)


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        ({}, Result.PASSED),
        ({"fetch_refused": 4}, Result.PASSED),
        ({"fetch_refused": 20}, Result.PASSED),
        ({"fetch_refused": 21}, Result.WARNED),
        ({"body_empty": 500}, Result.PASSED),
    ],
)
def test_refusals_of_many_calls_are_told(met: dict[str, int], expected: Result) -> None:
    """A valid fetch is refused now and then; that is not worth a word."""
    found = calls.judge_refused(_recent(1000, **met))
    assert found.result is expected
    assert ("listed addresses" in found.do) is (expected is Result.WARNED)


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        ({}, Result.PASSED),
        ({"body_empty": 10}, Result.PASSED),
        ({"body_empty": 11}, Result.WARNED),
        ({"body_not_audio": 30}, Result.WARNED),
    ],
)
def test_empty_recordings_are_told(met: dict[str, int], expected: Result) -> None:
    """And pages of errors in their place."""
    assert calls.judge_empty(_recent(1000, **met)).result is expected


@pytest.mark.parametrize(("late", "expected"), [(50, Result.PASSED), (51, Result.WARNED)])
def test_recordings_that_come_late_are_told(late: int, expected: Result) -> None:
    """Later than the provider's own figure."""
    assert calls.judge_late(_recent(1000, no_recording_yet=late)).result is expected


def test_every_word_that_is_looked_for_is_a_reason() -> None:
    """With a meaning of its own, and a remedy."""
    for reason in (calls.NOT_RECORDED, calls.LATE, *calls.REFUSALS, *calls.EMPTY):
        assert meaning_of(reason).words != reason


def test_the_catalog_tells_what_became_of_calls_and_what_they_met(books: Books) -> None:
    """Of the days that are asked for; each call counts once for each reason."""
    began = NOW - timedelta(hours=30)
    books.add(*(CallFacts(sid=sid, started_at=began, duration_s=60) for sid in SIDS[:3]))
    books.claim(*SIDS[:3])
    books.archive(proved(SIDS[0]))
    look = "INSERT INTO looks (account, sid, at_ms, state, reason) VALUES ('main', ?, 1, 'x', ?)"
    for sid in (SIDS[0], SIDS[0], SIDS[1]):
        books.sql(look, sid, Symptom.BODY_EMPTY)
    with books.database.read() as tx:
        found = examine.outcomes(tx, "main", _DAY, _DAY)
        met = examine.met(tx, "main", _DAY, _DAY)
        elsewhere = examine.met(tx, "main", "2026-02-10", "2026-02-10")
    assert {state: n for (state, _), n in found.items()} == {"archived": 1, "leased": 2}
    assert met == {"body-empty": 2}
    assert elsewhere == {}


def test_the_catalog_tells_of_a_night(books: Books) -> None:
    """How the day stands, when the listing was read last, and how usual calls are."""
    days = [timedelta(hours=30 + 24 * back) for back in range(4)]
    facts = [
        CallFacts(sid=sid, started_at=NOW - ago, duration_s=60)
        for sid, ago in zip(SIDS, days, strict=False)
    ]
    books.add(*facts)
    with books.database.write() as tx:
        hearings.hear(tx, "main", Source.LISTING, NOW - timedelta(hours=1), NOW)
    with books.database.read() as tx:
        found = examine.night(tx, "main", _DAY, first_day="2026-02-02", before="2026-02-08")
    expected = Night(
        calls=1, unsettled=1, settled_at=None, archived_at=None, listed_at=NOW, usual=3
    )
    assert found == expected


def _night(**more: Any) -> Night:  # noqa: ANN401 - fields of a night
    fields: dict[str, Any] = {
        "calls": 100,
        "unsettled": 0,
        "settled_at": NOW,
        "archived_at": NOW,
        "listed_at": NOW,
        "usual": 5,
    }
    return Night(**(fields | more))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (_night(), Result.PASSED),
        (_night(listed_at=None), Result.PASSED),
        (_night(unsettled=1), Result.WARNED),
        (_night(calls=0), Result.WARNED),
        (_night(calls=0, usual=2), Result.SKIPPED),
        (_night(listed_at=NOW - timedelta(hours=25)), Result.WARNED),
    ],
)
def test_a_night_is_done_where_all_is_settled_and_the_listing_was_heard(
    seen: Night, expected: Result
) -> None:
    """A day without calls is one to look at where there are calls on most days."""
    found = night.judge_night(seen, ACCOUNT, _DAY, NOW)
    assert found.result is expected
    assert bool(found.do) is (expected is Result.WARNED)


def test_where_nothing_was_archived_yet_that_is_said() -> None:
    """In a sentence; else it is said when the last one was."""
    never = night.judge_night(_night(unsettled=1, archived_at=None), ACCOUNT, _DAY, NOW).said
    once = night.judge_night(_night(unsettled=1), ACCOUNT, _DAY, NOW).said
    assert never.endswith("not settled; no recording was archived yet")
    assert "not settled; a recording was archived last at " in once


def _run(code: int | None, *, command: str = "work", hours: int = 9) -> Run:
    began = NOW - timedelta(hours=hours)
    ended = None if code is None else began + timedelta(hours=1)
    return Run(id="a", host="h1", command=command, began=began, ended=ended, code=code, note="why")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], Result.SKIPPED),
        ([_run(0)], Result.PASSED),
        ([_run(None)], Result.PASSED),
        ([_run(None, hours=25)], Result.WARNED),
        ([_run(5)], Result.WARNED),
        ([_run(6)], Result.WARNED),
        ([_run(7)], Result.FAILED),
        ([_run(0), _run(7, command="reconcile")], Result.FAILED),
        ([_run(7, hours=30), _run(0)], Result.PASSED),
        ([_run(0), _run(7, hours=30)], Result.PASSED),
        ([_run(0, hours=30), _run(2)], Result.FAILED),
    ],
)
def test_how_each_command_ended_last_is_told(seen: list[Run], expected: Result) -> None:
    """One that failed and then did not is well."""
    found = night.judge_runs(seen, NOW, ACCOUNT.zone)
    assert found.result is expected
    assert bool(found.do) is (expected in {Result.FAILED, Result.WARNED})


def test_times_are_told_in_the_accounts_zone_with_its_name() -> None:
    """Whatever the machine's own zone is; a night and a run of one output are comparable."""
    began = datetime(2026, 2, 10, 13, 32, tzinfo=UTC)
    run = Run(id="a", host="h1", command="work", began=began, ended=began, code=0, note="")
    found = night.judge_runs([run], NOW, ACCOUNT.zone)
    assert found.said == "work of 2026-02-10 19:02 IST ended with 0"
    settled = night.judge_night(_night(settled_at=began), ACCOUNT, _DAY, NOW)
    assert settled.said.endswith("the last at 2026-02-10 19:02 IST")


def test_what_doctor_fetched_is_kept_nowhere() -> None:
    """What the workers' remedy says of the quarantine is not true of a check."""
    found = judge_recording(Got(sid="s1", symptom=Symptom.BODY_NOT_AUDIO, detail="html"))
    assert "This check keeps nothing" in found.do
    assert "it is kept in" not in found.do


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (None, Result.SKIPPED),
        (Got(sid="s1", sha256="a", expected="a", kind="mp3", bytes=5), Result.PASSED),
        (Got(sid="s1", sha256="a", expected="", kind="mp3", bytes=5), Result.PASSED),
        (Got(sid="s1", sha256="a", expected="b", kind="mp3", bytes=5), Result.FAILED),
        (Got(sid="s1", symptom=Symptom.FETCH_REFUSED), Result.FAILED),
        (Got(sid="s1", symptom=Symptom.BODY_NOT_AUDIO, detail="html"), Result.FAILED),
        (Got(sid="s1", symptom=Symptom.FETCH_GONE), Result.WARNED),
        (Got(sid="s1", symptom=Symptom.CALL_UNKNOWN), Result.WARNED),
        (Got(sid="s1", symptom="no-recording-yet"), Result.WARNED),
        (Got(sid="s1", symptom=Symptom.BODY_ENDLESS), Result.SKIPPED),
    ],
)
def test_a_real_recording_shows_what_goes_and_what_does_not(
    got: Got | None, expected: Result
) -> None:
    """One that the provider no longer has says nothing of the others."""
    found = judge_recording(got)
    assert found.result is expected
    assert bool(found.do) is (expected in {Result.FAILED, Result.WARNED})
