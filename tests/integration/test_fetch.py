"""Fetching over real HTTP: whole bodies come whole, and everything else is named for what it is."""

from __future__ import annotations

import base64
import hashlib
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from archive.accounts import Account, Credentials
from archive.bandwidth import BURST_S, Throttle
from archive.body import BLOCK, HEAD, FetchTroubleError
from archive.fetch import Fetched, Fetcher
from archive.verdicts import Symptom
from tests.integration.servers import Seen, serving
from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
SIGNED = "X-Amz-Signature=abc&X-Amz-Expires=300"
SMALL = hashlib.shake_128(b"small").digest(5_000)
LARGE = hashlib.shake_128(b"large").digest(3 * BLOCK + 12_345)
OLD, YOUNG = timedelta(days=1), timedelta(minutes=1)


class Bench:
    """A server that answers as told, a fetcher whose hosts include it, and a part file."""

    def __init__(self, server: Seen, session: aiohttp.ClientSession, part: Path) -> None:
        self.server = server
        self.part = part
        self.throttle: Throttle | None = None
        self._session = session

    async def fetch(
        self, path: str = "exotelrecordings/a/b.mp3", *, storage: bool = False, age: timedelta = OLD
    ) -> Fetched:
        """Fetch from the server, known as a recording host or as a storage host."""
        account = Account(
            name="main",
            sid="acme1",
            recording_hosts=() if storage else (self.server.host,),
            storage_hosts=(f"{self.server.host}/exotelrecordings",) if storage else (),
        )
        fetcher = Fetcher(
            session=self._session,
            account=account,
            credentials=Credentials(KEY, TOKEN),
            window=timedelta(minutes=15),
            throttle=self.throttle,
        )
        return await fetcher.fetch(f"http://{self.server.host}/{path}", self.part, age=age)

    async def trouble(self, *, age: timedelta = OLD) -> Symptom:
        """Fetch what brings no whole body, and see that nothing is left; return its name."""
        with pytest.raises(FetchTroubleError) as caught:
            await self.fetch(f"exotelrecordings/b.mp3?{SIGNED}", age=age)
        assert not self.part.exists()
        assert "X-Amz" not in str(caught.value)
        return caught.value.symptom


@asynccontextmanager
async def bench(
    tmp_path: Path, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[Bench]:
    """Set everything up."""
    async with serving(answer) as server, aiohttp.ClientSession(auto_decompress=False) as session:
        yield Bench(server, session, tmp_path / "lease.sid.part")


def read(file: Path) -> bytes:
    """Read a file."""
    return file.read_bytes()


def always(
    response: Callable[[], web.Response],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer everything alike."""

    async def answer(_: web.Request) -> web.Response:
        return response()

    return answer


def streamed(
    body: bytes, *, promised: int | None = None, cut: bool = False
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Send a body in pieces: in chunks without a length, or less than was promised."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if promised is None:
            response.enable_chunked_encoding()
        else:
            response.content_length = promised
        await response.prepare(request)
        for at in range(0, len(body), 100_000):
            await response.write(body[at : at + 100_000])
        if cut:
            assert request.transport is not None
            request.transport.close()
        else:
            await response.write_eof()
        return response

    return answer


async def test_a_small_body_stays_in_memory(tmp_path: Path) -> None:
    """It comes whole, with its hash, and no file is made."""
    response = always(lambda: web.Response(body=SMALL, headers={"ETag": '"x"'}))
    async with bench(tmp_path, response) as told:
        fetched = await told.fetch()

    assert fetched.body == fetched.head == SMALL
    assert hashlib.sha256(SMALL).hexdigest() == fetched.sha256
    assert (len(SMALL), None, '"x"') == (fetched.size, fetched.part, fetched.etag)
    assert not told.part.exists()


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, len(LARGE)])
@pytest.mark.parametrize("has_length", [True, False])
async def test_a_large_body_goes_to_the_part_file(
    tmp_path: Path, size: int, *, has_length: bool
) -> None:
    """From a MiB on it is spilled to disk, with or without a promised length; the hash is right."""
    body = LARGE[:size]
    async with bench(tmp_path, streamed(body, promised=size if has_length else None)) as told:
        fetched = await told.fetch()

    if size < BLOCK:
        assert fetched.body == body
    else:
        assert fetched.part == told.part
        assert read(told.part) == body
        assert fetched.body is None
    assert (hashlib.sha256(body).hexdigest(), size) == (fetched.sha256, fetched.size)
    assert fetched.head == body[:HEAD]


@pytest.mark.parametrize(
    ("sent", "promised"), [(4_000, 5_000), (0, 5_000), (2 * BLOCK, 3 * BLOCK), (5_000, None)]
)
async def test_a_body_cut_short_is_no_body(tmp_path: Path, sent: int, promised: int | None) -> None:
    """The connection ends before the promised length, or before the last chunk: nothing is kept."""
    async with bench(tmp_path, streamed(LARGE[:sent], promised=promised, cut=True)) as told:
        assert await told.trouble() is Symptom.BODY_SHORT


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_empty_body_is_no_recording(tmp_path: Path, *, chunked: bool) -> None:
    """Status 200 with nothing in it is named as empty."""
    answer = streamed(b"") if chunked else always(lambda: web.Response(body=b""))
    async with bench(tmp_path, answer) as told:
        assert await told.trouble() is Symptom.BODY_EMPTY


async def test_a_page_with_status_200_is_handed_on_to_be_looked_at(tmp_path: Path) -> None:
    """The fetch judges no content: a page comes with its head, by which it is told from audio."""
    page = b"<!doctype html><p>Please log in</p>"
    response = always(lambda: web.Response(body=page, content_type="text/html"))
    async with bench(tmp_path, response) as told:
        fetched = await told.fetch()

    assert (page, "text/html") == (fetched.head, fetched.content_type)


@pytest.mark.parametrize(
    ("status", "body", "age", "symptom"),
    [
        (403, EXPIRED, OLD, Symptom.FETCH_EXPIRED),
        (403, b"<Code>AccessDenied</Code>", OLD, Symptom.FETCH_REFUSED),
        (400, b"Only one auth mechanism allowed", OLD, Symptom.FETCH_REFUSED),
        (401, b"", OLD, Symptom.FETCH_REFUSED),
        (404, b"NoSuchKey", OLD, Symptom.FETCH_GONE),
        (404, b"NoSuchKey", YOUNG, Symptom.FETCH_NOT_YET),
        (410, b"", OLD, Symptom.FETCH_GONE),
        (429, b"", OLD, Symptom.FETCH_TOO_MANY),
        (500, b"", OLD, Symptom.FETCH_SERVER_ERROR),
        (503, b"x" * 3 * BLOCK, OLD, Symptom.FETCH_SERVER_ERROR),
        (206, SMALL, OLD, Symptom.FETCH_ODD_STATUS),
        (418, b"", OLD, Symptom.FETCH_ODD_STATUS),
    ],
)
async def test_a_refusal_is_named(
    tmp_path: Path, status: int, body: bytes, age: timedelta, symptom: Symptom
) -> None:
    """Each status other than 200 is told for what it says of the recording, and leaves nothing."""
    response = always(lambda: web.Response(status=status, body=body))
    async with bench(tmp_path, response) as told:
        assert await told.trouble(age=age) is symptom


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(tmp_path: Path, status: int) -> None:
    """Neither to another host nor to the same one: where it leads is a new decision."""
    async with serving(always(lambda: web.Response(body=SMALL))) as other:

        async def answer(request: web.Request) -> web.Response:
            if request.path == "/exotelrecordings/other":
                return web.Response(body=SMALL)
            place = f"http://{other.host}/" if status < 303 else "/exotelrecordings/other"
            return web.Response(status=status, headers={"Location": place})

        async with bench(tmp_path, answer) as told:
            assert await told.trouble() is Symptom.FETCH_REDIRECT

    assert (len(told.server.requests), len(other.requests)) == (1, 0)


@pytest.mark.parametrize(
    ("path", "storage", "has_key"),
    [
        ("exotelrecordings/a/b.mp3", False, True),
        (f"exotelrecordings/a/b.mp3?{SIGNED}", False, False),
        ("exotelrecordings/a/b.mp3", True, False),
        (f"exotelrecordings/a/b.mp3?{SIGNED}", True, False),
    ],
)
async def test_the_key_goes_only_where_it_belongs(
    tmp_path: Path, path: str, *, storage: bool, has_key: bool
) -> None:
    """Recording hosts get it with unsigned URLs, storage hosts never; URLs go to the letter."""
    async with bench(tmp_path, always(lambda: web.Response(body=SMALL))) as told:
        await told.fetch(path, storage=storage)

    expected = aiohttp.encode_basic_auth(KEY, TOKEN) if has_key else None
    assert [expected] == told.server.authorizations()
    assert f"/{path}" == told.server.requests[0].raw_path


async def test_other_hosts_and_paths_are_not_asked(tmp_path: Path) -> None:
    """A path that is not the recordings' own on a storage host is refused before any request."""
    async with bench(tmp_path, always(lambda: web.Response(body=SMALL))) as told:
        for path in ("otherbucket/b.mp3", "exotelrecordings/../otherbucket/b.mp3"):
            with pytest.raises(FetchTroubleError) as caught:
                await told.fetch(path, storage=True)
            assert caught.value.symptom is Symptom.URL_UNTRUSTED

    assert told.server.requests == []


async def test_a_part_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    """A part file that is there already belongs to somebody: it stays, and the fetch says so."""
    async with bench(tmp_path, streamed(LARGE)) as told:
        told.part.write_bytes(b"another's")
        with pytest.raises(FileExistsError):
            await told.fetch()

        assert read(told.part) == b"another's"


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("header", ["ETag", "Content-MD5"])
async def test_other_bytes_than_the_checksum_says_are_no_recording(
    tmp_path: Path, body: bytes, header: str
) -> None:
    """An ETag or Content-MD5 of other bytes: what came is thrown away, the part file too."""
    digest = hashlib.md5(b"other bytes", usedforsecurity=False)
    value = f'"{digest.hexdigest()}"'
    if header == "Content-MD5":
        value = base64.b64encode(digest.digest()).decode()

    async with bench(
        tmp_path, always(lambda: web.Response(body=body, headers={header: value}))
    ) as at:
        assert await at.trouble() == Symptom.BODY_DIGEST


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_bytes_that_fit_their_checksums_are_taken(tmp_path: Path, body: bytes) -> None:
    """Both headers at once; an ETag of another form says nothing about the bytes."""
    digest = hashlib.md5(body, usedforsecurity=False)
    given = base64.b64encode(digest.digest()).decode()
    for etag in (f'"{digest.hexdigest()}"', '"abc-7"', 'W/"weak"'):
        headers = {"ETag": etag, "Content-MD5": given}
        answer = always(lambda headers=headers: web.Response(body=body, headers=headers))  # type: ignore[misc]
        async with bench(tmp_path, answer) as at:
            fetched = await at.fetch()
        assert fetched.size == len(body)
        at.part.unlink(missing_ok=True)


async def test_a_throttled_download_is_whole_and_its_host_not_called_slow(tmp_path: Path) -> None:
    """What we wait for ourselves, be it minutes, is no slowness of the host."""
    moment, slept = [0.0], [0.0]

    async def sleep(seconds: float) -> None:
        moment[0] += seconds
        slept[0] += seconds

    async with bench(tmp_path, streamed(LARGE)) as it:
        it.throttle = Throttle(1000, clock=lambda: moment[0], sleep=sleep)
        fetched = await it.fetch()
    assert fetched.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert slept[0] == pytest.approx(len(LARGE) / 1000 - BURST_S)
