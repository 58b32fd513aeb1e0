"""Faults of the stand-in on the wire and in the bytes: cut, too long, silent, redirected."""

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.integration.test_sandbox_faults import SIZE, Stage, ask, md5, sha, staged


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Give a stand-in that the tests of this module share."""
    options = ("--calls", "1000", "--mix", "clean", "--bytes", str(SIZE), "--urls", "presigned")
    with staged(*options) as stage:
        yield stage


async def test_the_right_bytes_under_wrong_headers(stage: Stage) -> None:
    """Wrong type, ETag, Content-MD5 or Date: the bytes are those of the truth all the same."""
    kinds = ("wrong-type", "wrong-etag", "wrong-md5", "clock-skew")
    calls = {kind: stage.call(kind, "recording") for kind in kinds}
    heard = {kind: await stage.ask("recording", call) for kind, call in calls.items()}
    assert [calls[kind]["sha256"] for kind in kinds] == [sha(heard[kind].body) for kind in kinds]
    assert heard["wrong-type"].headers["content-type"].startswith("text/html")
    for kind in kinds:
        fits = heard[kind].headers["etag"] == md5(heard[kind].body)
        assert fits is (kind != "wrong-etag")
    assert "content-md5" in heard["wrong-md5"].headers
    told = parsedate_to_datetime(heard["clock-skew"].headers["date"])
    assert timedelta(minutes=50) < told - datetime.now(UTC) < timedelta(minutes=70)


@pytest.mark.parametrize("kind", ["flipped", "flipped-signed"])
async def test_flipped_bytes(stage: Stage, kind: str) -> None:
    """As many bytes differ as were asked for; the ETag tells, or hides it."""
    call = next(stage.calls)
    right = (await stage.ask("recording", call)).body
    stage.spoil({"kind": kind, "sid": call["sid"], "parameters": {"count": 3}})
    heard = await stage.ask("recording", call)
    assert sum(a != b for a, b in zip(right, heard.body, strict=True)) == 3
    expected = md5(right if kind == "flipped" else heard.body)
    assert expected == heard.headers["etag"]


async def test_a_cut_recording_looks_whole(stage: Stage) -> None:
    """A cut file has the length and the ETag of what is left of it."""
    call = stage.call("cut", "recording", keep=0.25)
    heard = await stage.ask("recording", call)
    kept = call["bytes"] // 4
    assert (200, kept, str(kept)) == (
        heard.status,
        len(heard.body),
        heard.headers["content-length"],
    )
    assert md5(heard.body) == heard.headers["etag"]
    assert heard.ended == "end"


async def test_cut_json(stage: Stage) -> None:
    """The API's JSON can end in the middle, with a Content-Length that fits."""
    heard = await stage.ask("listing", stage.call("cut", "listing"))
    assert str(len(heard.body)) == heard.headers["content-length"]
    with pytest.raises(ValueError, match="char"):
        json.loads(heard.body)


@pytest.mark.parametrize("where", ["listing", "recording"])
@pytest.mark.parametrize(
    ("kind", "ended"), [("truncated", "end"), ("reset-mid", "reset"), ("stall", "open")]
)
async def test_less_than_promised(stage: Stage, where: str, kind: str, ended: str) -> None:
    """The connection ends, is reset or falls silent before all that was promised has come."""
    heard = await stage.ask(where, stage.call(kind, where), patience=1)
    promised = int(heard.headers["content-length"])
    expected = 0 if kind == "stall" else promised // 2
    assert (200, ended, expected) == (heard.status, heard.ended, len(heard.body))


async def test_a_stall_ends(stage: Stage) -> None:
    """A stall lasts as long as it was told to, then the connection is reset."""
    begun = time.monotonic()
    heard = await stage.ask("recording", stage.call("stall", "recording", hold=0.5))
    assert (heard.ended, heard.body) == ("reset", b"")
    assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize("where", ["call", "recording"])
@pytest.mark.parametrize("kind", ["reset", "outage"])
async def test_no_answer_at_all(stage: Stage, where: str, kind: str) -> None:
    """The connection is reset before a single byte has come."""
    heard = await stage.ask(where, stage.call(kind, where))
    assert (heard.ended, heard.status, heard.body) == ("reset", 0, b"")


async def test_a_drip(stage: Stage) -> None:
    """The body comes at the rate that was asked for, then the connection is reset."""
    call = stage.call("drip", "recording", rate=1_000, hold=1)
    heard = await stage.ask("recording", call)
    assert heard.ended == "reset"
    assert 500 <= len(heard.body) <= 1_200


async def test_latency(stage: Stage) -> None:
    """The right answer comes, later."""
    call = stage.call("latency", "all", delay=0.5)
    begun = time.monotonic()
    heard = [await stage.ask(where, call) for where in ("call", "recording")]
    assert time.monotonic() - begun >= 1
    assert [one.status for one in heard] == [200, 200]
    assert call["sha256"] == sha(heard[1].body)


async def test_more_than_promised(stage: Stage) -> None:
    """Further bytes follow: past the promised length, or in chunks without one."""
    past = stage.call("longer", "recording", extra=500)
    chunked = stage.call("longer-chunked", "recording", extra=500)
    for call in (past, chunked):
        heard = await stage.ask("recording", call)
        assert call["bytes"] + 500 == len(heard.body)
        assert call["sha256"] == sha(heard.body[:-500])
        promised = heard.headers.get("content-length")
        assert promised == (str(call["bytes"]) if call is past else None)


async def test_an_answer_without_end(stage: Stage) -> None:
    """An oversized answer is sound JSON, followed by more blanks than anybody should read."""
    call = stage.call("oversized", "call", bytes=2_000_000)
    heard = await stage.ask("call", call)
    assert len(heard.body) > 2_000_000
    assert call["sid"] == json.loads(heard.body)["Call"]["Sid"]


@pytest.mark.parametrize("where", ["call", "recording"])
async def test_a_bomb(stage: Stage, where: str) -> None:
    """A compressed body is a thousand times as large when it is unpacked."""
    heard = await stage.ask(where, stage.call("gzip-bomb", where, bytes=5_000_000))
    assert heard.headers["content-encoding"] == "gzip"
    assert len(heard.body) < 6_000
    assert len(gzip.decompress(heard.body)) == 5_000_000


async def test_who_follows_a_redirect_is_noticed() -> None:
    """A redirect leads to another name; credentials that come along are counted."""
    with staged("--calls", "3", "--mix", "clean") as stage:
        locations = []
        for where in ("call", "recording"):
            heard = await stage.ask(where, stage.call("redirect", where))
            assert heard.status == 302
            locations.append(heard.headers["location"])
        assert all(place.startswith("http://localhost:") for place in locations)
        heard = await ask(locations[0], credentials=False)
        assert (heard.status, b"elsewhere" in heard.body) == (200, True)
        _, before = stage.control("GET", "stats")
        await ask(locations[1])
        _, after = stage.control("GET", "stats")
    assert (before["elsewhere"], after["elsewhere"]) == ({"200": 1}, {"200": 2})
    assert (before["misplaced_credentials"], after["misplaced_credentials"]) == (0, 1)


async def test_a_redirect_to_the_other_host(stage: Stage) -> None:
    """Each of both hosts sends to the other one, where the recording opens in that host's way."""
    call = next(stage.calls)
    presigned = await stage.presigned(call)
    stage.spoil({"kind": "redirect-other", "sid": call["sid"], "times": 2})
    to_storage = (await stage.ask("recording", call)).headers["location"]
    to_recording = (await ask(presigned, credentials=False)).headers["location"]
    heard = (await ask(to_storage, credentials=False), await ask(to_recording))
    assert [call["sha256"]] * 2 == [sha(one.body) for one in heard]


async def test_a_fault_in_a_range(stage: Stage) -> None:
    """A part of a recording is spoilt as the whole is; what was asked for stays in place."""
    call = stage.call("truncated", "recording")
    heard = await stage.ask("recording", call, extra="Range: bytes=1000-2999\r\n")
    assert (heard.status, len(heard.body)) == (206, 1_000)
    assert f"bytes 1000-2999/{call['bytes']}" == heard.headers["content-range"]
