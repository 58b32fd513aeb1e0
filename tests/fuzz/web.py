"""Odd and hostile requests to a real ``callvault web``: it stays up, bounded, and keeps the rest.

``python -m tests.fuzz.web --seconds 60`` is the long form; a short one is among the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tests.provider import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET: Final = "fuzz-secret-77ab01c5"
MARK: Final = "zq9mark"
"""Stands in requests; no answer and no line of the log may have it."""
RIGHT_STATUSES: Final = frozenset(
    {200, 400, 401, 404, 405, 408, 411, 413, 414, 415, 417, 429, 431, 501, 503, 505}
)
MOST_GROWTH_MIB: Final = 96
_ANSWER_S: Final = 20.0
_PATIENCE_S: Final = 0.5
"""How long a request may wait whose own length says that more of it will come."""
_SLOW: Final = 40
_SIDE_BY_SIDE: Final = 8
_PATH: Final = f"/hook/main/{SECRET}"
_BODIES: Final = (
    ("application/x-www-form-urlencoded", f"CallSid={{sid}}&Status={MARK}&Legs[0][Id]=1"),
    ("application/json", f'{{{{"CallSid": "{{sid}}", "Legs": [{{{{"Id": "{MARK}"}}}}]}}}}'),
    (
        "multipart/form-data; boundary=b",
        '--b\r\nContent-Disposition: form-data; name="CallSid"\r\n\r\n{sid}\r\n--b--\r\n',
    ),
)
_ODD: Final = (
    *(b"\0", b"\xff\xfe", b"\r\n", b"\r\n\r\n", b"%", b"%00", b"%zz", b"..%2f", b"\xed\xa0\x80"),
    *(b"&" * 300, b"[" * 5_000, b'{"a":' * 5_000, b"9" * 5_000, b"1e999", b"A" * 9_000),
    *(b"&CallSid[]=", b"=?utf-8?q?=", b"Transfer-Encoding: chunked\r\n", b"Content-Length: -1\r\n"),
    *(f"<{MARK}>".encode(), b"\r\nX-Odd\x01: 1\r\n", b"https://recordings.exotel.com.evil/"),
)


class Server:
    """A real server as its own process."""

    def __init__(self, home: Path, process: subprocess.Popen[str], address: str) -> None:
        self.home = home
        self.process = process
        self.host, self.port = urlsplit(address).hostname or "", urlsplit(address).port or 0

    def resident_mib(self) -> float:
        """Return how much memory it takes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in text.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def known(self) -> set[str]:
        """Return the calls that the catalog has."""
        with closing(sqlite3.connect(self.home / "state" / "catalog.db", timeout=30)) as line:
            return {row[0] for row in line.execute("SELECT sid FROM calls")}

    def log(self) -> str:
        """Return what it logged."""
        return (self.home / "web.log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """Run ``callvault web``, and end it with SIGTERM."""
    config = write_config(
        home / "config.toml",
        accounts={"main": {"sid": "acme1"}},
        web={"port": 0, "per_second": 5_000},
        log={"level": "debug", "format": "json"},
    )
    code = "from worker.cli import main; main()"
    with (home / "web.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-P", "-c", code, "--config", config, "web"],
            env={**os.environ, "EXOTEL_WEBHOOK_SECRET": SECRET},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said.startswith("listening on "), (home / "web.log").read_text(encoding="utf-8")
        yield Server(home, process, said.removeprefix("listening on ").strip())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


def request_of(body: bytes, kind: str, *, path: str = _PATH, method: str = "POST") -> bytes:
    """Return a request as it goes over the wire."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def hostile(dice: random.Random) -> bytes:
    """Return a request that was a callback once."""
    kind, form = dice.choice(_BODIES)
    body = form.format(sid=f"{dice.getrandbits(128):032x}").encode()
    if dice.random() < 0.5:
        # The head stays right, so that what is odd comes as far as the reading of the body.
        kind = dice.choice([kind, "", f"x/{MARK}", "application/json", "multipart/form-data"])
        return request_of(_spoilt(dice, body), kind)
    draw = dice.random()
    if draw < 0.1:
        return request_of(body * dice.choice([300, 3_000, 30_000]), kind)
    if draw < 0.2:
        query = body.decode().replace(" ", "+").replace("\r\n", "")
        return _spoilt(dice, request_of(b"", kind, path=f"{_PATH}?{query}", method="GET"))
    if draw < 0.3:
        method = dice.choice(["HEAD", "PUT", "OPTIONS", "TRACE", MARK, "POST"])
        return request_of(body, kind, path=f"/{MARK}/..//{SECRET}", method=method)
    return _spoilt(dice, request_of(body, kind))


def _spoilt(dice: random.Random, text: bytes) -> bytes:
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        end = min(len(text), at + dice.randint(1, 40))
        change = dice.randrange(4)
        if change == 0:
            text = text[:at] + dice.choice(_ODD) + text[at:]
        elif change == 1:
            text = text[:at] + text[end:]
        elif change == 2:
            text = text[:end] + text[at:end] * dice.randint(1, 200) + text[end:]
        else:
            text = text[:at] + dice.randbytes(end - at) + text[end:]
    return text


async def ask(server: Server, request: bytes, *, within_s: float = _ANSWER_S) -> bytes:
    """Send a request; return what is answered, nothing where it is waited for more of it."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    answer = b""
    try:
        async with asyncio.timeout(within_s):
            with suppress(ConnectionError):  # it may refuse before it has read all
                writer.write(request)
                await writer.drain()
            while more := await reader.read(2**16):
                answer += more
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer


def check(request: bytes, answer: bytes) -> int:
    """Return the status of an answer (0: none), which must be one that a request may have."""
    told = f"{request[:2_000]!r} was answered {answer[:2_000]!r}"
    if not answer:
        return 0
    assert answer.startswith(b"HTTP/"), told
    status = int(answer[9:12])
    assert status in RIGHT_STATUSES, told
    assert MARK.encode() not in answer, told
    assert SECRET.encode() not in answer, told
    return status


async def fuzz(server: Server, seed: str, *, seconds: float, most: int) -> Counter[int]:
    """Be hostile for so long or so often; return how often each status was answered.

    Raises:
        AssertionError: something does not hold.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up troubles
    until = time.monotonic() + seconds
    statuses: Counter[int] = Counter()
    good: set[str] = set()
    slow = [await _slow(server, dice) for _ in range(_SLOW)]
    before = server.resident_mib()
    while time.monotonic() < until and statuses.total() < most:
        requests = [hostile(dice) for _ in range(_SIDE_BY_SIDE)]
        answers = await asyncio.gather(
            *(ask(server, request, within_s=_PATIENCE_S) for request in requests)
        )
        statuses.update(map(check, requests, answers))
        sid = f"{len(good):028d}good"
        right = request_of(f"CallSid={sid}".encode(), "")
        assert check(right, await ask(server, right)) == 200, "a right callback was not kept"
        good.add(sid)
    for writer in slow:
        writer.close()
    assert server.process.poll() is None
    grown = server.resident_mib() - before
    assert grown < MOST_GROWTH_MIB, f"it takes {grown:.0f} MiB more than before"
    async with asyncio.timeout(_ANSWER_S):
        while not good <= await asyncio.to_thread(server.known):  # noqa: ASYNC110 - another's file
            await asyncio.sleep(0.05)
    for word in (MARK, SECRET):
        assert word not in server.log(), [line for line in server.log().split("\n") if word in line]
    return statuses


async def _slow(server: Server, dice: random.Random) -> asyncio.StreamWriter:
    """Send a part of a request, and leave it at that."""
    _, writer = await asyncio.open_connection(server.host, server.port)
    request = request_of(b"CallSid=" + b"a" * 32, "")
    writer.write(request[: dice.randrange(1, len(request))])
    return writer


def main() -> int:
    """Fuzz; return 0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.web", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", default=f"{time.time_ns()}", help="repeats a run")
    chosen = parser.parse_args()
    sys.stdout.write(f"seed {chosen.seed}\n")
    with (
        tempfile.TemporaryDirectory(prefix="callvault-fuzz-web-") as folder,
        serving(Path(folder)) as server,
    ):
        before = server.resident_mib()
        try:
            run = fuzz(server, chosen.seed, seconds=chosen.seconds, most=10**9)
            statuses = asyncio.run(run)
        except AssertionError as error:
            sys.stdout.write(f"{error}\n")
            return 1
        after = server.resident_mib()
    told = ", ".join(f"{status or 'closed'}: {count}" for status, count in sorted(statuses.items()))
    sys.stdout.write(f"all held: {statuses.total()} requests ({told})\n")
    sys.stdout.write(f"memory: {before:.0f} MiB before, {after:.0f} MiB after\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
