"""Fetching one recording over HTTP: asked for with what belongs, taken in whole, gone on with.

A large download that is interrupted is gone on with where it stopped, as long as the host says that
it is still the same recording (RFC 9110, 13.1.5 and 14.2: If-Range and Range).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
import structlog
from yarl import URL

from archive.body import USUAL, Body, Bounds, FetchTroubleError, Pace
from archive.checksums import Checksums, asks_for_md5
from archive.hosts import Access, UntrustedUrlError, access_for
from archive.outbound import Failure, name_failure
from archive.verdicts import Symptom

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from archive.accounts import Account, Credentials
    from archive.bandwidth import Throttle

_CONNECT_S: Final = 15
_LONGEST_WAIT_S: Final = 3600.0
"""What a host asks for in Retry-After is believed up to here: a mistaken one must not cost days."""
_ERROR_BODY: Final = 4096
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)", re.ASCII)
_MOST_PIECES: Final = 50
"""In how many pieces a recording is taken at most: one that breaks for ever must end somewhere."""
_INTERRUPTIONS: Final = frozenset(
    {Symptom.BODY_SHORT, Symptom.FETCH_TIMEOUT, Symptom.FETCH_UNREACHABLE}
)
_FAILURES: Final = {
    Failure.FORBIDDEN_ADDRESS: Symptom.FETCH_FORBIDDEN_ADDRESS,
    Failure.DNS: Symptom.FETCH_DNS,
    Failure.TLS: Symptom.FETCH_TLS,
    Failure.NO_HTTP: Symptom.FETCH_ODD_STATUS,
    Failure.UNREACHABLE: Symptom.FETCH_UNREACHABLE,
}
_log = structlog.get_logger()


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A whole body: in ``body`` when it was small, else in the file ``part``."""

    body: bytes | None
    part: Path | None
    head: bytes
    size: int
    sha256: str
    content_type: str
    etag: str


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the host said of a recording when it began to send it."""

    host: str
    name: str
    content_type: str
    etag: str
    content_md5: str

    @property
    def validator(self) -> str:
        """What tells that it is still the same: a strong ETag (RFC 9110, 13.1.5), or nothing."""
        return self.etag if self.etag.startswith('"') else ""


def _tell_nobody() -> None:
    """Let bytes come unseen."""


class Fetcher:
    """Fetches recordings of one account, with its credentials where they belong.

    ``arrived`` is called when bytes have come.
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        account: Account,
        credentials: Credentials,
        window: timedelta,
        bounds: Bounds = USUAL,
        throttle: Throttle | None = None,
        arrived: Callable[[], None] = _tell_nobody,
    ) -> None:
        self._session = session
        self._account = account
        self._auth = aiohttp.encode_basic_auth(credentials.key, credentials.token)
        self._window = window
        self._checksums = Checksums()
        self._bounds = bounds
        self._throttle = throttle
        self._arrived = arrived
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            connect=bounds.connect.total_seconds(),
            sock_connect=_CONNECT_S,
            sock_read=bounds.stall.total_seconds(),
        )

    async def fetch(self, url: str, part: Path, *, age: timedelta | None) -> Fetched:
        """Fetch a recording.

        Args:
            url: where the provider says it is.
            part: the file a large body is written to; removed again on failure.
            age: how long ago the call ended, if that is known: a young call's URL may be handed
                out before the object exists.

        Raises:
            FetchTroubleError: there is no whole body.
            OSError: the part file cannot be written.
        """
        try:
            access = access_for(url, self._account)
        except UntrustedUrlError as error:
            raise FetchTroubleError(Symptom.URL_UNTRUSTED, str(error)) from error
        headers = {"Accept": "audio/*, */*;q=0.1", "Accept-Encoding": "identity"}
        if access is Access.WITH_CREDENTIALS:
            headers["Authorization"] = self._auth
        body = Body(part, self._bounds.largest)
        try:
            return await self._in_pieces(URL(url, encoded=True), headers, body, age)
        except BaseException:
            await body.discard()
            raise

    async def _in_pieces(
        self, target: URL, headers: Mapping[str, str], body: Body, age: timedelta | None
    ) -> Fetched:
        """Fetch a body, going on where it was interrupted while that brings more of it."""
        told: _Told | None = None
        fruitless = 0
        for _ in range(_MOST_PIECES):
            before = body.size
            try:
                told = await self._take(target, headers, body, told, age)
                return self._whole(body, await body.finish(), told)
            except _InterruptedError as interrupted:
                told = interrupted.told or told
                fruitless = 0 if body.size > before else fruitless + 1
                rests = self._bounds.rests
                if not (told and told.validator and body.is_on_disk) or fruitless >= len(rests):
                    raise interrupted.trouble from interrupted
                _log.debug("goes on with a download", at=body.size, after=str(interrupted.trouble))
                await asyncio.sleep(rests[fruitless].total_seconds())
        raise FetchTroubleError(Symptom.BODY_SHORT, f"it was interrupted {_MOST_PIECES} times")

    async def _take(
        self,
        target: URL,
        headers: Mapping[str, str],
        body: Body,
        told: _Told | None,
        age: timedelta | None,
    ) -> _Told:
        """Ask for a body, or for the rest of it, and take in what comes; return what was told.

        Raises:
            _InterruptedError: it ended before its end.
            FetchTroubleError: it is refused, or cannot be gone on with.
        """
        if body.size and told:
            headers = {**headers, "Range": f"bytes={body.size}-", "If-Range": told.validator}
        try:
            async with self._session.get(
                target, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                if response.status == 206 and body.size and told:  # noqa: PLR2004 - RFC 9110, 15.3.7
                    _check_continues(response, body, told)
                elif response.status == 200:  # noqa: PLR2004 - the one status with a whole body
                    if body.size:
                        await body.start_over()
                    told = _told(response)
                    body.promise(
                        response.content_length,
                        wants_md5=asks_for_md5(told.content_md5, told.etag),
                    )
                else:
                    raise await self._refused(response, age)
                await self._take_in(response.content, body)
                return told
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            trouble = _trouble(error, target)
            if trouble.symptom in _INTERRUPTIONS:
                raise _InterruptedError(trouble, told) from error
            raise trouble from error

    async def _take_in(self, content: aiohttp.StreamReader, body: Body) -> None:
        """Read what comes, no faster than is allowed; what we wait for is no slowness of a host."""
        loop, throttle = asyncio.get_running_loop(), self._throttle
        waited = 0.0
        pace = Pace(lambda: loop.time() - waited, self._bounds.pace)
        async for chunk in content.iter_any():
            pace.add(len(chunk))
            self._arrived()
            await body.add(chunk)
            if throttle is not None:
                waited += await throttle.take(len(chunk))

    def _whole(self, body: Body, content: bytes | None, told: _Told) -> Fetched:
        def md5() -> str:
            if content is None:
                return body.md5
            return hashlib.md5(content, usedforsecurity=False).hexdigest()

        self._checksums.check(
            told.host, told.name, content_md5=told.content_md5, etag=told.etag, md5=md5
        )
        return Fetched(
            body=content,
            part=None if content is not None else body.part,
            head=body.head,
            size=body.size,
            sha256=body.sha256,
            content_type=told.content_type,
            etag=told.etag,
        )

    async def _refused(
        self, response: aiohttp.ClientResponse, age: timedelta | None
    ) -> FetchTroubleError:
        body = await response.content.read(_ERROR_BODY)
        young = age is not None and age < self._window
        symptom = refusal(response.status, body, young=young)
        detail = f"HTTP {response.status} from {response.url.host}"
        return FetchTroubleError(symptom, detail, _retry_after(response))


class _InterruptedError(Exception):
    """A body that ended early, and what the host had told of it."""

    def __init__(self, trouble: FetchTroubleError, told: _Told | None) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble
        self.told = told


def _trouble(error: Exception, target: URL) -> FetchTroubleError:
    if isinstance(error, TimeoutError):
        return FetchTroubleError(Symptom.FETCH_TIMEOUT, target.host or "")
    if isinstance(error, aiohttp.ClientPayloadError):
        return FetchTroubleError(Symptom.BODY_SHORT, "the body ended early")
    failure, words = name_failure(error)
    return FetchTroubleError(_FAILURES[failure], f"{target.host}: {words}")


def _told(response: aiohttp.ClientResponse) -> _Told:
    return _Told(
        host=response.url.authority,
        name=response.url.path,
        content_type=_header(response, "Content-Type"),
        etag=_header(response, "ETag"),
        content_md5=response.headers.get("Content-MD5", ""),
    )


def _header(response: aiohttp.ClientResponse, name: str) -> str:
    """Return a header fit for a sidecar: printable and bounded."""
    text = response.headers.get(name, "")
    return "".join(character for character in text if character.isprintable())[:200]


def _check_continues(response: aiohttp.ClientResponse, body: Body, told: _Told) -> None:
    """See that what comes is the rest of what is here (RFC 9110, 14.4 and 15.3.7).

    Raises:
        FetchTroubleError: it is a part of something else.
    """
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    start, total = (int(found[1]), found[2]) if found else (-1, "")
    fits = start == body.size and total in {"*", str(body.promised or total)}
    if not fits or _header(response, "ETag") not in {"", told.etag}:
        raise FetchTroubleError(Symptom.BODY_SHORT, "what came is not the rest of it")


def _retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    """Return what a host asks for, where it says so in seconds."""
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    # Written so that "not a number" asks for nothing.
    return timedelta(seconds=min(seconds, _LONGEST_WAIT_S)) if seconds > 0 else None


def refusal(status: int, body: bytes, *, young: bool) -> Symptom:
    """Name what a status other than 200 says of a recording.

    Args:
        status: the HTTP status.
        body: the beginning of the answer's body.
        young: whether the call ended within the provider's processing time.
    """
    if status in {400, 401, 403}:
        return _denial(body.lower())
    if status in {404, 410}:
        return Symptom.FETCH_NOT_YET if young else Symptom.FETCH_GONE
    if status == 429:  # noqa: PLR2004 - RFC 6585, 4
        return Symptom.FETCH_TOO_MANY
    if status >= 500:  # noqa: PLR2004 - RFC 9110, 15.6
        return Symptom.FETCH_SERVER_ERROR
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
        return Symptom.FETCH_REDIRECT
    return Symptom.FETCH_ODD_STATUS


def _denial(body: bytes) -> Symptom:
    # Valid fetches are denied now and then; a reason that is given is believed.
    if b"invalid ip" in body:
        return Symptom.FETCH_BAD_ADDRESS
    return Symptom.FETCH_EXPIRED if b"expired" in body else Symptom.FETCH_REFUSED
