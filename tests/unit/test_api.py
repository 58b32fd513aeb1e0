"""The provider's API: what is asked, what is believed, and how its limits are heeded."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.accounts import Account, Credentials
from archive.api import Api, ApiTroubleError
from archive.history import HISTORY, LOOKBACK
from archive.verdicts import Symptom
from archive.windows import Window, windows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from yarl import URL

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
ACCOUNT = Account(name="main", sid="acme1", url_validity_minutes=45)
CALLS = "/v1/Accounts/acme1/Calls"
SIDS = [f"{index:028x}197m" for index in range(1, 4)]
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SILENT = {"limit": None, "remaining": None, "reset_s": None, "retry_after_s": None}


class Answer:
    """One answer of the provider's."""

    def __init__(
        self, body: object = b"", status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.headers = headers or {}
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces."""
        for start in range(0, len(self._body), 2**20):
            yield self._body[start : start + 2**20]


class Provider:
    """A session and a limiter in one: answers in turn, and notes all that happens."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[URL] = []
        self.headers: list[dict[str, str]] = []
        self.leave: list[tuple[str, str]] = []
        self.holds: list[float] = []
        self.seen: list[dict[str, float | None]] = []

    @asynccontextmanager
    async def get(self, url: URL, *, headers: dict[str, str], **options: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        """Answer a request, which follows no redirect."""
        assert options["allow_redirects"] is False
        assert len(self.leave) == len(self.asked) + 1
        self.asked.append(url)
        self.headers.append(headers)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield answer

    async def acquire(self, account: str, kind: str) -> None:
        """Give leave."""
        self.leave.append((account, kind))

    async def hold(self, account: str, seconds: float) -> None:
        """Note a hold."""
        assert account == "main"
        self.holds.append(seconds)

    async def observe(self, account: str, **said: float | None) -> None:
        """Note what the provider says of the limit."""
        assert account == "main"
        self.seen.append(said)

    @property
    def api(self) -> Api:
        """The API as it is asked."""
        return Api(
            session=cast("aiohttp.ClientSession", self),
            account=ACCOUNT,
            credentials=Credentials("key", "token"),
            limiter=self,
            clock=lambda: NOW,
        )

    async def trouble(self) -> ApiTroubleError:
        """Ask for a call and return what goes wrong."""
        with pytest.raises(ApiTroubleError) as caught:
            await self.api.by_sids(SIDS[:1], None)
        return caught.value


def page(*sids: str, following: str | None = None) -> Answer:
    """Return a page of the listing."""
    return Answer({"Metadata": {"NextPageUri": following}, "Calls": [{"Sid": sid} for sid in sids]})


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_range_is_cut_into_windows_without_a_gap(start: datetime, length: timedelta) -> None:
    """Oldest first, each no longer than the listing takes, together the whole range."""
    cut = windows(start, start + length)
    edges = [window.start for window in cut] + [start + length]
    assert edges == [start, *(window.end for window in cut)]
    assert all(timedelta(0) < window.end - window.start <= LOOKBACK for window in cut)
    assert windows(start + length, start) == []


async def test_a_hundred_sids_take_one_request() -> None:
    """With the range of their dates in the account's zone, and the life asked for URLs."""
    provider = Provider(page(*SIDS))
    window = Window(NOW - timedelta(days=9), NOW)
    answers = await provider.api.by_sids(SIDS, window)
    assert [answer.facts.sid for answer in answers] == SIDS
    (url,) = provider.asked
    assert str(url.origin()) + url.path == f"https://api.exotel.com{CALLS}.json"
    assert parse_qs(url.raw_query_string) == {
        "Sid": [",".join(SIDS)],
        "PageSize": ["100"],
        "details": ["true"],
        "RecordingUrlValidity": ["45"],
        "DateCreated": ["gte:2026-02-01 17:30:00;lte:2026-02-10 17:30:00"],
    }
    assert provider.headers[0]["Authorization"] == "Basic a2V5OnRva2Vu"
    assert provider.leave == [("main", "resolve")]


async def test_what_was_not_asked_for_is_not_taken() -> None:
    """Whoever answers it."""
    answers = await Provider(page(*SIDS)).api.by_sids(SIDS[:1], None)
    assert [answer.facts.sid for answer in answers] == SIDS[:1]


async def test_a_call_of_which_two_things_are_said_is_left_out() -> None:
    """One of both rows may be of another call; the same said twice is no contradiction."""
    rows = [{"Sid": SIDS[0], "RecordingUrl": f"https://a/{name}.mp3"} for name in ("a", "b")]
    other = {"Sid": SIDS[1], "RecordingUrl": "https://a/c.mp3"}
    provider = Provider(Answer({"Calls": [*rows, other, other, rows[0]]}))
    answers = await provider.api.by_sids(SIDS[:2], None)
    assert [SIDS[1]] == [answer.facts.sid for answer in answers]


@pytest.mark.parametrize(
    ("moment", "is_believed"),
    [
        (NOW - HISTORY, True),
        (NOW - HISTORY - timedelta(seconds=1), False),
        (NOW + timedelta(days=1), True),
        (NOW + timedelta(days=1, seconds=1), False),
        (datetime(2099, 12, 31, tzinfo=UTC), False),
    ],
)
async def test_times_that_are_no_known_calls_are_not_taken(
    moment: datetime, *, is_believed: bool
) -> None:
    """They would have the call taken for forgotten, or put off until then."""
    row = {"Sid": SIDS[0], "StartTime": moment.isoformat(), "EndTime": moment.isoformat()}
    row["DateCreated"] = (NOW - timedelta(hours=1)).isoformat()
    provider = Provider(Answer({"Calls": [row]}), Answer({"Call": row}))
    (listed,) = await provider.api.by_sids(SIDS[:1], None)
    single = await provider.api.call(SIDS[0])
    expected = moment if is_believed else None
    for answer in (listed, single):
        assert (expected, expected) == (answer.facts.started_at, answer.facts.ended_at)
        assert NOW - timedelta(hours=1) == answer.facts.created_at


async def test_the_answer_about_another_call_is_nonsense() -> None:
    """The endpoint for one call has to answer about that one."""
    provider = Provider(Answer({"Call": {"Sid": SIDS[0]}}), Answer({"Call": {"Sid": SIDS[1]}}))
    assert (await provider.api.call(SIDS[0])).facts.sid == SIDS[0]
    assert provider.asked[0].path == f"{CALLS}/{SIDS[0]}.json"
    with pytest.raises(ApiTroubleError) as caught:
        await provider.api.call(SIDS[0])
    assert caught.value.symptom is Symptom.API_NONSENSE


async def test_the_listings_cursor_is_followed_to_the_letter() -> None:
    """Until a page has none."""
    following = f"{CALLS}.json?After=a%2Bb%3D&SortBy=DateCreated%3Aasc"
    provider = Provider(page(*SIDS[:2], following=following), page(SIDS[2], following=""))
    pages = [
        [answer.facts.sid for answer in found.calls]
        async for found in provider.api.listing(Window(NOW, NOW))
    ]
    assert pages == [SIDS[:2], SIDS[2:]]
    assert str(provider.asked[1]) == f"https://api.exotel.com{following}"
    assert provider.leave == [("main", "listing")] * 2


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/v1/Accounts/acme1/Calls.json?After=x",
        "//evil.example/v1/Accounts/acme1/Calls.json?After=x",
        "/v1/Accounts/other/Calls.json?After=x",
        ".evil.example/Calls.json?After=x",
        "@evil.example/Calls.json?After=x",
    ],
)
async def test_the_listing_leads_nowhere_else(following: str) -> None:
    """It is asked with our key; such a page counts for nothing."""
    provider = Provider(page(*SIDS, following=following))
    with pytest.raises(ApiTroubleError, match="not of this listing"):
        await anext(aiter(provider.api.listing(Window(NOW, NOW))))
    assert len(provider.asked) == 1


async def test_pages_that_go_in_a_circle_end() -> None:
    """The pages before it were good and were handed on."""
    following = f"{CALLS}.json?After=x"
    provider = Provider(page(SIDS[0], following=following), page(SIDS[1], following=following))
    pages = provider.api.listing(Window(NOW, NOW))
    assert [len((await anext(pages)).calls) for _ in range(2)] == [1, 1]
    with pytest.raises(ApiTroubleError, match="in a circle"):
        await anext(pages)


@pytest.mark.parametrize(
    ("answer", "symptom"),
    [
        (Answer(status=401), Symptom.API_UNAUTHORISED),
        (Answer(status=402), Symptom.API_PAYMENT),
        (Answer(status=403), Symptom.API_FORBIDDEN),
        (Answer(status=404), Symptom.API_UNAUTHORISED),
        (Answer(status=400), Symptom.API_REFUSED),
        (Answer(status=500), Symptom.API_SERVER_ERROR),
        (Answer(status=503), Symptom.API_SERVER_ERROR),
        (Answer(status=302), Symptom.API_NONSENSE),
        (Answer(status=204), Symptom.API_NONSENSE),
        (Answer(b"<html>"), Symptom.API_NONSENSE),
        (Answer(b" " * (16 * 2**20 + 1)), Symptom.API_NONSENSE),
        (TimeoutError(), Symptom.API_TIMEOUT),
        (aiohttp.ClientPayloadError(), Symptom.API_UNREACHABLE),
        (ConnectionResetError(), Symptom.API_UNREACHABLE),
    ],
)
async def test_each_trouble_has_its_name(answer: Answer | Exception, symptom: Symptom) -> None:
    """A 404 of the listing means that the account is not known here, as in the wrong region."""
    assert symptom is (await Provider(answer).trouble()).symptom


async def test_a_call_that_is_not_there_is_unknown() -> None:
    """There a 404 is about the call."""
    with pytest.raises(ApiTroubleError) as caught:
        await Provider(Answer(status=404)).api.call(SIDS[0])
    assert caught.value.symptom is Symptom.CALL_UNKNOWN


async def test_the_providers_words_are_told() -> None:
    """With the status, for whoever has to look; and how long it wants to be left alone."""
    body = {"RestException": {"Status": 403, "Message": "not KYC-compliant", "Code": 340030}}
    trouble = await Provider(Answer(body, 403, {"Retry-After": "7"})).trouble()
    assert trouble.detail == "HTTP 403 (not KYC-compliant)"
    assert trouble.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({"Retry-After": "12"}, 12.0),
        ({}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "86400"}, 300.0),
        ({"Retry-After": "-5"}, 30.0),
    ],
)
async def test_too_many_holds_all_together_and_is_asked_again(
    asked: dict[str, str], held: float
) -> None:
    """As long as the provider says, within reason; half a minute where it says nothing."""
    provider = Provider(Answer(status=429, headers=asked), page(*SIDS))
    assert len(await provider.api.by_sids(SIDS, None)) == 3
    assert provider.holds == [held]
    assert provider.leave == [("main", "resolve")] * 2


async def test_a_provider_that_keeps_saying_too_many_is_believed_in_the_end() -> None:
    """After five times it is a trouble of the account's."""
    provider = Provider(*[Answer(status=429) for _ in range(5)])
    assert (await provider.trouble()).symptom is Symptom.API_TOO_MANY
    assert len(provider.holds) == 5


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {}),
        (
            {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "30"},
            {"limit": 200, "remaining": 7, "reset_s": 30.0},
        ),
        ({"X-RateLimit-Reset": str(NOW.timestamp() + 30)}, {"reset_s": 30.0}),
        ({"X-RateLimit-Reset": str(NOW.timestamp() - 30)}, {"reset_s": 0.0}),
        ({"X-RateLimit-Remaining": "0"}, {"remaining": 0}),
        ({"X-RateLimit-Remaining": "-1", "X-RateLimit-Limit": "many"}, {}),
        ({"X-RateLimit-Reset": "nan", "Retry-After": "inf"}, {}),
        ({"X-RateLimit-Reset": "1e300", "X-RateLimit-Limit": ""}, {}),
        ({"Retry-After": "30"}, {"retry_after_s": 30.0}),
    ],
)
async def test_what_the_provider_says_of_its_limit_is_passed_on(
    headers: dict[str, str], expected: dict[str, float]
) -> None:
    """Numbers only; a reset is in seconds from now or a time since 1970, both told apart."""
    provider = Provider(Answer(page(*SIDS)._body, headers=headers))
    await provider.api.by_sids(SIDS, None)
    assert [SILENT | expected] == provider.seen
