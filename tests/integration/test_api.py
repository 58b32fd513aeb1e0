"""The provider's API over real HTTP: the stand-in for what it does, a tiny server for nonsense."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from archive.accounts import Account, Credentials
from archive.api import Api, ApiTroubleError
from archive.verdicts import Symptom
from archive.windows import Window
from tests.integration.servers import serving
from tests.provider import KEY, TOKEN, Provider, running_provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from archive.api import Kind

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
SID = "0123456789abcdefghijklmnopqrst7m"
SOME = {"Calls": [{"Sid": SID, "Status": "completed"}]}


class Turns:
    """A limiter that lets everybody through at once and notes what it was told."""

    def __init__(self) -> None:
        self.acquired: list[str] = []
        self.holds: list[float] = []
        self.observed: list[dict[str, Any]] = []

    async def acquire(self, account: str, kind: Kind) -> None:
        """Note a turn."""
        self.acquired.append(f"{account} {kind}")

    async def hold(self, account: str, seconds: float) -> None:
        """Note a hold."""
        assert account == "main"
        self.holds.append(seconds)

    async def observe(self, account: str, **seen: float | None) -> None:
        """Note what the headers said."""
        assert account == "main"
        self.observed.append(seen)


@asynccontextmanager
async def asking(api_base: str, *, token: str = TOKEN) -> AsyncIterator[tuple[Api, Turns]]:
    """Open an API at an address."""
    turns = Turns()
    async with aiohttp.ClientSession() as session:
        yield (
            Api(
                session=session,
                account=Account(name="main", sid="sandbox1", api_base=api_base),
                credentials=Credentials(KEY, token),
                limiter=turns,
                clock=lambda: datetime.now(UTC),
            ),
            turns,
        )


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A stand-in with 250 calls of the last day."""
    with running_provider("--calls", "250", "--rate-limit", "0", "--bytes", "2000") as provider:
        yield provider


async def test_a_hundred_calls_take_one_request(provider: Provider) -> None:
    """A hundred Sids are resolved at once, with their facts; unknown ones are left out."""
    truth = {call["sid"]: call for call in provider.truth()[:99]}
    async with asking(provider.api_base) as (api, turns):
        answers = await api.by_sids([*truth, SID], None)

    assert turns.acquired == ["main resolve"]
    assert set(truth) == {answer.facts.sid for answer in answers}
    for answer in answers:
        told = truth[answer.facts.sid]
        assert answer.facts.status == told["status"]
        assert answer.facts.began_at == datetime.fromisoformat(told["started_at"])
        assert bool(answer.recording_url) == told["recorded"]


async def test_the_listing_is_walked_to_its_end(provider: Provider) -> None:
    """All 250 calls come by the cursor, oldest first, in pages of a hundred."""
    truth = [call["sid"] for call in provider.truth()]
    now = datetime.now(UTC)
    async with asking(provider.api_base) as (api, turns):
        window = Window(now - timedelta(days=2), now)
        pages = [page async for page in api.listing(window)]

    assert [len(page.calls) for page in pages] == [100, 100, 50]
    assert truth == [answer.facts.sid for page in pages for answer in page.calls]
    assert turns.acquired == ["main listing"] * 3


async def test_one_call_is_asked_for_alone(provider: Provider) -> None:
    """The single-call endpoint tells one call; an unknown Sid is named as such."""
    told = provider.truth()[0]
    async with asking(provider.api_base) as (api, _):
        answer = await api.call(told["sid"])
        with pytest.raises(ApiTroubleError) as caught:
            await api.call(SID)

    assert told["sid"] == answer.facts.sid
    assert caught.value.symptom is Symptom.CALL_UNKNOWN


async def test_wrong_credentials_are_named(provider: Provider) -> None:
    """401 is told as what it is, with the provider's words and without the key."""
    async with asking(provider.api_base, token="wrong") as (api, turns):
        with pytest.raises(ApiTroubleError) as caught:
            await api.by_sids([SID], None)

    assert caught.value.symptom is Symptom.API_UNAUTHORISED
    assert caught.value.detail == "HTTP 401 (Authentication failed)"
    assert len(turns.acquired) == 1


async def test_too_many_requests_hold_everybody_as_long_as_asked() -> None:
    """429 holds the account through the limiter for Retry-After, then the request is made again."""
    statuses = [429, 429, 200]

    async def answer(_: web.Request) -> web.Response:
        status = statuses.pop(0)
        headers = {"Retry-After": "7"} if status == 429 else {}
        return web.json_response(SOME, status=status, headers=headers)

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, turns):
        answers = await api.by_sids([SID], None)

    assert [answer.facts.sid for answer in answers] == [SID]
    assert turns.holds == [7, 7]
    assert len(turns.acquired) == 3
    assert [seen["retry_after_s"] for seen in turns.observed] == [7, 7, None]


async def test_a_provider_that_never_stops_saying_so_is_given_up() -> None:
    """After five times 429 the batch is put off; holds have their longest time."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "99999"})

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, turns):
        with pytest.raises(ApiTroubleError) as caught:
            await api.by_sids([SID], None)

    assert caught.value.symptom is Symptom.API_TOO_MANY
    assert turns.holds == [300] * 5


async def test_what_remains_is_told_to_the_limiter() -> None:
    """The rate headers come to the limiter as numbers, a reset as seconds from now."""
    soon = datetime.now(UTC).timestamp() + 40

    async def answer(_: web.Request) -> web.Response:
        headers = {
            "X-RateLimit-Limit": "200",
            "X-RateLimit-Remaining": "3",
            "X-RateLimit-Reset": str(int(soon)),
        }
        return web.json_response(SOME, headers=headers)

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, turns):
        await api.by_sids([SID], None)

    (seen,) = turns.observed
    assert (seen["limit"], seen["remaining"], seen["retry_after_s"]) == (200, 3, None)
    assert 30 <= seen["reset_s"] <= 41


@pytest.mark.parametrize(
    ("status", "symptom"),
    [
        (204, Symptom.API_NONSENSE),
        (302, Symptom.API_NONSENSE),
        (400, Symptom.API_REFUSED),
        (402, Symptom.API_PAYMENT),
        (403, Symptom.API_FORBIDDEN),
        (404, Symptom.API_UNAUTHORISED),
        (500, Symptom.API_SERVER_ERROR),
        (503, Symptom.API_SERVER_ERROR),
    ],
)
async def test_a_status_is_named(status: int, symptom: Symptom) -> None:
    """Each status of the listing other than 200 is named; nothing is concluded for any call."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, _):
        with pytest.raises(ApiTroubleError) as caught:
            await api.by_sids([SID], None)

    assert caught.value.symptom is symptom


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>Bad gateway</html>",
        b'{"Calls": {}}',
        b'{"Calls": null}',
        b'{"Calls": [',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
async def test_nonsense_with_a_good_status_is_named(body: bytes) -> None:
    """A body that is no list of calls is nonsense, and never "no such calls"."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, _):
        with pytest.raises(ApiTroubleError) as caught:
            await api.by_sids([SID], None)

    assert caught.value.symptom is Symptom.API_NONSENSE


async def test_rows_that_are_no_calls_or_were_not_asked_for_are_left_out() -> None:
    """Rows without a Sid, with a bad one or of other calls are dropped; the good one is kept."""
    rows: list[object] = [None, 7, {}, {"Sid": "../x"}, {"Sid": "somebodyelse"}, *SOME["Calls"]]

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"Calls": rows})

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, _):
        answers = await api.by_sids([SID], None)

    assert [answer.facts.sid for answer in answers] == [SID]


async def test_redirects_are_not_followed() -> None:
    """A redirect to another host gets neither a request nor the key."""

    async def elsewhere(_: web.Request) -> web.Response:
        return web.json_response(SOME)

    async with serving(elsewhere) as other:

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"http://{other.host}/"})

        async with serving(answer) as server, asking(f"http://{server.host}") as (api, _):
            with pytest.raises(ApiTroubleError):
                await api.by_sids([SID], None)

    assert (len(server.requests), len(other.requests)) == (1, 0)


@pytest.mark.parametrize(
    "next_uri", ["http://127.0.0.1:9/Calls.json?x", "//127.0.0.1:9/", "/v1/Accounts/other/Calls"]
)
async def test_a_next_page_elsewhere_is_not_asked_for(next_uri: str) -> None:
    """The cursor is followed within the account's own listing only."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({**SOME, "Metadata": {"NextPageUri": next_uri}})

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, _):
        with pytest.raises(ApiTroubleError) as caught:
            _ = [page async for page in api.listing(Window(NOW - timedelta(days=1), NOW))]

    assert caught.value.symptom is Symptom.API_NONSENSE
    assert len(server.requests) == 1


async def test_pages_in_a_circle_have_an_end() -> None:
    """A listing whose last page points back to a former one is nonsense, not an endless walk."""
    base = "/v1/Accounts/sandbox1/Calls.json?After="

    async def answer(request: web.Request) -> web.Response:
        after = {"a": "b", "b": "a"}.get(request.query.get("After", ""), "a")
        return web.json_response({**SOME, "Metadata": {"NextPageUri": base + after}})

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, _):
        with pytest.raises(ApiTroubleError) as caught:
            _ = [page async for page in api.listing(Window(NOW - timedelta(days=1), NOW))]

    assert caught.value.symptom is Symptom.API_NONSENSE
    assert len(server.requests) == 3


async def test_a_provider_that_is_away_is_named() -> None:
    """Nobody listens, or the connection is cut: out of reach, with the address."""

    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with asking("http://127.0.0.1:9") as (api, _):
        with pytest.raises(ApiTroubleError) as nobody:
            await api.by_sids([SID], None)
    async with serving(cut) as server, asking(f"http://{server.host}") as (api, _):
        with pytest.raises(ApiTroubleError) as cut_off:
            await api.by_sids([SID], None)

    assert nobody.value.symptom is cut_off.value.symptom is Symptom.API_UNREACHABLE
    assert "http://127.0.0.1:9" in nobody.value.detail


async def test_the_key_goes_to_the_api_base() -> None:
    """Every request of ours carries Basic auth, and the range of dates in the account's zone."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(SOME)

    async with serving(answer) as server, asking(f"http://{server.host}") as (api, _):
        await api.by_sids([SID], Window(NOW - timedelta(days=1), NOW))

    assert [aiohttp.encode_basic_auth(KEY, TOKEN)] == server.authorizations()
    (request,) = server.requests
    expected = "gte:2026-02-09 17:30:00;lte:2026-02-10 17:30:00"
    assert expected == request.query["DateCreated"]
    assert request.query["Sid"] == SID
