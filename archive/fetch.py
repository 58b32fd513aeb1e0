"""Fetching one recording over HTTP: streamed, bounded in memory, hashed on the way.

A small recording stays in memory until it is written; a large one goes to its part file in blocks
of 1 MiB, so that memory does not grow with a recording's size.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import aiofiles
import aiofiles.os
import aiohttp
import msgspec
from yarl import URL

from archive.hosts import Access, UntrustedUrlError, access_for
from archive.outbound import Failure, name_failure
from archive.verdicts import Symptom

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from archive.accounts import Account, Credentials

BLOCK: Final = 2**20
"""Bytes written at once: 64 KiB writes cost twice the CPU."""
HEAD: Final = 2**16
"""How much of a recording's beginning is kept for the look at its format."""

_MD5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CONNECT_S: Final = 15
_SLOWEST: Final = 1024
"""Bytes a second below which, for ``Bounds.pace``, a download is given up: it would never end."""
_LONGEST_WAIT_S: Final = 3600.0
"""What a host asks for in Retry-After is believed up to here: a mistaken one must not cost days."""
_DOUBTS: Final = 3
"""How many recordings' ETags may misfit before their host's are taken for no checksums.

Or how often one recording's may, if the same bytes come each time.
"""
_ERROR_BODY: Final = 4096
_FAILURES: Final = {
    Failure.FORBIDDEN_ADDRESS: Symptom.FETCH_FORBIDDEN_ADDRESS,
    Failure.DNS: Symptom.FETCH_DNS,
    Failure.TLS: Symptom.FETCH_TLS,
    Failure.NO_HTTP: Symptom.FETCH_ODD_STATUS,
    Failure.UNREACHABLE: Symptom.FETCH_UNREACHABLE,
}


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a recording is taken, and how long it is waited for.

    ``largest`` bytes are the most: by default three days of speech as WAV in two channels.
    ``connect`` is for a connection to be made, the name's lookup, a proxy's answer and TLS
    included; ``stall`` for the next bytes to come; ``pace`` is the stretch of time in which they
    must not come too slowly.
    """

    largest: int = 8 * 2**30
    connect: timedelta = timedelta(seconds=45)
    stall: timedelta = timedelta(minutes=1)
    pace: timedelta = timedelta(seconds=30)


USUAL: Final = Bounds()


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A whole body: in ``body`` when it was small, else in the file ``part``.

    ``md5`` is empty for a small one, whose bytes can still be asked.
    """

    body: bytes | None
    part: Path | None
    head: bytes
    size: int
    sha256: str
    md5: str
    content_type: str
    etag: str


class FetchTroubleError(Exception):
    """A fetch that brought no whole body: what was seen, without the URL's query.

    ``retry_after`` is what the host asked for, if it did.
    """

    def __init__(self, symptom: Symptom, detail: str, retry_after: timedelta | None = None) -> None:
        super().__init__(f"{symptom}: {detail}")
        self.symptom = symptom
        self.detail = detail
        self.retry_after = retry_after


class Fetcher:
    """Fetches recordings of one account, with its credentials where they belong."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        account: Account,
        credentials: Credentials,
        window: timedelta,
        bounds: Bounds = USUAL,
    ) -> None:
        self._session = session
        self._account = account
        self._auth = aiohttp.encode_basic_auth(credentials.key, credentials.token)
        self._window = window
        self._etags: dict[str, _EtagHabit] = {}
        self._bounds = bounds
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
        target = URL(url, encoded=True)
        try:
            async with self._session.get(
                target, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                if response.status != 200:  # noqa: PLR2004 - the one status with a whole body
                    raise await self._refused(response, age)
                return await self._whole(response, part)
        except TimeoutError as error:
            raise FetchTroubleError(Symptom.FETCH_TIMEOUT, target.host or "") from error
        except aiohttp.ClientPayloadError as error:
            raise FetchTroubleError(Symptom.BODY_SHORT, "the body ended early") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            failure, words = name_failure(error)
            raise FetchTroubleError(_FAILURES[failure], f"{target.host}: {words}") from error

    async def _whole(self, response: aiohttp.ClientResponse, part: Path) -> Fetched:
        fetched = await _read(response, part, self._bounds)
        try:
            self._check_digests(response, fetched)
        except FetchTroubleError:
            if fetched.part is not None:
                await aiofiles.os.remove(fetched.part)
            raise
        return fetched

    def _check_digests(self, response: aiohttp.ClientResponse, fetched: Fetched) -> None:
        """Hold the body against what the host says of it.

        An ETag is often, but need not be, the body's MD5 (RFC 9110, 8.8.3): a host is believed to
        mean that as soon as one fits, and not to once the first few do not.
        """
        given = response.headers.get("Content-MD5", "")
        etag = fetched.etag.strip('"').lower()
        if not given and not _MD5.fullmatch(etag):
            return
        md5 = fetched.md5 or hashlib.md5(fetched.body or b"", usedforsecurity=False).hexdigest()
        if given and given != base64.b64encode(bytes.fromhex(md5)).decode():
            raise FetchTroubleError(Symptom.BODY_DIGEST, "Content-MD5 is of other bytes")
        habit = self._etags.setdefault(response.url.authority, _EtagHabit())
        if _MD5.fullmatch(etag) and habit.misfits(response.url.path, md5, fits=etag == md5):
            raise FetchTroubleError(Symptom.BODY_DIGEST, "the ETag is of other bytes")

    async def _refused(
        self, response: aiohttp.ClientResponse, age: timedelta | None
    ) -> FetchTroubleError:
        body = await response.content.read(_ERROR_BODY)
        young = age is not None and age < self._window
        symptom = refusal(response.status, body, young=young)
        detail = f"HTTP {response.status} from {response.url.host}"
        return FetchTroubleError(symptom, detail, _retry_after(response))


def _retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    """Return what a host asks for, where it says so in seconds."""
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    # Written so that "not a number" asks for nothing.
    return timedelta(seconds=min(seconds, _LONGEST_WAIT_S)) if seconds > 0 else None


def _denial(body: bytes) -> Symptom:
    # Valid fetches are denied now and then; a reason that is given is believed.
    if b"invalid ip" in body:
        return Symptom.FETCH_BAD_ADDRESS
    return Symptom.FETCH_EXPIRED if b"expired" in body else Symptom.FETCH_REFUSED


class _Digest(Protocol):
    def update(self, piece: bytes, /) -> None: ...


class _EtagHabit:
    """Whether a host's ETags are checksums of the bodies, as far as is known."""

    def __init__(self) -> None:
        self._fitted = False
        self._doubted: dict[str, tuple[str, int]] = {}

    def misfits(self, name: str, md5: str, *, fits: bool) -> bool:
        """Take in one more ETag and the body's own MD5; return whether the body is distrusted.

        One recording alone, spoilt anew each time, must not pass for the habit of its host.
        """
        self._fitted = self._fitted or fits
        if fits or self._fitted:
            return not fits
        if name not in self._doubted and len(self._doubted) >= _DOUBTS:
            return False
        former, times = self._doubted.get(name, ("", 0))
        times = times + 1 if md5 == former else 1
        self._doubted[name] = (md5, times)
        return times <= _DOUBTS


class _Pace:
    """Watches that a download does not drip. ``clock`` tells seconds."""

    def __init__(self, clock: Callable[[], float], every: timedelta = USUAL.pace) -> None:
        self._clock = clock
        self._every_s = every.total_seconds()
        self._since = self._clock()
        self._size = 0

    def add(self, size: int) -> None:
        """Count bytes that came.

        Raises:
            FetchTroubleError: too few came in the last stretch of time.
        """
        self._size += size
        took = self._clock() - self._since
        if took < self._every_s:
            return
        if self._size < _SLOWEST * took:
            raise FetchTroubleError(Symptom.FETCH_SLOW, f"{self._size} bytes in {took:.0f} s")
        self._since, self._size = self._clock(), 0


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


async def _read(response: aiohttp.ClientResponse, part: Path, bounds: Bounds) -> Fetched:
    promised = response.content_length
    _check_bound(promised or 0, bounds.largest)
    block = bytearray()
    pace = _Pace(asyncio.get_running_loop().time, bounds.pace)
    async for chunk in response.content.iter_any():
        pace.add(len(chunk))
        block += chunk
        if len(block) >= BLOCK:
            return await _spill(response, part, block, promised, bounds)
    _check_length(len(block), promised)
    body = bytes(block)
    # A MiB is hashed in less time than a hop to a thread is worth.
    digest = hashlib.sha256(body).hexdigest()
    return _fetched(
        response,
        body=body,
        part=None,
        head=body[:HEAD],
        size=len(body),
        sha256=digest,
        md5="",
    )


async def _spill(
    response: aiohttp.ClientResponse,
    part: Path,
    block: bytearray,
    promised: int | None,
    bounds: Bounds,
) -> Fetched:
    """Go on into the part file."""
    head = bytes(block[:HEAD])
    digest = hashlib.sha256()
    check = hashlib.md5(usedforsecurity=False)
    total = 0
    async with aiofiles.open(part, "xb", buffering=0) as file:
        try:
            async for piece in _blocks(response, block, bounds.pace):
                await asyncio.to_thread(_update, (digest, check), piece)
                await file.write(piece)
                total += len(piece)
                _check_bound(total, bounds.largest)
            _check_length(total, promised)
        except BaseException:
            with suppress(OSError):  # what cannot be removed now is swept later
                await aiofiles.os.remove(part)
            raise
    return _fetched(
        response,
        body=None,
        part=part,
        head=head,
        size=total,
        sha256=digest.hexdigest(),
        md5=check.hexdigest(),
    )


def _fetched(response: aiohttp.ClientResponse, **whole: Any) -> Fetched:  # noqa: ANN401
    return Fetched(
        **whole,
        content_type=_header(response, "Content-Type"),
        etag=_header(response, "ETag"),
    )


def _header(response: aiohttp.ClientResponse, name: str) -> str:
    """Return a header fit for a sidecar: printable and bounded."""
    text = response.headers.get(name, "")
    return "".join(character for character in text if character.isprintable())[:200]


def _update(digests: Iterable[_Digest], piece: bytes) -> None:
    for digest in digests:
        digest.update(piece)


async def _blocks(
    response: aiohttp.ClientResponse, block: bytearray, every: timedelta
) -> AsyncIterator[bytes]:
    pace = _Pace(asyncio.get_running_loop().time, every)
    async for chunk in response.content.iter_any():
        pace.add(len(chunk))
        block += chunk
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _check_bound(size: int, largest: int) -> None:
    if size > largest:
        raise FetchTroubleError(Symptom.BODY_ENDLESS, f"more than {largest} bytes")


def _check_length(received: int, promised: int | None) -> None:
    if received == 0:
        raise FetchTroubleError(Symptom.BODY_EMPTY, "the body is empty")
    if promised is not None and received != promised:
        raise FetchTroubleError(Symptom.BODY_SHORT, f"{received} of {promised} bytes")
