"""When a call is looked at, and what a missing recording means."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from archive.call import CallFacts
from archive.provider_time import end_of
from archive.readiness import Readiness, first_due, judge_missing
from archive.verdicts import Absent, Again, Lost, Verdict

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
USUAL = Readiness()
STATUSES = [
    "",
    "queued",
    "ringing",
    "in-progress",
    "completed",
    "failed",
    "busy",
    "no-answer",
    "canceled",
    "missed-call",
    "something-new",
]
MOMENTS = st.none() | st.builds(
    lambda seconds: NOW - timedelta(seconds=seconds), st.floats(-7200, 40 * 86_400)
)
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "sid": st.just("abcdef"),
    "created_at": MOMENTS,
    "started_at": MOMENTS,
    "ended_at": MOMENTS,
    "duration_s": st.none() | st.integers(0, 14_400),
    "talk_s": st.none() | st.integers(0, 14_400),
    "status": st.sampled_from(STATUSES),
    "leg2_status": st.sampled_from(STATUSES),
}
FACTS = st.fixed_dictionaries(KNOWN).map(lambda known: CallFacts(**known))
READINESS = st.builds(
    Readiness,
    first_look=st.timedeltas(timedelta(0), timedelta(hours=1)),
    window=st.timedeltas(timedelta(0), timedelta(hours=2)),
    recheck=st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1)),
    give_up_after=st.timedeltas(timedelta(0), timedelta(days=1)),
)
DELETE_BY = st.none() | st.builds(lambda days: NOW + timedelta(days=days), st.integers(-40, 40))


def ended(ago: timedelta, **known: Any) -> CallFacts:  # noqa: ANN401 - fields of every type
    """Return a call that ended so long ago."""
    usual: dict[str, Any] = {"status": "completed", "duration_s": 60, "talk_s": 50}
    return CallFacts(sid="abcdef", ended_at=NOW - ago, **{**usual, **known})


def judge(
    facts: CallFacts,
    *,
    former: CallFacts | None = None,
    late_looks: int = 0,
    delete_by: datetime | None = None,
    now: datetime = NOW,
    readiness: Readiness = USUAL,
) -> Verdict:
    """Judge a call without a recording URL."""
    return judge_missing(
        facts,
        former=former,
        late_looks=late_looks,
        delete_by=delete_by,
        now=now,
        readiness=readiness,
    )


def reason_of(facts: CallFacts) -> str:
    """Return why a call of these facts, whenever it was, has no recording."""
    timeless = replace(facts, created_at=None, started_at=None, ended_at=None)
    if timeless.status in {"queued", "ringing", "in-progress"}:
        timeless = replace(timeless, status="")
    verdict = judge(timeless, late_looks=1)
    assert isinstance(verdict, Absent)
    return verdict.reason


@given(FACTS, st.integers(0, 5), DELETE_BY, READINESS)
def test_the_next_look_is_always_later_than_now(
    facts: CallFacts, late_looks: int, delete_by: datetime | None, readiness: Readiness
) -> None:
    """Never at once, or a call would be asked for in a circle; and it costs no try."""
    verdict = judge(facts, late_looks=late_looks, delete_by=delete_by, readiness=readiness)
    if isinstance(verdict, Again):
        assert verdict.after > timedelta(0)
        assert not verdict.costs_try


@given(FACTS, st.none() | FACTS, st.integers(0, 5), DELETE_BY, READINESS)
def test_nothing_is_concluded_before_the_provider_had_its_time(
    facts: CallFacts,
    former: CallFacts | None,
    late_looks: int,
    delete_by: datetime | None,
    readiness: Readiness,
) -> None:
    """Absent or lost: only after the window and two late looks, and if talked give_up_after.

    After one look only where two words say that nobody answered, and give_up_after has passed.
    """
    verdict = judge(
        facts, former=former, late_looks=late_looks, delete_by=delete_by, readiness=readiness
    )
    if isinstance(verdict, Again):
        return
    assert isinstance(verdict, Absent | Lost)
    talked = verdict.reason in {"not-recorded", "past-retention"}
    ended_at = end_of(facts.began_at, facts.ended_at, facts.duration_s)
    age = None if ended_at is None else NOW - ended_at
    if late_looks < 1:
        assert former is not None
        assert {"no-answer"} == {verdict.reason, reason_of(former)}
        assert age is not None
        assert age >= readiness.give_up_after
    if age is not None:
        assert age >= (
            max(readiness.window, readiness.give_up_after) if talked else readiness.window
        )


@given(FACTS, st.integers(0, 5), DELETE_BY, st.sampled_from(["queued", "ringing", "in-progress"]))
def test_a_call_that_goes_on_is_never_settled(
    facts: CallFacts, late_looks: int, delete_by: datetime | None, status: str
) -> None:
    """It is asked for again, and the look is no late one; a day after its start it is stale."""
    began = facts.began_at
    assume(began is None or NOW - began < timedelta(days=1))
    verdict = judge(replace(facts, status=status), late_looks=late_looks, delete_by=delete_by)
    assert Again("call-in-progress", after=USUAL.recheck) == verdict


@given(st.integers(0, 3600), READINESS)
def test_looks_lead_to_an_end(delay_s: int, readiness: Readiness) -> None:
    """From the first look on, a call without a recording is settled, after at least two looks."""
    known = ended(timedelta(0))
    now = first_due(known, NOW + timedelta(seconds=delay_s), readiness)
    late_looks = looks = 0
    verdict = judge(known, now=now, readiness=readiness)
    while isinstance(verdict, Again):
        late_looks += verdict.late_look
        looks += 1
        assume(looks < 200)
        now += verdict.after
        verdict = judge(known, late_looks=late_looks, now=now, readiness=readiness)
    assert Absent("not-recorded") == verdict
    assert looks >= 1
    patience = max(readiness.give_up_after, readiness.window + readiness.recheck)
    latest = max(now - NOW - readiness.recheck, timedelta(0))
    assert latest <= patience + max(readiness.first_look, timedelta(seconds=delay_s))


def test_the_usual_looks_are_dense_where_recordings_appear() -> None:
    """Seldom at first, often from 3:33 to 5:00, less often to 15:00; then ten minutes apart."""
    ages, late_looks, now = [], 0, first_due(ended(timedelta(0)), NOW, USUAL)
    while isinstance(verdict := judge(ended(timedelta(0)), late_looks=late_looks, now=now), Again):
        ages.append(round((now - NOW).total_seconds()))
        late_looks += verdict.late_look
        now += verdict.after
        assert len(ages) < 50
    apart = [later - former for former, later in itertools.pairwise(ages)]
    assert ages[:5] == [86, 113, 141, 168, 195]
    assert {27, 28} == set(apart[:4])
    assert {8, 9} == {gap for age, gap in zip(ages, apart, strict=False) if 213 <= age < 290}
    assert {50} == {gap for age, gap in zip(ages, apart, strict=False) if 302 <= age < 550}
    assert {27, 28} == {gap for age, gap in zip(ages, apart, strict=False) if 600 <= age < 870}
    assert ages[-5:] == [900, 1500, 2100, 2700, 3300]
    assert timedelta(seconds=3900) == now - NOW


def test_a_call_that_nobody_answered_is_looked_at_once_an_hour_later() -> None:
    """It will hardly have a recording, but voice mail may; the provider has to say so as well."""
    unanswered = ended(timedelta(0), status="no-answer", talk_s=0)
    now = first_due(unanswered, NOW, USUAL)
    assert NOW + USUAL.give_up_after == now
    assert Absent("no-answer") == judge(unanswered, former=unanswered, now=now)
    assert NOW + USUAL.window == first_due(ended(timedelta(0), duration_s=2), NOW, USUAL)


AGAIN = Again("no-recording-yet", after=USUAL.recheck, late_look=True)


@pytest.mark.parametrize(
    ("said", "says", "age", "expected"),
    [
        ({"status": "busy"}, {"status": "busy"}, 60, Absent("no-answer")),
        ({"talk_s": 0}, {"leg2_status": "no-answer"}, 60, Absent("no-answer")),
        ({"status": "missed-call"}, {"talk_s": 0}, 60 * 24 * 40, Absent("no-answer")),
        ({"status": "busy"}, {"status": "busy"}, 59, AGAIN),
        ({}, {"status": "busy"}, 600, AGAIN),
        ({"status": "busy"}, {}, 600, AGAIN),
        ({"duration_s": 2}, {"duration_s": 2}, 600, AGAIN),
        ({"duration_s": 2}, {"status": "busy"}, 600, AGAIN),
    ],
)
def test_one_look_is_enough_where_two_words_agree_that_nobody_answered(
    said: dict[str, object], says: dict[str, object], age: int, expected: Verdict
) -> None:
    """A source's, from before, and the provider's; all others need two looks."""
    ago = timedelta(minutes=age)
    assert expected == judge(ended(ago, **says), former=ended(ago, **said))


def test_a_call_known_by_its_sid_alone_needs_two_looks() -> None:
    """Nobody but the provider has said anything of it; nor where the call's end is unknown."""
    unanswered = ended(timedelta(days=1), status="busy")
    assert judge(unanswered, former=CallFacts(sid="abcdef")) == AGAIN
    assert judge(unanswered, former=None) == AGAIN
    endless = CallFacts(sid="abcdef", status="busy")
    assert judge(endless, former=endless) == AGAIN


def test_one_empty_answer_settles_nothing() -> None:
    """However old the call is and whatever became of it: an answer may lack a URL by mistake."""
    for known in ({"status": "busy"}, {"duration_s": 1, "talk_s": 1}, {}):
        verdict = judge(ended(timedelta(days=9), **known))
        assert Again("no-recording-yet", after=USUAL.recheck, late_look=True) == verdict


@pytest.mark.parametrize("age", [timedelta(0), timedelta(seconds=899), timedelta(hours=-3)])
def test_within_the_window_a_missing_recording_is_late(age: timedelta) -> None:
    """Also where a clock or a zone is wrong and the call ends in the future."""
    verdict = judge(ended(age), late_looks=5)
    assert isinstance(verdict, Again)
    assert (verdict.reason, verdict.late_look) == ("not-ready", False)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"status": "no-answer"}, "no-answer"),
        ({"status": "busy"}, "no-answer"),
        ({"status": "failed"}, "no-answer"),
        ({"status": "canceled"}, "no-answer"),
        ({"status": "missed-call"}, "no-answer"),
        ({"status": "call-attempt"}, "no-answer"),
        ({"leg2_status": "no-answer"}, "no-answer"),
        ({"leg2_status": "busy", "duration_s": 3}, "no-answer"),
        ({"talk_s": 0}, "no-answer"),
        ({"duration_s": 5}, "too-short"),
        ({"duration_s": 0, "talk_s": 0}, "too-short"),
        ({"duration_s": 6}, "not-recorded"),
        ({"duration_s": None, "talk_s": None, "status": ""}, "not-recorded"),
    ],
)
def test_an_absent_recording_has_its_reason(known: dict[str, object], expected: str) -> None:
    """The second leg and the time talked decide: "completed" calls are often unanswered."""
    assert Absent(expected) == judge(ended(timedelta(days=1), **known), late_looks=1)


def test_a_call_that_has_gone_on_for_a_day_has_ended() -> None:
    """Calls last four hours at most: the status is stale, and the usual rules hold."""
    for ago, going_on in ((timedelta(hours=23), True), (timedelta(hours=24), False)):
        facts = CallFacts(sid="abcdef", started_at=NOW - ago, status="in-progress", talk_s=9)
        verdict = judge(facts, late_looks=1)
        assert isinstance(verdict, Again) == going_on


def test_past_its_retention_a_talked_call_is_lost_and_not_absent() -> None:
    """Nobody can say any more that there was no recording; of an unanswered call one can."""
    old = timedelta(days=31)
    gone = NOW
    assert Lost("past-retention") == judge(ended(old), late_looks=1, delete_by=gone)
    left = gone + timedelta(seconds=1)
    assert Absent("not-recorded") == judge(ended(old), late_looks=1, delete_by=left)
    assert Absent("no-answer") == judge(ended(old, talk_s=0), late_looks=1, delete_by=gone)


def test_a_call_of_unknown_end_is_looked_at_twice() -> None:
    """Its age says nothing, so two looks decide."""
    unknown = CallFacts(sid="abcdef")
    again = Again("no-recording-yet", after=USUAL.recheck, late_look=True)
    assert again == judge(unknown)
    assert Absent("not-recorded") == judge(unknown, late_looks=1)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (CallFacts(sid="abcdef"), timedelta(0)),
        (ended(timedelta(days=1)), timedelta(0)),
        (ended(timedelta(seconds=10)), timedelta(seconds=76)),
        (ended(timedelta(seconds=-60)), timedelta(seconds=146)),
        (CallFacts(sid="abcdef", started_at=NOW, duration_s=60), timedelta(seconds=146)),
        (CallFacts(sid="abcdef", created_at=NOW), timedelta(seconds=86)),
        (ended(timedelta(hours=-14)), timedelta(hours=14, seconds=86)),
        (ended(timedelta(days=-365)), timedelta(0)),
    ],
)
def test_a_new_call_is_first_looked_at_soon_after_its_end(
    facts: CallFacts, expected: timedelta
) -> None:
    """At once where its end is unknown, long past, or so far ahead that it is none."""
    assert NOW + expected == first_due(facts, NOW, USUAL)
