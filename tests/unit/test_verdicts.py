"""The table that decides what follows from what was seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.verdicts import (
    RULES,
    Act,
    Again,
    Failed,
    Lost,
    Pause,
    Refresh,
    Symptom,
    backoff,
    judge,
)

JITTER = st.floats(0, 1)
DELAYS = st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1))
# What keeps any request of an account from an answer, or any file of a host from being written.
OF_ALL_CALLS = [
    Symptom.API_UNREACHABLE,
    Symptom.API_DNS,
    Symptom.API_TLS,
    Symptom.API_FORBIDDEN_ADDRESS,
    Symptom.FETCH_TLS,
    Symptom.FETCH_HOST_DOWN,
    Symptom.FETCH_REFUSES_ALL,
    Symptom.API_TIMEOUT,
    Symptom.API_SERVER_ERROR,
    Symptom.API_TOO_MANY,
    Symptom.API_NONSENSE,
    Symptom.API_UNAUTHORISED,
    Symptom.API_PAYMENT,
    Symptom.API_FORBIDDEN,
    Symptom.DISK_FULL,
    Symptom.DISK_REFUSES,
]


def test_every_symptom_has_its_rule() -> None:
    """Nothing that can be seen is left without a decision."""
    assert set(Symptom) == set(RULES)


@given(strikes=st.integers(0, 10**6), base=DELAYS, cap=DELAYS, jitter=JITTER)
def test_a_delay_grows_to_its_cap_and_jitter_takes_half_at_most(
    strikes: int, base: timedelta, cap: timedelta, jitter: float
) -> None:
    """Never zero, never over the cap, and never shorter for having failed more often."""
    delay = backoff(strikes, base, cap, jitter)
    whole = backoff(strikes, base, cap, 0)
    microsecond = timedelta(microseconds=1)
    assert timedelta(0) < delay <= cap
    assert whole / 2 - microsecond <= delay <= whole
    assert whole == min(cap, base * 2 ** min(strikes, 30))
    assert whole <= backoff(strikes + 1, base, cap, 0)


@given(
    symptom=st.sampled_from(Symptom),
    strikes=st.integers(0, 50),
    jitter=JITTER,
    asked=st.timedeltas(timedelta(0), timedelta(days=1)),
)
def test_what_the_provider_asked_for_is_never_undercut(
    symptom: Symptom, strikes: int, jitter: float, asked: timedelta
) -> None:
    """Whatever waits, waits as long as Retry-After says, and longer where its turn says so."""
    verdict = judge(symptom, strikes=strikes, jitter=jitter, retry_after=asked)
    if isinstance(verdict, Again | Refresh | Pause):
        alone = judge(symptom, strikes=strikes, jitter=jitter)
        assert isinstance(alone, Again | Refresh | Pause)
        assert max(asked, alone.after) == verdict.after


@pytest.mark.parametrize("symptom", [s for s in Symptom if RULES[s].limit is not None])
def test_a_limit_turns_into_the_final_act(symptom: Symptom) -> None:
    """Up to the limit it is tried again; from there on it is settled, and stays so."""
    rule = RULES[symptom]
    assert rule.limit is not None
    before = judge(symptom, strikes=rule.limit - 1, jitter=0)
    settled = {Act.FAILED: Failed, Act.LOST: Lost}[rule.finally_](symptom.value)
    assert isinstance(before, Again | Refresh)
    assert [settled, settled] == [
        judge(symptom, strikes=rule.limit + more, jitter=0) for more in (0, 100)
    ]


@pytest.mark.parametrize("symptom", OF_ALL_CALLS)
def test_a_trouble_of_all_calls_fails_none_of_them(symptom: Symptom) -> None:
    """However often it is seen it pauses, the host for the disk and else the account."""
    for strikes in (0, 1, 10, 1000):
        verdict = judge(symptom, strikes=strikes, jitter=0.5)
        assert isinstance(verdict, Pause)
        assert symptom.value.startswith("disk") == verdict.whole_host


def test_a_pause_that_only_a_person_can_end_says_what_to_do() -> None:
    """Each fatal rule has a hint, and only pauses are fatal."""
    fatal = {symptom: rule for symptom, rule in RULES.items() if rule.fatal}
    assert {Symptom.API_UNAUTHORISED, Symptom.DISK_FULL} <= set(fatal)
    assert all(rule.hint for rule in fatal.values())
    assert {Act.PAUSE_ACCOUNT, Act.PAUSE_HOST} == {rule.act for rule in fatal.values()}
    assert "api.in.exotel.com" in RULES[Symptom.API_UNAUTHORISED].hint


@pytest.mark.parametrize(
    ("symptom", "expected"),
    [
        (Symptom.FETCH_TIMEOUT, Again("fetch-timeout", timedelta(seconds=2), costs_try=True)),
        (Symptom.FETCH_EXPIRED, Refresh("fetch-expired", timedelta(seconds=2))),
        (Symptom.FETCH_NOT_YET, Again("fetch-not-yet", timedelta(seconds=15))),
        (Symptom.CALL_UNKNOWN, Again("call-unknown", timedelta(minutes=1), late_look=True)),
        (Symptom.CALL_OUT_OF_HISTORY, Lost("call-out-of-history")),
        (Symptom.URL_UNTRUSTED, Failed("url-untrusted")),
        (Symptom.API_TOO_MANY, Pause("api-too-many", timedelta(seconds=30))),
        (
            Symptom.API_UNAUTHORISED,
            Pause("api-unauthorised", timedelta(minutes=1), fatal=True),
        ),
        (
            Symptom.DISK_FULL,
            Pause("disk-full", timedelta(minutes=1), whole_host=True, fatal=True),
        ),
    ],
)
def test_a_symptom_seen_for_the_first_time_has_its_verdict(
    symptom: Symptom, expected: object
) -> None:
    """Passing trouble costs a try, and neither a refused URL nor one that is not there yet does."""
    assert expected == judge(symptom, strikes=0, jitter=0)


def test_a_recording_whose_url_is_dead_again_and_again_is_lost() -> None:
    """Gone from where the provider says it is, it is no fault that a person could mend."""
    assert Lost("fetch-gone") == judge(Symptom.FETCH_GONE, strikes=3, jitter=0)
    assert Failed("fetch-refused") == judge(Symptom.FETCH_REFUSED, strikes=6, jitter=0)
