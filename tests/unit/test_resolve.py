"""Asking for a batch: in which ranges of time, and what is concluded for calls nobody knows."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.api import Api, ApiTroubleError
from archive.call import CallFacts
from archive.history import HISTORY, LOOKBACK
from archive.verdicts import Symptom
from archive.windows import Window
from archive.wire import CallAnswer
from jobs.resolve import resolve, windows_for

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

NOW = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
AGES = st.timedeltas(timedelta(0), HISTORY)


def call(age: timedelta | None, sid: str = "abcdef") -> CallFacts:
    """Return a call created so long ago; None for one of unknown date."""
    return CallFacts(sid=sid, created_at=None if age is None else NOW - age)


def covers(windows: Sequence[Window | None], moment: datetime) -> bool:
    """Tell whether a call created then is found in one of the ranges."""
    return any(
        NOW - LOOKBACK <= moment <= NOW if window is None else window.start <= moment <= window.end
        for window in windows
    )


class FakeApi:
    """A provider that knows some calls, and notes what it was asked."""

    def __init__(
        self,
        *known: CallFacts,
        going_on: str = "",
        malformed: str = "",
        refuses: Collection[str] = (),
    ) -> None:
        self.known = known
        self.malformed = {malformed, *refuses}
        self.going_on = going_on
        self.requests: list[tuple[list[str], Window | None]] = []
        self.singly: list[str] = []

    async def by_sids(self, sids: Sequence[str], window: Window | None) -> list[CallAnswer]:
        """Answer as the listing does."""
        self.requests.append((list(sids), window))
        if self.malformed.intersection(sids):
            raise ApiTroubleError(Symptom.API_REFUSED, "")
        return [
            CallAnswer(facts)
            for facts in self.known
            if facts.sid in sids and facts.created_at and covers([window], facts.created_at)
        ]

    async def call(self, sid: str) -> CallAnswer:
        """Answer as the endpoint for one call does."""
        self.singly.append(sid)
        if sid == self.going_on:
            return CallAnswer(CallFacts(sid=sid, status="in-progress"))
        if sid in self.malformed:
            raise ApiTroubleError(Symptom.API_REFUSED, "")
        raise ApiTroubleError(Symptom.API_TIMEOUT if sid == "timeout" else Symptom.CALL_UNKNOWN, "")

    async def resolve(self, *calls: CallFacts) -> dict[str, CallAnswer | Symptom]:
        """Let it be asked for these calls."""
        return await resolve(cast("Api", self), calls, NOW)


@given(st.lists(AGES, min_size=1, max_size=5))
def test_calls_of_known_date_are_all_in_the_ranges(ages: list[timedelta]) -> None:
    """With an hour to spare, since an export's times are not the provider's to the second."""
    windows = windows_for([call(age) for age in ages], NOW)
    for age in ages:
        for off in (-timedelta(minutes=59), timedelta(0), timedelta(minutes=59)):
            moment = NOW - age + off
            assert moment > NOW or covers(windows, moment)


@given(st.lists(AGES | st.none(), min_size=1, max_size=5))
def test_no_range_is_longer_than_the_provider_takes(ages: list[timedelta | None]) -> None:
    """And a batch of one month needs two requests at most, one of unknown date seven."""
    calls = [call(age) for age in ages]
    windows = windows_for(calls, NOW)
    assert all(window is None or window.end - window.start <= LOOKBACK for window in windows)
    assert len(windows) <= 7
    known = [age for age in ages if age is not None]
    if len(known) == len(ages) and max(known) - min(known) <= 31 * DAY:
        assert len(windows) <= 2


@given(AGES)
def test_a_call_of_unknown_date_is_looked_for_through_the_whole_history(age: timedelta) -> None:
    """The latest months first, where most calls are."""
    windows = windows_for([call(timedelta(0)), call(None)], NOW)
    assert covers(windows, NOW - age)
    assert windows[0] is None
    starts = [window.start for window in windows[1:] if window is not None]
    assert sorted(starts, reverse=True) == starts


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ([timedelta(0)], [None]),
        ([29 * DAY, DAY], [None]),
        ([-DAY], [None]),
        ([40 * DAY], [Window(NOW - 40 * DAY - DAY / 24, NOW - 40 * DAY + DAY / 24)]),
    ],
)
def test_recent_calls_need_no_range_and_older_ones_their_own(
    ages: list[timedelta], expected: list[Window | None]
) -> None:
    """Without a range the provider looks back 31 days."""
    assert expected == windows_for([call(age) for age in ages], NOW)


def test_the_start_stands_in_for_a_creation_that_is_unknown() -> None:
    """Some exports have only the one, some only the other."""
    started = CallFacts(sid="abcdef", started_at=NOW - 40 * DAY)
    assert windows_for([call(40 * DAY)], NOW) == windows_for([started], NOW)


async def test_a_batch_of_one_month_takes_one_request() -> None:
    """Whatever it asks for is answered at once, and nothing is asked singly."""
    calls = [call(DAY, sid) for sid in ("first1", "second")]
    api = FakeApi(*calls)
    assert {facts.sid: CallAnswer(facts) for facts in calls} == await api.resolve(*calls)
    assert api.requests == [(["first1", "second"], None)]
    assert api.singly == []


async def test_only_what_is_left_is_asked_for_again() -> None:
    """Bare Sids are looked for month by month until all are found."""
    found = {"recent": DAY, "older1": 50 * DAY, "oldest": 100 * DAY}
    api = FakeApi(*(call(age, sid) for sid, age in found.items()))
    answers = await api.resolve(*(call(None, sid) for sid in found))
    assert set(found) == set(answers)
    asked = [sids for sids, _ in api.requests]
    both = ["older1", "oldest"]
    assert asked == [["recent", *both], both, ["oldest"], ["oldest"]]


async def test_a_call_the_listing_lacks_is_asked_for_singly() -> None:
    """It may be going on; if it is unknown there too, that is what is said of it."""
    api = FakeApi(going_on="goingon")
    answers = await api.resolve(call(DAY, "goingon"), call(DAY, "unknown"))
    assert answers["unknown"] is Symptom.CALL_UNKNOWN
    assert CallAnswer(CallFacts(sid="goingon", status="in-progress")) == answers["goingon"]


async def test_what_is_older_than_the_history_is_not_asked_for_singly() -> None:
    """The provider no longer knows it: that is out of history and not absent."""
    api = FakeApi()
    answers = await api.resolve(call(HISTORY + DAY, "ancient"))
    assert answers == {"ancient": Symptom.CALL_OUT_OF_HISTORY}
    assert api.singly == []


@given(st.integers(0, 99))
def test_one_call_that_is_refused_keeps_no_other_from_its_answer(bad: int) -> None:
    """A request for many is halved until the refused one is alone, which is asked for singly.

    Wherever it stands, each halving costs two requests.
    """
    calls = [call(DAY, f"{index:06}") for index in range(100)]
    refused = calls[bad].sid
    api = FakeApi(*calls, malformed=refused)
    answers = asyncio.run(api.resolve(*calls))
    assert answers.pop(refused) is Symptom.API_REFUSED
    assert {facts.sid: CallAnswer(facts) for facts in calls if facts.sid != refused} == answers
    assert len(api.requests) <= 2 * math.log2(100) + 2
    assert api.singly == [refused]


async def test_a_refused_call_that_is_answered_singly_has_its_answer() -> None:
    """The listing and the endpoint for one call need not be of one mind."""
    calls = [call(DAY, sid) for sid in ("first1", "goingon")]
    api = FakeApi(*calls, refuses=["goingon"], going_on="goingon")
    answers = await api.resolve(*calls)
    expected = CallAnswer(CallFacts(sid="goingon", status="in-progress"))
    assert {"first1": CallAnswer(calls[0]), "goingon": expected} == answers


@pytest.mark.parametrize("count", [2, 3, 100])
async def test_where_every_call_is_refused_the_fault_is_not_with_the_calls(count: int) -> None:
    """Nothing is concluded for any of them, so that no call pays for it."""
    calls = [call(DAY, f"{index:06}") for index in range(count)]
    api = FakeApi(refuses=[facts.sid for facts in calls])
    with pytest.raises(ApiTroubleError) as caught:
        await api.resolve(*calls)
    assert caught.value.symptom is Symptom.API_REFUSES_ALL
    # It is known after the first few: not each of a hundred is asked for.
    assert len(api.requests) + len(api.singly) <= 20


async def test_a_refused_call_is_not_asked_for_in_each_month() -> None:
    """Of unknown date, it is found by halving once."""
    calls = [CallFacts(sid=f"{index:06}") for index in range(100)]
    api = FakeApi(*[call(100 * DAY, facts.sid) for facts in calls], malformed="000042")
    answers = await api.resolve(*calls)
    assert answers["000042"] is Symptom.API_REFUSED
    assert len(api.requests) <= 2 * math.log2(100) + 2 + 6


async def test_a_single_call_that_is_refused_is_its_own_fault() -> None:
    """There is nobody beside it to tell the difference by."""
    assert await FakeApi(refuses=["refused"]).resolve(call(DAY, "refused")) == {
        "refused": Symptom.API_REFUSED
    }


@pytest.mark.parametrize("years", [1, 20, 100])
async def test_a_row_from_long_ago_costs_a_bounded_number_of_requests(years: int) -> None:
    """An export may say anything; its neighbours have their answers all the same."""
    ancient = call(years * 365 * DAY, "ancient")
    calls = [call(DAY, f"{index:06}") for index in range(99)]
    api = FakeApi(*calls)
    answers = await api.resolve(ancient, *calls)
    assert answers.pop("ancient") is Symptom.CALL_OUT_OF_HISTORY
    assert {facts.sid: CallAnswer(facts) for facts in calls} == answers
    assert len(api.requests) <= 8
    assert api.singly == []


@given(st.lists(st.timedeltas(-9999 * DAY, 9999 * DAY), min_size=1, max_size=5))
def test_no_date_whatever_makes_ranges_without_end(ages: list[timedelta]) -> None:
    """What lies before the history or in the future is asked for at its edge."""
    windows = windows_for([call(age) for age in ages], NOW)
    assert 1 <= len(windows) <= 8
    assert all(window is None or window.end - window.start <= LOOKBACK for window in windows)


async def test_a_trouble_of_the_api_concludes_nothing() -> None:
    """Neither for the call asked for singly nor for its neighbours."""
    with pytest.raises(ApiTroubleError, match="api-timeout"):
        await FakeApi().resolve(call(DAY, "unknown"), call(DAY, "timeout"))
