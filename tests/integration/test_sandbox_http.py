"""The stand-in as a real process over real HTTP."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
RIGHT = {"Authorization": aiohttp.encode_basic_auth("a-key", "a-token")}
WRONG = {"Authorization": aiohttp.encode_basic_auth("a-key", "nonsense")}
ENDS_WITHIN = 20

Start = Callable[..., "Running"]


@dataclass(frozen=True)
class Running:
    """A stand-in that is running: its process and what it printed."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def api(self) -> str:
        """Give the address of the account's calls."""
        return f"{self.ready['api_base']}/v1/Accounts/sandbox1/Calls"

    def control(self, path: str) -> str:
        """Give an address of the control side."""
        return f"{self.ready['api_base']}/sandbox/{path}"


def command(*options: str) -> list[str]:
    """Write the command line."""
    return [sys.executable, "-m", "sandbox", *options]


def environment() -> dict[str, str]:
    """Give the environment with the credentials."""
    return {**os.environ, "SANDBOX_KEY": "a-key", "SANDBOX_TOKEN": "a-token"}


@contextmanager
def running(*options: str) -> Iterator[Running]:
    """Start a stand-in and end it by closing its standard input."""
    with subprocess.Popen(  # noqa: S603 - our own command
        command("--until-stdin-closes", *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        yield Running(process, json.loads(process.stdout.readline()))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session."""
    async with aiohttp.ClientSession() as session:
        yield session


async def lines(http: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    """Read JSON lines."""
    async with http.get(url) as answer:
        return [json.loads(line) async for line in answer.content]


async def stats(http: aiohttp.ClientSession, sandbox: Running) -> dict[str, Any]:
    """Read the counts."""
    async with http.get(sandbox.control("stats")) as answer:
        return dict(await answer.json())


async def test_every_listed_recording_has_the_bytes_of_the_truth(
    http: aiohttp.ClientSession,
) -> None:
    """Following the listing to every URL gives what the truth says, and the counts agree."""
    with running("--calls", "120", "--rate-limit", "0") as sandbox:
        truth = await lines(http, sandbox.control("truth"))
        found = {}
        uri = "/v1/Accounts/sandbox1/Calls.json?PageSize=50"
        while uri:
            async with http.get(sandbox.ready["api_base"] + uri, headers=RIGHT) as answer:
                page = await answer.json()
            uri = page["Metadata"].get("NextPageUri")
            for row in page["Calls"]:
                if row.get("RecordingUrl"):
                    found[row["Sid"]] = await _fetched(http, row["RecordingUrl"])
        counts = await stats(http, sandbox)
    expected = {line["sid"]: line["sha256"] for line in truth if line["recorded"]}
    assert expected == found
    served = sum(line["bytes"] for line in truth)
    asked = (counts["listing"], counts["recording"])
    expected_asked = ({"200": 3}, {"200": len(expected)})
    assert expected_asked == asked
    assert {"total": len(expected), "distinct": len(expected)} == counts["downloads"]
    assert counts["bytes"] > served
    assert counts["misplaced_credentials"] == 0


async def _fetched(http: aiohttp.ClientSession, url: str) -> str:
    """Fetch a recording, check what its headers promise, give its SHA-256."""
    async with http.get(url, headers=RIGHT) as answer:
        body = await answer.read()
    kind = "audio/wav" if url.endswith(".wav") else "audio/mpeg"
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    expected = (200, kind, str(len(body)), etag, "bytes")
    names = ("Content-Type", "Content-Length", "ETag", "Accept-Ranges")
    assert expected == (answer.status, *(answer.headers[name] for name in names))
    return hashlib.sha256(body).hexdigest()


async def test_a_large_recording_is_streamed_and_resumed(http: aiohttp.ClientSession) -> None:
    """A large recording comes whole, and in two parts by ranges, with the same bytes.

    With If-Range a part comes only of what is still the same.
    """
    options = ("--calls", "1", "--mix", "clean", "--format", "wav", "--bytes", "5MB")
    with running(*options) as sandbox:
        (told,) = await lines(http, sandbox.control("truth"))
        url = f"http://{sandbox.ready['recording_host']}{told['url_path']}"
        first, second = hashlib.sha256(), hashlib.sha256()
        async with http.get(url, headers=RIGHT) as answer:
            first.update(await answer.read())
        for part, place in (("0-1999999", f"0-1999999/{told['bytes']}"), ("2000000-", None)):
            async with http.get(url, headers=RIGHT | {"Range": f"bytes={part}"}) as answer:
                second.update(await answer.read())
                assert answer.status == 206
                assert place is None or answer.headers["Content-Range"] == f"bytes {place}"
        async with http.get(url, headers=RIGHT | {"Range": "bytes=5000044-"}) as refused:
            assert refused.status == 416
        for etag, status in ((answer.headers["ETag"], 206), ('"another"', 200)):
            asked = {"Range": "bytes=2000000-", "If-Range": etag}
            async with http.get(url, headers=RIGHT | asked) as answer:
                assert answer.status == status
        async with http.head(url, headers=RIGHT) as answer:
            assert answer.headers["Content-Length"] == str(told["bytes"])
    assert told["sha256"] == first.hexdigest() == second.hexdigest()


async def test_presigned_urls_open_once_asked_for_and_expire(http: aiohttp.ClientSession) -> None:
    """A presigned URL needs no credentials, refuses them, and is dead after its life."""
    options = ("--calls", "1", "--mix", "clean", "--urls", "presigned", "--minute", "0.1")
    with running(*options) as sandbox:
        query = {"RecordingUrlValidity": "5"}
        async with http.get(f"{sandbox.api}.json", params=query, headers=RIGHT) as answer:
            (row,) = (await answer.json())["Calls"]
        url = row["PreSignedRecordingUrl"]
        assert url.startswith(f"http://{sandbox.ready['storage_host']}/exotelrecordings/sandbox1/")
        statuses: list[int] = []
        refusals: list[str] = []
        async with http.get(url, headers=RIGHT) as answer:
            statuses.append(answer.status)
        async with http.get(url) as answer:
            statuses.append(answer.status)
        async with asyncio.timeout(ENDS_WITHIN):
            while not refusals:
                async with http.get(url) as answer:
                    refusals += [await answer.text()] if answer.status == 403 else []
        counts = await stats(http, sandbox)
    expected = [400, 200]
    assert expected == statuses
    assert "Request has expired" in refusals[0]
    assert counts["misplaced_credentials"] == 1


async def test_late_recordings_become_ready_while_one_waits(http: aiohttp.ClientSession) -> None:
    """A call that ended just now has its URL from the very moment the truth tells, not before."""
    options = ("--calls", "30", "--late", "3", "--minute", "1", "--rate-limit", "0")
    with running(*options) as sandbox:
        late = (await lines(http, sandbox.control("truth?from=27&to=30")))[0]
        ready_at = datetime.fromisoformat(late["ready_at"])
        url = ""
        async with asyncio.timeout(ENDS_WITHIN):
            while not url:
                asked_at = datetime.now(UTC)
                async with http.get(f"{sandbox.api}/{late['sid']}.json", headers=RIGHT) as answer:
                    url = (await answer.json())["Call"].get("RecordingUrl") or ""
                assert url or asked_at < ready_at
        assert datetime.now(UTC) >= ready_at
        async with http.get(url, headers=RIGHT) as answer:
            body = await answer.read()
    assert late["sha256"] == hashlib.sha256(body).hexdigest()


async def test_the_rate_limit_and_wrong_credentials(http: aiohttp.ClientSession) -> None:
    """Requests over the limit get 429, wrong credentials 401; both are counted until a reset."""
    with running("--calls", "5", "--rate-limit", "2") as sandbox:
        statuses = []
        for headers in (WRONG, RIGHT, RIGHT, RIGHT):
            async with http.get(f"{sandbox.api}.json", headers=headers) as answer:
                statuses.append(answer.status)
        before = await stats(http, sandbox)
        async with http.post(sandbox.control("stats/reset")) as answer:
            assert answer.status == 200
        after = await stats(http, sandbox)
    expected = [401, 200, 200, 429]
    assert expected == statuses
    expected_counts = ({"200": 2, "401": 1, "429": 1}, 4, 1)
    names = ("listing", "api_peak_per_minute", "misplaced_credentials")
    assert expected_counts == tuple(before[name] for name in names)
    assert not after["listing"]


async def test_unknown_paths_and_xml(http: aiohttp.ClientSession) -> None:
    """A path that is none is 404; without .json the answer is XML."""
    with running("--calls", "5") as sandbox:
        async with http.get(f"{sandbox.ready['api_base']}/v2/Accounts") as answer:
            unknown = answer.status
        async with http.get(sandbox.api, headers=RIGHT) as answer:
            kind, text = answer.content_type, await answer.text()
    assert unknown == 404
    assert kind == "application/xml"
    assert "<Total>5</Total>" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_at_once(http: aiohttp.ClientSession, number: int) -> None:
    """SIGTERM and SIGINT end it with exit code 0, also while connections are open."""
    with running("--calls", "5") as sandbox:
        await stats(http, sandbox)
        sandbox.process.send_signal(number)
        assert sandbox.process.wait(ENDS_WITHIN) == 0


def test_it_ends_with_who_started_it() -> None:
    """When standard input closes it ends by itself with exit code 0."""
    with running("--calls", "5") as sandbox:
        assert sandbox.process.stdin is not None
        sandbox.process.stdin.close()
        assert sandbox.process.wait(ENDS_WITHIN) == 0


def test_an_export_can_be_written_without_serving(tmp_path: Path) -> None:
    """With --no-serve the export is written, told of in one line, and that is all."""
    path = tmp_path / "calls.csv"
    options = ("--calls", "40", "--write-cdr", str(path), "--family", "dashboard", "--no-serve")
    done = subprocess.run(  # noqa: S603 - our own command
        command(*options), capture_output=True, text=True, check=True, cwd=ROOT, env=environment()
    )
    expected = {"file": str(path), "family": "dashboard", "rows": 40}
    assert expected == json.loads(done.stdout)["cdr"]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1 + 40


def test_an_export_is_written_before_it_is_ready(tmp_path: Path) -> None:
    """The export is complete when the line is printed, with the URLs that are served."""
    path = tmp_path / "calls.csv"
    with running("--calls", "40", "--write-cdr", str(path)) as sandbox:
        text = path.read_text(encoding="utf-8")
    assert sandbox.ready["cdr"]["rows"] == 40
    assert f"http://{sandbox.ready['recording_host']}/exotelrecordings/sandbox1/" in text


@pytest.mark.parametrize(
    "options",
    [
        ("--span", "long"),
        ("--bytes", "many"),
        ("--timezone", "Asia/Nowhere"),
        ("--start", "yesterday"),
        ("--late", "501"),
        ("--late", "5", "--span", "24h"),
        ("--mix", "dirty"),
    ],
)
def test_wrong_options_are_usage_errors(options: tuple[str, ...]) -> None:
    """A wrong option ends with exit code 2, one message and no traceback."""
    done = subprocess.run(  # noqa: S603 - our own command
        command(*options), capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert done.returncode == 2
    assert "Error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_message() -> None:
    """A port that cannot be had ends with plain words that name the option, and what to do."""
    with running("--calls", "5") as sandbox:
        port = sandbox.ready["api_base"].rpartition(":")[2]
        done = subprocess.run(  # noqa: S603 - our own command
            command("--port", port), capture_output=True, text=True, check=False, cwd=ROOT
        )
    assert done.returncode == 2
    expected = f"Error: --port {port} on 127.0.0.1: another program has this port\n  hint: name "
    assert done.stderr.startswith(expected)
    assert "attempting" not in done.stderr


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", "this machine has no such address\n  hint: name one of its own"),
        ("no.such.host.invalid", "no such host is known\n  hint: name one of this machine's"),
    ],
)
def test_a_host_that_is_not_this_machine_is_one_message(host: str, expected: str) -> None:
    """In plain words, by the option's name."""
    words = command("--calls", "5", "--host", host)
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - our own command
    assert done.returncode == 2
    assert expected in done.stderr
