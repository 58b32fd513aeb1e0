"""What `doctor` makes of the provider's answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.accounts import MUMBAI, SINGAPORE, Account
from archive.api import ApiTroubleError
from worker.doctor import provider
from worker.doctor.asking import Answer, Freely, other_region, read_date, skew
from worker.doctor.check import Result
from worker.doctor.hosts import Reached, judge_hosts
from worker.doctor.provider import Asked

_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_ACCOUNT = Account(name="main", sid="acme1")


def _answer(status: int = 200, **more: Any) -> Answer:  # noqa: ANN401 - fields of an answer
    fields: dict[str, Any] = {"base": SINGAPORE, "sent_at": _NOW, "came_at": _NOW} | more
    return Answer(status=status, **fields)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 -0000 ",
    ],
)
def test_dates_are_read_in_every_form_that_http_has(text: str) -> None:
    """RFC 9110, 5.6.7: one that is preferred, two that are obsolete."""
    assert read_date(text) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@given(st.text())
def test_no_date_breaks_the_reading(text: str) -> None:
    """What is none says nothing."""
    found = read_date(text)
    assert found is None or found.tzinfo is not None


@given(
    st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    st.timedeltas(timedelta(0), timedelta(seconds=10)),
)
def test_skew_is_right_to_half_a_second_and_half_the_round_trip(
    ahead: timedelta, trip: timedelta
) -> None:
    """Wherever in the request the provider looked at its clock."""
    theirs = _NOW - ahead + trip / 2
    date = read_date(format_datetime(theirs.replace(microsecond=0), usegmt=True))
    found = skew(_answer(date=date, sent_at=_NOW, came_at=_NOW + trip))
    assert found is not None
    assert abs(found - ahead) <= timedelta(milliseconds=501)


def test_without_a_date_there_is_no_skew() -> None:
    """Nothing is guessed."""
    assert skew(_answer()) is None
    assert provider.judge_clock(None).result is Result.SKIPPED


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, Result.PASSED),
        (30, Result.PASSED),
        (-31, Result.WARNED),
        (300, Result.WARNED),
        (-301, Result.FAILED),
    ],
)
def test_a_clock_may_be_off_by_so_much(seconds: int, expected: Result) -> None:
    """Either way: warned above 30 s, failed above 5 minutes."""
    assert provider.judge_clock(timedelta(seconds=seconds)).result is expected


def test_each_region_has_another_one() -> None:
    """And what is no region's base has none: the key goes nowhere else."""
    assert [other_region(base) for base in (SINGAPORE, MUMBAI, "https://proxy.example")] == [
        MUMBAI,
        SINGAPORE,
        None,
    ]


@pytest.mark.parametrize("status", [401, 404])
def test_an_account_of_the_other_region_is_told_where_it_is(status: int) -> None:
    """With the line for the settings."""
    asked = Asked(_answer(status), msgspec.structs.replace(_answer(), base=MUMBAI))
    found = provider.judge_credentials(asked, _ACCOUNT)
    assert found.result is Result.FAILED
    assert found.do == f'set api_base = "{MUMBAI}" in [accounts.main]'


def test_a_key_that_no_region_takes_is_wrong() -> None:
    """The hint is that of every other command."""
    asked = Asked(_answer(401, words="Authentication failed"), _answer(401, base=MUMBAI))
    found = provider.judge_credentials(asked, _ACCOUNT)
    assert found.result is Result.FAILED
    assert "(Authentication failed), and so does" in found.said
    assert "check the key and token" in found.do


@pytest.mark.parametrize(
    ("status", "credentials", "answers"),
    [
        (200, Result.PASSED, Result.PASSED),
        (402, Result.FAILED, Result.PASSED),
        (403, Result.FAILED, Result.PASSED),
        (302, Result.FAILED, Result.PASSED),
        (799, Result.SKIPPED, Result.FAILED),
        (429, Result.SKIPPED, Result.WARNED),
        (503, Result.SKIPPED, Result.FAILED),
        (0, Result.SKIPPED, Result.FAILED),
    ],
)
def test_what_an_answer_says_of_key_and_provider(
    status: int, credentials: Result, answers: Result
) -> None:
    """A provider that is away says nothing of the key, and is no reason to change it."""
    answer = _answer(status)
    found = provider.judge_credentials(Asked(answer), _ACCOUNT)
    assert found.result is credentials
    assert provider.judge_answer(answer, _ACCOUNT).result is answers
    assert bool(found.do) is (credentials is Result.FAILED)


@pytest.mark.parametrize(
    ("limit", "remaining", "expected"),
    [
        (None, None, Result.SKIPPED),
        (200, 150, Result.PASSED),
        (200, None, Result.PASSED),
        (None, 150, Result.PASSED),
        (200, 19, Result.WARNED),
        (100, 90, Result.WARNED),
    ],
)
def test_what_is_left_of_the_limit(
    limit: int | None, remaining: int | None, expected: Result
) -> None:
    """Too high a requests_per_minute is told, and a limit that is used up."""
    answer = _answer(limit=limit, remaining=remaining)
    assert provider.judge_limit(answer, 200).result is expected


async def test_who_is_told_to_wait_does_not_ask_again() -> None:
    """The workers wait; a check says so instead."""
    with pytest.raises(ApiTroubleError, match="wait 30 s"):
        await Freely().hold("main", 30)


def _reached(words: str = "", days: int | None = 60) -> Reached:
    expires = None if days is None else _NOW + timedelta(days=days)
    return Reached(entry="recordings.exotel.com", words=words, do="look", expires=expires)


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        ([_reached(), _reached()], Result.PASSED),
        ([_reached(days=None)], Result.PASSED),
        ([_reached("no connection"), _reached()], Result.WARNED),
        ([_reached("no connection")], Result.FAILED),
        ([_reached(days=6)], Result.WARNED),
        ([], Result.PASSED),
    ],
)
def test_one_host_of_several_may_be_away(reached: list[Reached], expected: Result) -> None:
    """Each region has a host of its own; a certificate that ends within a week is told."""
    assert judge_hosts(reached, _NOW).result is expected
