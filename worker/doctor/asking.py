"""Asking the provider for very little: one request of the listing, and what came with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
from yarl import URL

from archive.accounts import MUMBAI, SINGAPORE
from archive.api import ApiTroubleError
from archive.outbound import Failure, name_failure
from archive.verdicts import Symptom
from archive.wire import NonsenseError, error_message, read_page

if TYPE_CHECKING:
    from archive.accounts import Account, Credentials
    from archive.api import Kind
    from archive.clock import Clock

_BODY: Final = 2**20
_PATIENCE: Final = aiohttp.ClientTimeout(total=8, sock_connect=5)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request. ``status`` is 0 where nothing did, and ``words`` says why.

    ``nonsense`` says why an answer of 200 is not what the API promises; empty where it is.
    ``date`` is the provider's clock, None where it told none that can be read; ``sent_at`` and
    ``came_at`` are ours. ``limit`` and ``remaining`` are requests a minute, where they are told.
    """

    base: str
    status: int
    words: str = ""
    nonsense: str = ""
    date: datetime | None = None
    sent_at: datetime
    came_at: datetime
    limit: int | None = None
    remaining: int | None = None


async def ask(
    session: aiohttp.ClientSession, account: Account, credentials: Credentials, clock: Clock
) -> Answer:
    """Ask an account's API for one call of its listing, and return whatever came of it."""
    url = URL(f"{account.api_base}/v1/Accounts/{account.sid}/Calls.json?PageSize=1", encoded=True)
    headers = {
        "Authorization": aiohttp.encode_basic_auth(credentials.key, credentials.token),
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    sent = clock()
    try:
        async with session.get(
            url, headers=headers, timeout=_PATIENCE, allow_redirects=False
        ) as response:
            came = clock()
            body = await _read(response)
            return Answer(
                base=account.api_base,
                status=response.status,
                words=error_message(body),
                nonsense=_nonsense(body, account) if response.status == HTTPStatus.OK else "",
                date=read_date(response.headers.get("Date", "")),
                sent_at=sent,
                came_at=came,
                limit=_count(response, "X-RateLimit-Limit"),
                remaining=_count(response, "X-RateLimit-Remaining"),
            )
    except TimeoutError:
        words = f"no answer within {_PATIENCE.total:g} s"
    except (aiohttp.ClientError, OSError) as error:
        _, words = failure_of(error)
    return Answer(base=account.api_base, status=0, words=words, sent_at=sent, came_at=clock())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return what came, as far as one call of the listing can be long."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _BODY:
            break
    return bytes(body)


def _nonsense(body: bytes, account: Account) -> str:
    try:
        read_page(body, account.zone, walking=False)
    except NonsenseError as error:
        return str(error)
    return ""


def failure_of(error: Exception) -> tuple[Failure, str]:
    """Return what kept a request from an answer, in a person's words."""
    failure, words = name_failure(error)
    # One word is the name of an error's type, which says no more than that.
    return failure, words if " " in words else f"no connection ({words})"


def read_date(header: str) -> datetime | None:
    """Read a Date header in any of its three forms (RFC 9110, 5.6.7); None if it is none."""
    try:
        found = parsedate_to_datetime(header.strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" and no zone at all: HTTP's times are GMT.
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _count(response: aiohttp.ClientResponse, header: str) -> int | None:
    text = response.headers.get(header, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None  # noqa: PLR2004 - no number of requests is longer


def other_region(api_base: str) -> str | None:
    """Return where the provider's other region answers; None for a base of neither."""
    return {SINGAPORE: MUMBAI, MUMBAI: SINGAPORE}.get(api_base)


def skew(answer: Answer) -> timedelta | None:
    """Return how far our clock is ahead of the provider's, None where it told no time.

    Its time is taken to be that of the middle of the request; it has whole seconds, cut off, so it
    stands for half a second more.
    """
    if answer.date is None:
        return None
    middle = answer.sent_at + (answer.came_at - answer.sent_at) / 2
    return middle - (answer.date + timedelta(milliseconds=500))


class Freely:
    """Stands in for the limiter that the workers share, which lives in Redis.

    A doctor has to ask where Redis is what is wrong. It makes a handful of requests, for which the
    workers' limit leaves room (a tenth of what the provider allows), and does not ask again where
    it is told to wait.
    """

    async def acquire(self, account: str, kind: Kind) -> None:
        """Let a request pass."""

    async def hold(self, account: str, seconds: float) -> None:
        """Give up, where the workers would wait.

        Raises:
            ApiTroubleError: always.
        """
        del account
        raise ApiTroubleError(
            Symptom.API_TOO_MANY, f"the provider says to wait {seconds:.0f} s before asking again"
        )

    async def observe(
        self,
        account: str,
        *,
        limit: int | None,
        remaining: int | None,
        reset_s: float | None,
        retry_after_s: float | None,
    ) -> None:
        """Take no notice."""
