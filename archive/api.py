"""The provider's voice API, as far as an archiver needs it.

Source: Exotel voice API v1: ``GET /v1/Accounts/{account}/Calls/{sid}.json`` (Call details) and
``GET /v1/Accounts/{account}/Calls.json`` (Bulk call details): at most 100 Sids a request, one month
a query, six months of history, 200 requests a minute over all voice APIs.
"""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, Protocol
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from archive.history import HISTORY, SIDS_PER_REQUEST
from archive.outbound import Failure, name_failure
from archive.provider_time import format_time
from archive.tallies import ANSWERED, FAILED, LIMITER_WAIT_MS, REFUSED, REQUESTS, THROTTLED, Tallies
from archive.verdicts import Symptom
from archive.wire import NonsenseError, error_message, read_call, read_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from archive.accounts import Account, Credentials
    from archive.clock import Clock
    from archive.windows import Window
    from archive.wire import CallAnswer, Page

PATIENCE: Final = timedelta(minutes=1)
"""How long an answer may take in all."""

_CONNECT_S: Final = 10
_CLOCKS_APART: Final = timedelta(days=1)
_LARGEST_ANSWER: Final = 16 * 2**20
_HELD_TRIES: Final = 5
_LONGEST_HOLD_S: Final = 300.0
_DEFAULT_HOLD_S: Final = 30.0
_EPOCH_LIKELY: Final = 1e8
"""Above this, X-RateLimit-Reset is a time since 1970 and not a number of seconds from now."""

Kind = Literal["resolve", "listing"]

_FAILURES: Final = {
    Failure.FORBIDDEN_ADDRESS: Symptom.API_FORBIDDEN_ADDRESS,
    Failure.DNS: Symptom.API_DNS,
    Failure.TLS: Symptom.API_TLS,
    Failure.NO_HTTP: Symptom.API_NONSENSE,
    Failure.UNREACHABLE: Symptom.API_UNREACHABLE,
}
_SYMPTOMS: Final = {
    401: Symptom.API_UNAUTHORISED,
    402: Symptom.API_PAYMENT,
    403: Symptom.API_FORBIDDEN,
    429: Symptom.API_TOO_MANY,
}
_OUTCOMES: Final = {
    Symptom.API_TOO_MANY: THROTTLED,
    Symptom.API_UNAUTHORISED: REFUSED,
    Symptom.API_PAYMENT: REFUSED,
    Symptom.API_FORBIDDEN: REFUSED,
    Symptom.API_REFUSED: REFUSED,
    # It is an answer that the provider knows no such call.
    Symptom.CALL_UNKNOWN: ANSWERED,
}
"""As what a request is counted; all else is a failure."""


class Limiter(Protocol):
    """Keeps all workers together within the account's requests a minute."""

    async def acquire(self, account: str, kind: Kind) -> None:
        """Wait until one request may be made."""
        ...

    async def hold(self, account: str, seconds: float) -> None:
        """Let nobody ask for so long."""
        ...

    async def observe(
        self,
        account: str,
        *,
        limit: int | None,
        remaining: int | None,
        reset_s: float | None,
        retry_after_s: float | None,
    ) -> None:
        """Take in what the provider says of the limit, where it says anything."""
        ...


class ApiTroubleError(Exception):
    """A request that brought no usable answer: what was seen, and the provider's words."""

    def __init__(self, symptom: Symptom, detail: str, retry_after: timedelta | None = None) -> None:
        super().__init__(f"{symptom}: {detail}")
        self.symptom = symptom
        self.detail = detail
        self.retry_after = retry_after


class Api:
    """One account's API. Asks only with the limiter's leave, and only ``account.api_base``."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        account: Account,
        credentials: Credentials,
        limiter: Limiter,
        clock: Clock,
        patience: timedelta = PATIENCE,
        tallies: Tallies | None = None,
    ) -> None:
        self.account = account
        self._session = session
        self._auth = aiohttp.encode_basic_auth(credentials.key, credentials.token)
        self._limiter = limiter
        self._clock = clock
        self._tallies = Tallies() if tallies is None else tallies
        self._timeout = aiohttp.ClientTimeout(
            total=patience.total_seconds(), sock_connect=_CONNECT_S
        )
        self._root = f"/v1/Accounts/{account.sid}/Calls"

    async def by_sids(self, sids: Sequence[str], window: Window | None) -> list[CallAnswer]:
        """Ask for up to 100 calls in one request; calls the listing does not have are left out.

        Without a window the provider looks back 31 days.

        Raises:
            ApiTroubleError: there is no usable answer.
        """
        assert len(sids) <= SIDS_PER_REQUEST
        query = {
            "Sid": ",".join(sids),
            "PageSize": str(SIDS_PER_REQUEST),
            "details": "true",
            "RecordingUrlValidity": str(self.account.url_validity_minutes),
        }
        if window is not None:
            query["DateCreated"] = self._range(window)
        body = await self._get(f"{self._root}.json?{urlencode(query)}", "resolve")
        asked = set(sids)
        # What was not asked for is not taken, whoever answers it.
        page = self._page(body, walking=False)
        return _uncontradicted(call for call in page.calls if call.facts.sid in asked)

    async def call(self, sid: str) -> CallAnswer:
        """Ask for one call.

        Raises:
            ApiTroubleError: there is no usable answer; CALL_UNKNOWN if the provider knows no such
                call.
        """
        query = {
            "details": "true",
            "RecordingUrlValidity": str(self.account.url_validity_minutes),
        }
        uri = f"{self._root}/{sid}.json?{urlencode(query)}"
        body = await self._get(uri, "resolve", missing=Symptom.CALL_UNKNOWN)
        try:
            answer = read_call(body, self.account.zone)
        except NonsenseError as error:
            raise ApiTroubleError(Symptom.API_NONSENSE, str(error)) from error
        if answer.facts.sid != sid:
            raise ApiTroubleError(Symptom.API_NONSENSE, "the answer is about another call")
        return believable(answer, self._clock())

    async def listing(
        self, window: Window, *, longer_than: timedelta | None = None
    ) -> AsyncIterator[Page]:
        """Walk all calls created in a window of at most 31 days, oldest first, page by page.

        With ``longer_than`` only those whose Duration, in whole seconds, is at least that.

        Raises:
            ApiTroubleError: there is no usable answer.
        """
        query = {
            "DateCreated": self._range(window),
            "SortBy": "DateCreated:asc",
            "PageSize": str(SIDS_PER_REQUEST),
            "details": "true",
        }
        if longer_than is not None:
            query["Duration"] = f"gte:{longer_than // timedelta(seconds=1)}s"
        uri = f"{self._root}.json?{urlencode(query)}"
        seen = {uri}
        while uri:
            page = self._page(await self._get(uri, "listing"), walking=True)
            yield page
            uri = page.next_uri
            if uri in seen:
                raise ApiTroubleError(Symptom.API_NONSENSE, "the listing's pages go in a circle")
            seen.add(uri)

    def _range(self, window: Window) -> str:
        zone = self.account.zone
        return f"gte:{format_time(window.start, zone)};lte:{format_time(window.end, zone)}"

    def _page(self, body: bytes, *, walking: bool) -> Page:
        try:
            page = read_page(body, self.account.zone, walking=walking)
        except NonsenseError as error:
            raise ApiTroubleError(Symptom.API_NONSENSE, str(error)) from error
        if page.next_uri and not page.next_uri.startswith(f"{self._root}.json?"):
            # It is asked with our key: it may lead nowhere else.
            raise ApiTroubleError(Symptom.API_NONSENSE, "the next page is not of this listing")
        now = self._clock()
        return msgspec.structs.replace(page, calls=[believable(call, now) for call in page.calls])

    async def _get(
        self, path: str, kind: Kind, *, missing: Symptom = Symptom.API_UNAUTHORISED
    ) -> bytes:
        """Ask, and while the provider says "too many" wait as long as it says, all together.

        ``missing`` is what a 404 means: of the listing, that the account is not known here, as
        the wrong region says.
        """
        for _ in range(_HELD_TRIES):
            await self._take_turn(kind)
            try:
                body = await self._get_once(path, missing)
            except ApiTroubleError as trouble:
                self._count(_OUTCOMES.get(trouble.symptom, FAILED))
                if trouble.symptom is not Symptom.API_TOO_MANY:
                    raise
                asked = trouble.retry_after or timedelta(seconds=_DEFAULT_HOLD_S)
                held = min(asked.total_seconds(), _LONGEST_HOLD_S)
                await self._limiter.hold(self.account.name, held)
            else:
                self._count(ANSWERED)
                return body
        raise ApiTroubleError(Symptom.API_TOO_MANY, "the provider kept answering 429")

    async def _take_turn(self, kind: Kind) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._limiter.acquire(self.account.name, kind)
        waited_ms = round((loop.time() - began) * 1_000)
        self._tallies.count(LIMITER_WAIT_MS, self.account.name, amount=waited_ms)

    def _count(self, outcome: str) -> None:
        self._tallies.count(REQUESTS, self.account.name, label=outcome)

    async def _get_once(self, path: str, missing: Symptom) -> bytes:
        # Already encoded: a cursor must come back to the letter.
        url = URL(self.account.api_base + path, encoded=True)
        headers = {
            "Authorization": self._auth,
            "Accept": "application/json",
            # An answer is read as it comes: one that unfolds to gigabytes has no chance to.
            "Accept-Encoding": "identity",
        }
        try:
            async with self._session.get(
                url, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                await self._observe(response)
                body = await _read_bounded(response)
                if response.status != 200:  # noqa: PLR2004 - the one status that brings calls
                    raise _trouble(response, body, missing)
                _check_encoding(response)
                return body
        except TimeoutError as error:
            waited = f"no answer within {self._timeout.total or 0:g} s"
            raise ApiTroubleError(Symptom.API_TIMEOUT, waited) from error
        except (aiohttp.ClientError, OSError) as error:
            failure, words = name_failure(error)
            detail = f"{self.account.api_base}: {words}"
            raise ApiTroubleError(_FAILURES[failure], detail) from error

    async def _observe(self, response: aiohttp.ClientResponse) -> None:
        limit = _number(response, "X-RateLimit-Limit")
        remaining = _number(response, "X-RateLimit-Remaining")
        reset = _number(response, "X-RateLimit-Reset")
        if reset is not None and reset > _EPOCH_LIKELY:
            reset = max(0.0, reset - self._clock().timestamp())
        await self._limiter.observe(
            self.account.name,
            limit=None if limit is None else int(limit),
            remaining=None if remaining is None else int(remaining),
            reset_s=reset,
            retry_after_s=_number(response, "Retry-After"),
        )


def _uncontradicted(answers: Iterable[CallAnswer]) -> list[CallAnswer]:
    """Leave out calls of which one answer says two things: one may be of another call."""
    told: dict[str, CallAnswer | None] = {}
    for answer in answers:
        sid = answer.facts.sid
        told[sid] = answer if told.get(sid, answer) == answer else None
    return [answer for answer in told.values() if answer is not None]


def believable(answer: CallAnswer, now: datetime) -> CallAnswer:
    """Return an answer without times that cannot be those of a call the provider knows.

    What lies before its history would have the call taken for forgotten, and what lies far ahead
    would put it off until then. Clocks and zones may be off by a day.
    """
    facts = answer.facts
    times = {name: getattr(facts, name) for name in ("created_at", "started_at", "ended_at")}
    wrong = {
        name: None
        for name, moment in times.items()
        if moment is not None and not -_CLOCKS_APART <= now - moment <= HISTORY
    }
    if not wrong:
        return answer
    return msgspec.structs.replace(answer, facts=msgspec.structs.replace(facts, **wrong))


def _check_encoding(response: aiohttp.ClientResponse) -> None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise ApiTroubleError(Symptom.API_NONSENSE, "the answer is compressed, unasked")


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise ApiTroubleError(Symptom.API_NONSENSE, "the answer has no end")
    return bytes(body)


def _trouble(response: aiohttp.ClientResponse, body: bytes, missing: Symptom) -> ApiTroubleError:
    status = response.status
    symptom = _SYMPTOMS.get(status, Symptom.API_REFUSED)
    if status >= 500:  # noqa: PLR2004 - RFC 9110, 15.6: the server's own fault
        symptom = Symptom.API_SERVER_ERROR
    elif status == 404:  # noqa: PLR2004 - RFC 9110, 15.5.5
        symptom = missing
    elif status < 400:  # noqa: PLR2004 - neither calls nor an error: a redirect or an oddity
        symptom = Symptom.API_NONSENSE
    asked = _number(response, "Retry-After")
    words = error_message(body)
    return ApiTroubleError(
        symptom,
        f"HTTP {status}{f' ({words})' if words else ''}",
        None if asked is None else timedelta(seconds=min(asked, _LONGEST_HOLD_S)),
    )


def _number(response: aiohttp.ClientResponse, header: str) -> float | None:
    """Read a header that should be a number of seconds or requests; anything else says nothing."""
    try:
        number = float(response.headers.get(header, ""))
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number < 1e11 else None  # noqa: PLR2004 - no number of seconds
