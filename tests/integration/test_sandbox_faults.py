"""Faults of the stand-in that are whole answers, over real HTTP: errors, wrong bodies, wrong JSON.

Here is also the client that hides nothing, for the other tests of faults.
"""

import asyncio
import base64
import hashlib
import http.client
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
RIGHT = "Basic " + base64.b64encode(b"sandbox-key:sandbox-token").decode()
SIZE = 40_000
ENDS_WITHIN = 20

Told = dict[str, Any]


@dataclass
class Heard:
    """All that came back: ``ended`` is "end", "reset" or "open" (still waiting)."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: str = "end"


@dataclass(frozen=True)
class Stage:
    """A stand-in that runs, and the calls it has; each test takes calls of its own."""

    ready: Told
    calls: Iterator[Told]

    def control(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Ask the control side; give the status and what it says."""
        line = http.client.HTTPConnection(urlsplit(self.ready["api_base"]).netloc, timeout=60)
        try:
            line.request(method, f"/sandbox/{path}", None if body is None else json.dumps(body))
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            line.close()

    def spoil(self, *rules: Told) -> None:
        """Put rules in force."""
        status, said = self.control("POST", "faults", list(rules))
        assert status == 200, said

    def call(self, kind: str, where: str, **parameters: object) -> Told:
        """Take a call of one's own and spoil it."""
        call = next(self.calls)
        rule = {"kind": kind, "where": where, "sid": call["sid"], "parameters": parameters}
        self.spoil(rule)
        return call

    def url(self, where: str, call: Told) -> str:
        """Give what is asked for a call at a place."""
        calls = f"{self.ready['api_base']}/v1/Accounts/sandbox1/Calls"
        return {
            "call": f"{calls}/{call['sid']}.json?RecordingUrlValidity=5",
            "listing": f"{calls}.json?Sid={call['sid']}&RecordingUrlValidity=5",
            "recording": f"http://{self.ready['recording_host']}{call['url_path']}",
        }[where]

    async def ask(self, where: str, call: Told, **more: Any) -> Heard:  # noqa: ANN401
        """Ask for a call at a place."""
        return await ask(self.url(where, call), **more)

    async def presigned(self, call: Told) -> str:
        """Ask for the presigned URL of a call."""
        heard = await self.ask("call", call)
        return str(json.loads(heard.body)["Call"]["PreSignedRecordingUrl"])


@contextmanager
def staged(*options: str) -> Iterator[Stage]:
    """Start a stand-in and end it by closing its standard input."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SANDBOX_")}
    command = [sys.executable, "-m", "sandbox", "--until-stdin-closes", "--rate-limit", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield Stage(ready, _told(ready))


def _told(ready: Told) -> Iterator[Told]:
    """Tell the truth about one call after another."""
    for index in itertools.count():
        line = http.client.HTTPConnection(urlsplit(ready["api_base"]).netloc, timeout=60)
        line.request("GET", f"/sandbox/truth?from={index}&to={index + 1}")
        text = line.getresponse().read()
        line.close()
        yield json.loads(text)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Give a stand-in that the tests of this process share."""
    options = ("--calls", "1000", "--mix", "clean", "--bytes", str(SIZE), "--urls", "presigned")
    with staged(*options) as stage:
        yield stage


async def ask(
    url: str, *, patience: float = ENDS_WITHIN, credentials: bool = True, extra: str = ""
) -> Heard:
    """Send one request and hear what comes, for as long as ``patience`` lasts in seconds."""
    parts = urlsplit(url)
    heard = Heard()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    login = f"Authorization: {RIGHT}\r\n" if credentials else ""
    first = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    writer.write(f"{first}{login}{extra}\r\n".encode())
    raw = b""
    try:
        async with asyncio.timeout(patience):
            while chunk := await reader.read(65_536):
                raw += chunk
    except ConnectionResetError:
        heard.ended = "reset"
    except TimeoutError:
        heard.ended = "open"
    finally:
        writer.close()
    if raw:
        _read_head(heard, raw)
    return heard


def _read_head(heard: Heard, raw: bytes) -> None:
    head, _, heard.body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    heard.status = int(first.split()[1])
    heard.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
    if heard.headers.get("transfer-encoding") == "chunked":
        heard.body = _joined(heard.body)


def _joined(body: bytes) -> bytes:
    """Join the chunks of a body."""
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + rest[:length], rest[length + 2 :]
    return whole


def sha(body: bytes) -> str:
    """Give the SHA-256."""
    return hashlib.sha256(body).hexdigest()


def md5(body: bytes) -> str:
    """Give the ETag that fits."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("error-500", 500, b"Internal error"),
        ("error-502", 502, b"<html>"),
        ("error-503", 503, b'"Code":35008'),
        ("error-504", 504, b"<html>"),
        ("too-many", 429, b"Too many"),
        ("too-many-bare", 429, b"Too many"),
        ("bad-request", 400, b"Bad request"),
        ("unauthorised", 401, b"Authentication failed"),
        ("payment", 402, b"plan"),
        ("kyc", 403, b'"Code":340030'),
        ("bad-ip", 403, b"invalid ip"),
        ("not-found", 404, b"not found"),
        ("html", 200, b"<!DOCTYPE html>"),
        ("xml", 200, b"<?xml"),
        ("empty", 200, b""),
    ],
)
@pytest.mark.parametrize("where", ["call", "listing"])
async def test_errors_of_the_api(
    stage: Stage, where: str, kind: str, status: int, words: bytes
) -> None:
    """Each error of the API has its status and says what it says at the provider."""
    heard = await stage.ask(where, stage.call(kind, where))
    assert (status, True) == (heard.status, words in heard.body)
    assert bool(words) == bool(heard.body)
    expected = {"too-many": "2"}.get(kind)
    assert expected == heard.headers.get("retry-after")


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("error-500", 500, b"InternalError"),
        ("error-502", 502, b"<html>"),
        ("error-503", 503, b"ServiceUnavailable"),
        ("error-504", 504, b"<html>"),
        ("too-many", 429, b"SlowDown"),
        ("too-many-bare", 429, b"SlowDown"),
        ("bad-request", 400, b"InvalidRequest"),
        ("unauthorised", 401, b"AccessDenied"),
        ("forbidden", 403, b"Access Denied"),
        ("bad-ip", 403, b"invalid ip"),
        ("expired", 403, b"Request has expired"),
        ("not-found", 404, b"NoSuchKey"),
        ("gone", 410, b"deleted"),
        ("range", 416, b"InvalidRange"),
        ("html", 200, b"<!DOCTYPE html>"),
        ("xml", 200, b"<?xml"),
        ("json", 200, b'{"error"'),
        ("empty", 200, b""),
    ],
)
async def test_errors_of_the_recording_hosts(
    stage: Stage, kind: str, status: int, words: bytes
) -> None:
    """Each error of both hosts has its status and its body."""
    call = stage.call(kind, "hosts", **({"retry_after": 7} if kind == "too-many" else {}))
    presigned = await stage.presigned(call)
    expected = {"too-many": "7"}.get(kind)
    for heard in (await stage.ask("recording", call), await ask(presigned, credentials=False)):
        assert (status, True) == (heard.status, words in heard.body)
        assert bool(words) == bool(heard.body)
        assert expected == heard.headers.get("retry-after")


@pytest.mark.parametrize(
    ("kind", "variant", "expected"),
    [
        ("json-types", "list", "[{"),
        ("json-types", "text", '"OK"'),
        ("json-types", "null", "null"),
        ("json-types", "calls", '"Calls":{"0":'),
        ("json-types", "metadata-text", '"Metadata":"none"'),
        ("json-types", "sid-number", '"Sid":7'),
        ("json-types", "status-list", '"Status":["completed"]'),
        ("json-types", "times-number", '"StartTime":1,"EndTime":[2]'),
        ("json-types", "duration-object", '"Duration":{"seconds":5}'),
        ("json-types", "url-object", '"RecordingUrl":{"href"'),
        ("json-fields", "empty", "{}"),
    ],
)
async def test_json_of_other_types(stage: Stage, kind: str, variant: str, expected: str) -> None:
    """Each variant is sound JSON that is not what the API promises."""
    heard = await stage.ask("listing", stage.call(kind, "listing", variant=variant))
    assert expected in heard.body.decode()
    json.loads(heard.body)


@pytest.mark.parametrize(
    ("variant", "lacks"),
    [
        ("no-calls", {"Calls"}),
        ("no-metadata", {"Metadata"}),
        ("no-sid", {"Sid"}),
        ("no-status", {"Status"}),
        ("no-times", {"StartTime", "EndTime", "DateCreated"}),
        ("no-url", {"RecordingUrl", "PreSignedRecordingUrl"}),
    ],
)
async def test_json_without_fields(stage: Stage, variant: str, lacks: set[str]) -> None:
    """Each variant lacks the fields it is named for and no others."""
    call = next(stage.calls)
    before = json.loads((await stage.ask("listing", call)).body)
    stage.spoil({"kind": "json-fields", "sid": call["sid"], "parameters": {"variant": variant}})
    after = json.loads((await stage.ask("listing", call)).body)
    rows = [doc["Calls"][0] if doc.get("Calls") else {} for doc in (before, after)]
    gone = (before.keys() - after.keys()) or (rows[0].keys() - rows[1].keys())
    assert lacks == gone


async def test_a_listing_leaves_out_blanks_and_kills_urls(stage: Stage) -> None:
    """Of the calls of a page only those named are spoilt: left out, without URL, a dead URL."""
    out, null, dead, good = (next(stage.calls) for _ in range(4))
    sids = [call["sid"] for call in (out, null, dead, good)]
    kinds = ("leave-out", "null-url", "dead-url")
    rules = [{"kind": kind, "sid": sid, "times": 1} for kind, sid in zip(kinds, sids, strict=False)]
    stage.spoil(*rules)
    url = stage.url("listing", good).replace(sids[3], ",".join(sids))
    pages = [json.loads((await ask(url)).body)["Calls"] for _ in rules]
    first, second, third = ({row["Sid"]: row for row in page} for page in pages)
    assert set(sids[1:]) == first.keys()
    assert second[sids[1]]["RecordingUrl"] is None
    assert second[sids[3]]["RecordingUrl"] == stage.url("recording", good)
    heard = [await ask(third[sid]["PreSignedRecordingUrl"], credentials=False) for sid in sids[2:]]
    assert [one.status for one in heard] == [403, 200]
    assert b"Request has expired" in heard[0].body


async def test_a_url_is_handed_out_before_the_object_exists() -> None:
    """With early-url the API gives a URL that is a 404 until the recording is ready."""
    with staged("--calls", "30", "--late", "3") as stage:
        (late,) = itertools.islice(stage.calls, 29, 30)
        before = json.loads((await stage.ask("call", late)).body)["Call"].get("RecordingUrl")
        stage.spoil({"kind": "early-url", "parameters": {"lead": 60, "rows": 1}})
        for where in ("call", "listing"):
            text = (await stage.ask(where, late)).body.decode()
            assert f'"RecordingUrl":"{stage.url("recording", late)}"' in text
        heard = await stage.ask("recording", late)
    assert not before
    assert (heard.status, b"NoSuchKey" in heard.body) == (404, True)
