"""Facts that follow from a seed and an index."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.calls import RECORDED_KINDS, FormatChoice, Kind, Mix, Provider, Readiness

NOW = datetime(2026, 3, 1, 12, 0, 0, 654_321, tzinfo=UTC)
PROVIDER = Provider(
    calls=10_000_000,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=UTC,
    launched=NOW,
)
FEW = replace(PROVIDER, calls=2_000)
INDEXES = st.integers(0, PROVIDER.calls - 1)


@given(INDEXES)
def test_a_call_is_the_same_whoever_works_it_out(index: int) -> None:
    """Two stand-ins with the same settings agree on every fact."""
    assert PROVIDER.call(index) == replace(PROVIDER).call(index)


@given(INDEXES)
def test_sid_and_object_name_lead_back_to_the_call(index: int) -> None:
    """The Sid, and the name of the recording where there is one, find the call."""
    call = PROVIDER.call(index)
    assert index == PROVIDER.index_of(call.sid)
    if call.object_name is not None:
        assert call == PROVIDER.call_of_object(call.object_name)


@given(st.one_of(st.text(), st.from_regex(r"[0-9]+\.[0-9]+_1\.mp3", fullmatch=True)))
def test_a_made_up_object_name_is_unknown(name: str) -> None:
    """A name that was not handed out finds nothing, and raises nothing."""
    assert PROVIDER.call_of_object(name) is None


def test_sids_beyond_the_last_call_are_unknown() -> None:
    """A Sid of the seed is unknown where there are fewer calls."""
    assert FEW.index_of(PROVIDER.sid(FEW.calls)) is None


@given(INDEXES, INDEXES)
def test_starts_ascend_with_the_index(one: int, other: int) -> None:
    """Of two calls the one with the smaller index never starts later."""
    first, second = sorted((one, other))
    assert PROVIDER.started_at(first) <= PROVIDER.started_at(second)


@given(st.integers(-90_000, 50_000), st.integers(0, 100_000))
def test_a_window_holds_the_calls_that_start_in_it(after: int, length: int) -> None:
    """The calls at the window's edges are inside, those beyond are outside."""
    low = FEW.first.replace(microsecond=0) + timedelta(seconds=after)
    high = low + timedelta(seconds=length)
    found = FEW.between(low, high)
    expected = [index for index in range(FEW.calls) if low <= FEW.started_at(index) <= high]
    assert expected == list(found)


def test_three_quarters_are_recorded_and_all_kinds_occur() -> None:
    """Any hundred neighbours have 75 recorded calls and every kind."""
    kinds = Counter(PROVIDER.call(index).kind for index in range(4_321, 4_421))
    expected = 75
    assert expected == sum(kinds[kind] for kind in RECORDED_KINDS)
    assert set(Kind) == set(kinds)


@pytest.mark.parametrize("index", range(100))
def test_a_call_agrees_with_itself(index: int) -> None:
    """Status, lengths, recording and moments of a call fit together."""
    call, audio = PROVIDER.call(index), PROVIDER.audio(index)
    assert call.ended_at - call.started_at == timedelta(seconds=call.duration)
    assert call.ended_at <= call.settled_at
    assert (call.kind in RECORDED_KINDS) is (audio is not None)
    assert (audio is None) is (call.object_name is None) is (call.ready_at is None)
    if audio is not None:
        assert call.duration == pytest.approx(audio.seconds, abs=0.02)
        assert call.duration == call.conversation
        assert call.status == "completed"


def test_an_unanswered_inbound_call_is_completed() -> None:
    """Nobody answered, which only the second leg and the conversation tell."""
    calls = (FEW.call(index) for index in range(100))
    call = next(call for call in calls if call.kind is Kind.UNANSWERED)
    expected = ("completed", "inbound", 0, "no-answer")
    assert expected == (call.status, call.direction, call.conversation, call.leg_statuses[1])


def test_some_recordings_have_a_foreign_name() -> None:
    """A tenth of the recordings is not named after the Sid."""
    calls = [FEW.call(index) for index in range(100)]
    foreign = [call for call in calls if call.object_name and call.sid not in call.object_name]
    assert {Kind.FOREIGN} == {call.kind for call in foreign}


def test_clean_calls_are_all_recorded_as_mp3() -> None:
    """The clean mix has nothing but ordinary recordings."""
    clean = replace(FEW, mix=Mix.CLEAN)
    assert {Kind.MP3} == {clean.call(index).kind for index in range(300)}


@pytest.mark.parametrize("choice", ["mp3", "wav"])
def test_one_format_for_all(choice: str) -> None:
    """With a format chosen, every recording has it, by its name and by its bytes."""
    provider = replace(FEW, formats=FormatChoice(choice))
    names = {provider.call(index).object_name for index in range(100)} - {None}
    heads = {audio.whole()[:2] for i in range(100) if (audio := provider.audio(i))}
    assert {choice} == {str(name)[-3:] for name in names}
    assert {b"RI" if choice == "wav" else b"\xff\xfb"} == heads


@pytest.mark.parametrize("choice", ["mp3", "wav"])
def test_a_fixed_size_decides_the_duration(choice: str) -> None:
    """All recordings have the size asked for; calls last as long as those."""
    provider = replace(FEW, recording_bytes=961_000, formats=FormatChoice(choice), mix=Mix.CLEAN)
    audio = provider.audio(7)
    assert audio is not None
    assert audio.size == pytest.approx(961_000, abs=210)
    assert provider.call(7).duration == pytest.approx(audio.seconds, abs=0.5)
    assert timedelta(seconds=provider.call(7).duration) <= provider.longest


def test_most_recordings_are_ready_in_one_to_five_minutes() -> None:
    """Most are ready in 1 to 5 minutes, a tail within 15, a few later."""
    calls = [FEW.call(index) for index in range(2_000)]
    delays = [(c.ready_at - c.ended_at).total_seconds() / 60 for c in calls if c.ready_at]
    early, middle = (sum(delay < limit for delay in delays) / len(delays) for limit in (5, 15))
    assert min(delays) >= 1
    assert early == pytest.approx(0.86, abs=0.04)
    assert middle == pytest.approx(0.98, abs=0.02)
    assert 15 < max(delays) <= 40


def test_a_minute_can_be_shortened() -> None:
    """With a minute of 0.2 seconds the delays are 300 times shorter."""
    call, short = FEW.call(0), replace(FEW, minute=0.2).call(0)
    assert call.ready_at is not None
    assert short.ready_at is not None
    expected = (call.ready_at - call.ended_at).total_seconds() / 300
    assert expected == pytest.approx((short.ready_at - short.ended_at).total_seconds(), abs=1e-5)


def test_ready_at_once() -> None:
    """Without a delay a recording and all facts are there when the call ends."""
    call = replace(FEW, ready=Readiness.AT_ONCE).call(0)
    assert call.ended_at == call.ready_at == call.settled_at


@given(st.integers(1, 100), st.sampled_from([None, 129_000]))
def test_late_calls_end_just_before_the_launch(late: int, size: int | None) -> None:
    """The last calls are recorded, end within two seconds of the launch, and are in order."""
    provider = replace(FEW, calls=500, late=late, recording_bytes=size)
    calls = [provider.call(index) for index in range(500 - late, 500)]
    assert all(call.kind in RECORDED_KINDS for call in calls)
    assert all(timedelta() < NOW - call.ended_at <= timedelta(seconds=2) for call in calls)
    starts = [provider.started_at(index) for index in range(500)]
    assert sorted(starts) == starts


def test_retention_takes_a_recording_away() -> None:
    """A recording is there from its readiness until its retention ends."""
    call = FEW.call(0)
    assert call.ready_at is not None
    moment = timedelta(microseconds=1)
    moments = (
        call.ready_at - moment,
        call.ready_at,
        call.started_at + timedelta(days=30) - moment,
        call.started_at + timedelta(days=30),
    )
    expected = [False, True, True, False]
    assert expected == [FEW.is_available(call, now) for now in moments]
