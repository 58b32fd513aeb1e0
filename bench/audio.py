"""CPU of the look at a recording's audio, beside hashing and fetching the same bytes.

The recordings are the sandbox's (one bit rate) and as many bytes of frames whose bit rate changes.
Fetching is `archive.fetch` from the sandbox over loopback: HTTP, SHA-256, and the part file of what
is large; the server is another process, and not in the figure. The look is what follows it:
`look_at_head` and `sample`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

from archive.accounts import Account, Credentials
from archive.audio import look_at_head
from archive.body import BLOCK, HEAD
from archive.fetch import Fetcher
from archive.frames import sample, walk
from archive.mpeg import parse_frame
from archive.outbound import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIZES: Final = ("129KB", "961KB", "9600KB")
_ROUNDS: Final = 30


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=60)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}")
    print("µs of CPU each; the look's share is of fetching, medians of rounds")
    heads = ("bytes", "fetch", "sha256", "walk", "look", "share", "varying", "share")
    print(f"{heads[0]:>10}" + "".join(f"{head:>10}" for head in heads[1:]))
    for size in _SIZES:
        with tempfile.TemporaryDirectory(prefix="callvault-bench-") as folder:
            _measure(Path(folder), size, chosen.calls)


def _measure(folder: Path, size: str, calls: int) -> None:
    with _sandbox(size, calls) as told:
        fetch_us, body = asyncio.run(_fetch(told, folder))
    path = folder / "a.mp3"
    path.write_bytes(body)
    sha = _cpu_us(lambda: hashlib.sha256(body).digest())
    walked = _cpu_us(lambda: walk(path))
    look = _cpu_us(lambda: _look(body, path))
    varying = _varying(len(body))
    path.write_bytes(varying)
    other = _cpu_us(lambda: _look(varying, path))
    figures = f"{fetch_us:>10,.0f}{sha:>10,.0f}{walked:>10,.0f}"
    looks = "".join(f"{each:>10,.0f}{each / fetch_us:>10.1%}" for each in (look, other))
    print(f"{len(body):>10,}{figures}{looks}")


def _look(body: bytes, path: Path) -> None:
    """Look at a recording as a download does: at the body if it is small, else at its file."""
    facts = look_at_head(body[:HEAD], len(body))
    assert not sample(facts, body if len(body) < BLOCK else path).damage


def _cpu_us(work: Callable[[], object]) -> float:
    """Return the median of the CPU time of some work, in microseconds."""
    took = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        work()
        took.append(time.thread_time() - began)
    return statistics.median(took) * 1e6


async def _fetch(told: dict[str, Any], folder: Path) -> tuple[float, bytes]:
    """Fetch recordings one after another; return the CPU of each in microseconds, and one."""
    account = Account(
        name="bench",
        sid=told["account"],
        api_base=told["api_base"],
        recording_hosts=(told["recording_host"],),
    )
    credentials = Credentials("sandbox-key", "sandbox-token")
    calls = await asyncio.to_thread(_truth, told)
    urls = [f"http://{told['recording_host']}{call['url_path']}" for call in calls]
    part = folder / "part"
    async with open_session(accounts=[account], environment={}, connections=4) as session:
        fetcher = Fetcher(
            session=session, account=account, credentials=credentials, window=timedelta()
        )
        took, body = [], b""
        for url in urls:
            began = time.process_time()
            fetched = await fetcher.fetch(url, part, age=None)
            took.append(time.process_time() - began)
            body = fetched.body or part.read_bytes()
            part.unlink(missing_ok=True)
    return statistics.median(took) * 1e6, body


def _truth(told: dict[str, Any]) -> list[dict[str, Any]]:
    with urlopen(f"{told['api_base']}/sandbox/truth") as answer:
        return [json.loads(line) for line in answer]


@contextmanager
def _sandbox(size: str, calls: int) -> Iterator[dict[str, Any]]:
    command = [
        *(sys.executable, "-m", "sandbox", "--mix", "clean", "--until-stdin-closes"),
        *("--calls", str(calls), "--bytes", size, "--format", "mp3", "--rate-limit", "0"),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def _varying(size: int) -> bytes:
    """Return about so many bytes of frames, no two of which in a row have one bit rate."""
    frames = []
    for index in range(5, 10):
        header = bytes((0xFF, 0xFB, index << 4, 0xC0))
        frame = parse_frame(header)
        assert frame is not None
        frames.append(header.ljust(frame.length, b"\x55"))
    cycle = b"".join(frames)
    return cycle * (size // len(cycle))


if __name__ == "__main__":
    main()
