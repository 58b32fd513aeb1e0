"""How fast callbacks are answered, and whether any is lost, with the catalog locked for a while.

The real ``callvault web`` runs as its own process. This one sends callbacks in all their shapes at
an even pace, whether or not earlier ones were answered; an answer's time counts from when its
callback was due to be sent. In the middle a third process holds the catalog's lock. In the end the
catalog is asked for every call whose callback was answered with 200.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRET: Final = "bench-secret-1f0c6e22"  # noqa: S105 - made up, of a server that lives for the run
_TAKEN_IN_S: Final = 60
_ANSWER_S: Final = 15
"""How long the provider waits for an answer."""
_HOLDER: Final = """
import sqlite3, sys, time
line = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
line.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
line.execute("ROLLBACK")
"""


class Answer(NamedTuple):
    """What came of a callback: status or error, and when it was due and answered, in seconds."""

    outcome: str
    due: float
    at: float


class Run(NamedTuple):
    """What came of all callbacks, by Sid, and between when and when the catalog was locked."""

    answers: dict[str, Answer]
    locked: tuple[float, float]


def main() -> int:
    """Run, print the figures, and return 1 if a callback was lost or not answered."""
    parser = argparse.ArgumentParser(prog="python -m bench.callbacks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0, help="callbacks a second")
    parser.add_argument("--locked", type=float, default=5.0, help="seconds in the middle")
    chosen = parser.parse_args()
    count = round(chosen.seconds * chosen.rate)
    with tempfile.TemporaryDirectory(prefix="callvault-callbacks-") as folder:
        home = Path(folder)
        catalog = home / "state" / "catalog.db"
        with _server(home) as (address, process):
            before = _resident_mib(process.pid)
            run = asyncio.run(_send(address, catalog, count, chosen.rate, chosen.locked))
            after = _resident_mib(process.pid)
            answered = {sid for sid, answer in run.answers.items() if answer.outcome == "200"}
            waited = _wait_for(catalog, answered)
            lost = answered - _known(catalog)
        _print(run, len(answered), len(lost), waited)
        print(f"memory of the server: {before:.0f} MiB before, {after:.0f} MiB after")
    return 1 if lost or len(answered) < count else 0


@contextmanager
def _server(home: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    config = home / "config.toml"
    config.write_text('[accounts.main]\nsid = "acme1"\n[web]\nport = 0\n', encoding="utf-8")
    code = "from worker.cli import main; main()"
    environment = {**os.environ, "EXOTEL_WEBHOOK_SECRET": _SECRET}
    with (home / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, "--config", config, "web"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        if not said.startswith("listening on "):
            raise SystemExit((home / "web.log").read_text(encoding="utf-8"))
        yield said.removeprefix("listening on ").strip(), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


async def _send(address: str, catalog: Path, count: int, rate: float, locked: float) -> Run:
    answers: dict[str, Answer] = {}
    wait = aiohttp.ClientTimeout(total=_ANSWER_S)
    async with aiohttp.ClientSession(timeout=wait) as session, asyncio.TaskGroup() as group:
        begin = time.perf_counter()
        locking = group.create_task(_lock(catalog, (count / rate - locked) / 2, locked))
        for number in range(count):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(_one(session, address, number, due, answers))
    return Run(answers, locking.result())


async def _lock(catalog: Path, after: float, seconds: float) -> tuple[float, float]:
    """Hold the catalog's lock in another process; return from when to when it was held."""
    await asyncio.sleep(max(0.0, after))
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLDER, catalog, f"{seconds}", stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    await holder.stdout.readline()
    since = time.perf_counter()
    if await holder.wait():
        raise SystemExit("the catalog could not be locked")
    return since, time.perf_counter()


async def _one(
    session: aiohttp.ClientSession,
    address: str,
    number: int,
    due: float,
    answers: dict[str, Answer],
) -> None:
    sid = f"{number:028d}197m"
    url = f"{address}/hook/main/{_SECRET}"
    try:
        async with session.request(url=url, **_shape(number, sid)) as answer:
            await answer.read()
            outcome = f"{answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        outcome = type(error).__name__
    answers[sid] = Answer(outcome, due, time.perf_counter())


def _shape(number: int, sid: str) -> dict[str, Any]:
    """Return a callback of the provider in one of its shapes, all in turn."""
    fields = {
        "CallSid": sid,
        "Status": "completed",
        "StartTime": "2026-01-05 10:00:00",
        "EndTime": "2026-01-05 10:01:00",
        "From": "09800000001",
        "Legs[0][OnCallDuration]": "41",
        "RecordingUrl": f"https://recordings.exotel.com/exotelrecordings/acme1/{sid}.mp3",
    }
    if number % 4 == 0:
        form = aiohttp.FormData(fields, default_to_multipart=True)
        return {"method": "POST", "data": form}
    if number % 4 == 1:
        return {"method": "POST", "data": fields}
    if number % 4 == 2:  # noqa: PLR2004 - the third of four
        body = json.dumps({**fields, "Legs": [{"OnCallDuration": "41"}]})
        return {"method": "POST", "data": body, "headers": {"Content-Type": "application/json"}}
    return {"method": "GET", "params": {**fields, "EndTime": "1970-01-01 05:30:00", "To": "null"}}


def _wait_for(catalog: Path, sids: set[str]) -> float:
    """Wait until the catalog knows them all, but not for ever; return the seconds."""
    begin = time.perf_counter()
    while not sids <= _known(catalog) and time.perf_counter() - begin < _TAKEN_IN_S:
        time.sleep(0.05)
    return time.perf_counter() - begin


def _known(catalog: Path) -> set[str]:
    with closing(sqlite3.connect(catalog, timeout=30)) as line:
        return {row[0] for row in line.execute("SELECT sid FROM calls")}


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _print(run: Run, answered: int, lost: int, waited: float) -> None:
    answers, (since, until) = run.answers.values(), run.locked
    delays = [1000 * (answer.at - answer.due) for answer in answers]
    hundredths = statistics.quantiles(delays, n=100)
    counts = sorted(Counter(answer.outcome for answer in answers).items())
    outcomes = ", ".join(f"{outcome}: {count}" for outcome, count in counts)
    during = sum(since <= answer.at < until for answer in answers)
    print(f"sent {len(delays)}, answered with 200 {answered}, lost {lost} ({outcomes})")
    print(f"the catalog was locked for {until - since:.1f} s, in which {during} were answered")
    print(
        f"answered after: median {hundredths[49]:.1f} ms, p99 {hundredths[98]:.1f} ms, "
        f"at most {max(delays):.1f} ms"
    )
    print(f"all in the catalog {waited:.2f} s after the last answer")


if __name__ == "__main__":
    sys.exit(main())
