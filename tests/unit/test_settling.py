"""What an answer without a recording means for a claimed call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts
from archive.catalog.work import ClaimedCall
from archive.readiness import Readiness
from archive.verdicts import (
    RULES,
    Absent,
    Act,
    Again,
    Failed,
    Lost,
    Pause,
    Refresh,
    Symptom,
    Verdict,
)
from archive.wire import CallAnswer
from jobs.settling import delete_by, judge_call, judge_trouble, no_sooner, with_known_end
from tests.unit.books import ACCOUNT, SIDS, called

if TYPE_CHECKING:
    from archive.catalog.work import Outcome
    from tests.unit.books import Books

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
COUNTS = {Act.AGAIN: "tries", Act.REFRESH: "refreshes", Act.LOOK: "late_looks"}


def claimed(*, tries: int = 0, refreshes: int = 0, late_looks: int = 0) -> ClaimedCall:
    """Return a call that went through so much before."""
    return ClaimedCall(CallFacts(sid="abcdef"), NOW + DAY, tries, refreshes, late_looks)


def having_found(reason: str, times: int, call: ClaimedCall) -> ClaimedCall:
    """Return the call as one whose last looks found this so often."""
    return msgspec.structs.replace(call, found=(reason,) * times)


def judge(call: ClaimedCall, answer: CallAnswer | Symptom) -> Outcome:
    """Judge it now, without jitter."""
    return judge_call(call, answer, NOW, Readiness(), 0.0, account=ACCOUNT)


def test_the_providers_facts_decide_and_the_calls_own_looks_count() -> None:
    """What an export said of the call alone decides nothing."""
    answer = CallAnswer(CallFacts(sid="abcdef", ended_at=NOW - DAY / 2, status="busy"))
    again = Again("no-recording-yet", Readiness().recheck, late_look=True)
    assert again == judge(claimed(), answer)
    assert Absent("no-answer") == judge(claimed(late_looks=1), answer)


def test_a_calls_age_is_reckoned_from_the_end_that_is_known() -> None:
    """The provider tells neither end nor length for some minutes; until then an export's holds."""
    began, ended = NOW - timedelta(hours=2), NOW - timedelta(minutes=2)
    unsettled = CallFacts(sid="abcdef", started_at=began, status="completed")
    call = msgspec.structs.replace(claimed(), facts=CallFacts(sid="abcdef", ended_at=ended))
    assert ended == with_known_end(call, unsettled, NOW).ended_at
    verdict = judge(call, CallAnswer(unsettled))
    assert isinstance(verdict, Again)
    assert (verdict.reason, verdict.late_look) == ("not-ready", False)
    for told in ({"ended_at": began}, {"duration_s": 9}):
        settled = msgspec.structs.replace(unsettled, **told)
        assert settled == with_known_end(call, settled, NOW)
    ahead = msgspec.structs.replace(call, facts=CallFacts(sid="abcdef", ended_at=NOW + DAY))
    assert unsettled == with_known_end(ahead, unsettled, NOW)


def test_an_exports_word_counts_until_the_provider_was_asked() -> None:
    """With the provider's it makes two words, and one look is enough; later there is but one."""
    unanswered = CallFacts(sid="abcdef", ended_at=NOW - DAY / 2, status="busy")
    answer = CallAnswer(unanswered)
    call = msgspec.structs.replace(claimed(), facts=unanswered)
    again = Again("no-recording-yet", Readiness().recheck, late_look=True)
    assert Absent("no-answer") == judge(call, answer)
    for counted in ("looks", "tries", "refreshes"):
        assert again == judge(msgspec.structs.replace(call, **{counted: 1}), answer)


def test_a_call_that_was_talked_is_lost_once_it_must_be_deleted() -> None:
    """The start that the answer tells decides, else the catalog's day of deletion."""
    talked = CallFacts(sid="abcdef", ended_at=NOW - DAY, duration_s=60, talk_s=50)
    call = ClaimedCall(CallFacts(sid="abcdef"), NOW - DAY, 0, 0, 1)
    assert Lost("past-retention") == judge(call, CallAnswer(talked))
    for ago, expected in ((29, Absent("not-recorded")), (30, Lost("past-retention"))):
        dated = msgspec.structs.replace(talked, started_at=NOW - ago * DAY)
        assert expected == judge(call, CallAnswer(dated))


def test_a_call_nobody_knows_is_tried_again_and_then_left_to_a_person() -> None:
    """One that is out of history is lost at once."""
    assert isinstance(judge(claimed(tries=9, refreshes=9), Symptom.CALL_UNKNOWN), Again)
    unknown = having_found("call-unknown", 1, claimed(late_looks=1))
    assert Failed("call-unknown") == judge(unknown, Symptom.CALL_UNKNOWN)
    assert Lost("call-out-of-history") == judge(claimed(), Symptom.CALL_OUT_OF_HISTORY)


@pytest.mark.parametrize(
    ("symptom", "call", "expected"),
    [
        (
            Symptom.FETCH_TIMEOUT,
            claimed(tries=3, refreshes=99),
            Again("fetch-timeout", timedelta(seconds=16), costs_try=True),
        ),
        (Symptom.FETCH_TIMEOUT, claimed(tries=10), Failed("fetch-timeout")),
        (
            Symptom.FETCH_EXPIRED,
            claimed(tries=99, refreshes=3),
            Refresh("fetch-expired", timedelta(seconds=16)),
        ),
        (
            Symptom.FETCH_EXPIRED,
            having_found("fetch-expired", 6, claimed(refreshes=6)),
            Failed("fetch-expired"),
        ),
        (
            Symptom.FETCH_NOT_YET,
            claimed(tries=99, refreshes=99, late_looks=99),
            Again("fetch-not-yet", timedelta(seconds=15)),
        ),
    ],
)
def test_tries_refreshes_and_late_looks_are_counted_apart(
    symptom: Symptom, call: ClaimedCall, expected: Verdict
) -> None:
    """None uses up another's limit, and a URL that is not there yet uses up none."""
    assert expected == judge_trouble(call, symptom, 0.0)


@pytest.mark.parametrize(
    ("symptom", "call"),
    [
        (Symptom.FETCH_GONE, having_found("fetch-refused", 2, claimed(refreshes=2))),
        (Symptom.FETCH_GONE, having_found("fetch-gone", 2, claimed(refreshes=9))),
        (Symptom.FETCH_REDIRECT, having_found("fetch-gone", 2, claimed(refreshes=2))),
        (Symptom.BODY_NOT_AUDIO, having_found("fetch-redirect", 5, claimed(refreshes=5))),
        (Symptom.API_REFUSED, having_found("fetch-timeout", 9, claimed(tries=9))),
        (Symptom.CALL_UNKNOWN, having_found("no-recording-yet", 1, claimed(late_looks=1))),
    ],
)
def test_only_what_is_seen_again_and_again_is_believed(symptom: Symptom, call: ClaimedCall) -> None:
    """After other troubles, the first 404 is a first 404 and no loss."""
    assert isinstance(judge_trouble(call, symptom, 0.0), Again | Refresh)


@given(symptom=st.sampled_from(Symptom), left=st.timedeltas(-90 * DAY, 90 * DAY))
def test_only_what_is_gone_too_early_waits_for_the_next_look(
    symptom: Symptom, left: timedelta
) -> None:
    """From its deletion on, and for all other symptoms, the delay of the table is enough."""
    readiness = Readiness(recheck=timedelta(minutes=7))
    early = symptom is Symptom.FETCH_GONE and left > timedelta(0)
    expected = timedelta(minutes=7) if early else timedelta(0)
    assert expected == no_sooner(symptom, deleted=NOW + left, now=NOW, readiness=readiness)


def test_a_recording_is_deleted_so_long_after_the_start_that_the_provider_tells() -> None:
    """What the catalog has may be a guess: it counts where the provider tells no start."""
    dated = CallFacts(sid="abcdef", started_at=NOW - 20 * DAY)
    assert delete_by(claimed(), dated, ACCOUNT) == NOW + 10 * DAY
    assert delete_by(claimed(), CallFacts(sid="abcdef"), ACCOUNT) == NOW + DAY


@pytest.mark.parametrize("symptom", [Symptom.FETCH_GONE, Symptom.FETCH_REFUSED])
def test_troubles_that_take_turns_come_to_an_end(symptom: Symptom) -> None:
    """Ten refreshes without this seen often: the call failed, and is never said to be lost."""
    call = having_found("body-empty", 3, claimed(refreshes=10))
    assert Failed(symptom.value) == judge_trouble(call, symptom, 0.0)


@given(
    symptom=st.sampled_from(Symptom),
    own=st.integers(0, 20),
    others=st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_what_a_call_went_through_otherwise_changes_no_verdict(
    symptom: Symptom, own: int, others: tuple[int, int]
) -> None:
    """Of every symptom: only the count that its act adds to is looked at."""
    count = COUNTS.get(RULES[symptom].act)
    rest = [name for name in COUNTS.values() if name != count]
    alone = {} if count is None else {count: own}
    mixed = {**alone, **dict(zip(rest, others, strict=False))}
    expected = judge_trouble(claimed(**alone), symptom, 0.0)
    assert expected == judge_trouble(claimed(**mixed), symptom, 0.0)


@pytest.mark.parametrize("symptom", [s for s in Symptom if RULES[s].limit is not None])
def test_a_trouble_that_stays_is_settled_after_its_limit(books: Books, symptom: Symptom) -> None:
    """What the catalog counts is what the next verdict reads, and nothing else is counted."""
    sid = SIDS[0]
    books.add(called(sid))
    limit = RULES[symptom].limit
    assert limit is not None
    for turn in range(limit + 1):
        (call,) = books.claim(sid, lease=f"{turn}")
        verdict = judge_trouble(call, symptom, 0.0)
        assert not isinstance(verdict, Pause)
        books.settle(sid, verdict, lease=f"{turn}")
        assert ("expected" if turn < limit else RULES[symptom].finally_.value) == books.row(sid)[
            "state"
        ]
    row = books.row(sid)
    counted = COUNTS[RULES[symptom].act]
    assert {name: limit if name == counted else 0 for name in COUNTS.values()} == {
        name: row[name] for name in COUNTS.values()
    }
