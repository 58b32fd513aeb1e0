"""Going on with a large download that was interrupted: the bytes are right, or it is begun anew."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest
from aiohttp import web

from archive.accounts import Account, Credentials
from archive.body import BLOCK, Bounds, FetchTroubleError
from archive.fetch import Fetched, Fetcher
from archive.verdicts import Symptom
from tests.integration.servers import Seen, serving
from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LARGE: Final = hashlib.shake_128(b"large").digest(4 * BLOCK + 12_345)
OTHER: Final = hashlib.shake_128(b"other").digest(4 * BLOCK + 12_345)
NO_REST: Final = (timedelta(0),) * 3


class Host:
    """A host that ends each answer early, after ``cut`` bytes of it, the first ``times`` times.

    From then on it serves ``later``, which is another recording where a test says so.
    """

    def __init__(self, *, cut: int, times: int = 1, etag: str = '"v1"') -> None:
        self.cut = cut
        self.times = times
        self.etag = etag
        self.later = LARGE
        self.later_etag = etag
        self.ranges = True
        self.content_range = ""
        self.refuses = 0
        self.dries_up = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as a host of recordings does that knows ranges."""
        body = LARGE if self.times else self.later
        etag = self.etag if self.times else self.later_etag
        start = 0
        wanted = request.headers.get("Range", "")
        if self.refuses and wanted:
            return web.Response(status=self.refuses)
        if self.ranges and wanted and request.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        response = web.StreamResponse(status=206 if start else 200, headers={"ETag": etag})
        if start:
            told = self.content_range or f"bytes {start}-{len(body) - 1}/{len(body)}"
            response.headers["Content-Range"] = told
        response.content_length = len(body) - start
        await response.prepare(request)
        stop = start + self.cut if self.times else len(body)
        await response.write(body[start:stop])
        if self.times:
            self.times -= 1
            self.cut = 0 if self.dries_up else self.cut
            assert request.transport is not None
            request.transport.close()
        return response


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Return where a large body goes."""
    return tmp_path / "part"


def content(file: Path) -> bytes | None:
    """Return what is in a file; None if there is none."""
    return file.read_bytes() if file.exists() else None


@asynccontextmanager
async def fetching(host: Host) -> AsyncIterator[tuple[Seen, Fetcher]]:
    """Serve as the host does, and yield what it saw and a fetcher for it."""
    async with serving(host.answer) as seen, aiohttp.ClientSession(auto_decompress=False) as line:
        account = Account(name="main", sid="acme1", recording_hosts=(seen.host,), storage_hosts=())
        yield (
            seen,
            Fetcher(
                session=line,
                account=account,
                credentials=Credentials(KEY, TOKEN),
                window=timedelta(minutes=15),
                bounds=Bounds(rests=NO_REST),
            ),
        )


async def fetched(host: Host, part: Path) -> tuple[list[str | None], Fetched]:
    """Fetch from a host; return the ranges that were asked for, and what came."""
    async with fetching(host) as (seen, fetcher):
        url = f"http://{seen.host}/exotelrecordings/acme1/a.mp3"
        found = await fetcher.fetch(url, part, age=timedelta(days=1))
        return [request.headers.get("Range") for request in seen.requests], found


async def trouble(host: Host, part: Path) -> tuple[int, Symptom]:
    """Fetch in vain, leaving nothing; return how often the host was asked, and what was seen."""
    async with fetching(host) as (seen, fetcher):
        url = f"http://{seen.host}/exotelrecordings/acme1/a.mp3"
        with pytest.raises(FetchTroubleError) as caught:
            await fetcher.fetch(url, part, age=timedelta(days=1))
        assert content(part) is None
        return len(seen.requests), caught.value.symptom


async def test_an_interrupted_download_is_gone_on_with(part: Path) -> None:
    """The rest is asked for where it stopped, as often as that brings more; the hash is right."""
    ranges, found = await fetched(Host(cut=BLOCK + 1000, times=3), part)
    assert ranges[0] is None
    assert len(ranges) == 4
    stops = [int(str(asked).removeprefix("bytes=").removesuffix("-")) for asked in ranges[1:]]
    assert stops == sorted(set(stops))
    assert stops[0] >= BLOCK
    assert (hashlib.sha256(LARGE).hexdigest(), len(LARGE)) == (found.sha256, found.size)
    assert content(part) == LARGE
    assert LARGE[: len(found.head)] == found.head


@pytest.mark.parametrize("how", ["changed", "no ranges"])
async def test_another_answer_is_begun_anew(part: Path, how: str) -> None:
    """A host that sends all once more, the same recording or another, is taken at its word."""
    host = Host(cut=2 * BLOCK)
    host.ranges = how != "no ranges"
    if how == "changed":
        host.later, host.later_etag = OTHER, '"v2"'
    _, found = await fetched(host, part)
    assert hashlib.sha256(host.later).hexdigest() == found.sha256
    assert content(part) == host.later
    assert host.later_etag == found.etag


@pytest.mark.parametrize(
    "content_range",
    ["", "bytes 0-99/100", f"bytes 7-{len(LARGE) - 1}/{len(LARGE)}", "bytes */1", "nonsense"],
)
async def test_a_part_that_does_not_fit_is_no_rest(part: Path, content_range: str) -> None:
    """Bytes of another place or length are never put behind those that are here."""
    host = Host(cut=2 * BLOCK)
    host.content_range = content_range or "bytes"
    assert await trouble(host, part) == (2, Symptom.BODY_SHORT)


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
async def test_without_a_strong_etag_nothing_is_gone_on_with(part: Path, etag: str) -> None:
    """Nobody could tell that it is still the same recording (RFC 9110, 13.1.5)."""
    host = Host(cut=2 * BLOCK, etag=etag)
    assert await trouble(host, part) == (1, Symptom.BODY_SHORT)


async def test_a_small_recording_is_asked_for_anew(part: Path) -> None:
    """It is still in memory, and costs as little again."""
    assert await trouble(Host(cut=BLOCK // 2), part) == (1, Symptom.BODY_SHORT)


async def test_one_that_brings_no_more_is_given_up(part: Path) -> None:
    """After as many pieces without a byte as there are rests; the part file goes."""
    host = Host(cut=2 * BLOCK, times=100)
    host.dries_up = True
    asked, symptom = await trouble(host, part)
    assert (1 + len(NO_REST), Symptom.BODY_SHORT) == (asked, symptom)


@pytest.mark.parametrize(
    ("status", "symptom"),
    [
        (403, Symptom.FETCH_REFUSED),
        (404, Symptom.FETCH_GONE),
        (416, Symptom.FETCH_ODD_STATUS),
        (503, Symptom.FETCH_SERVER_ERROR),
    ],
)
async def test_a_refusal_of_the_rest_is_a_refusal(
    part: Path, status: int, symptom: Symptom
) -> None:
    """What follows of it is for the table to say, as of any other."""
    host = Host(cut=2 * BLOCK)
    host.refuses = status
    assert await trouble(host, part) == (2, symptom)
