"""How soon recordings are on disk after they became ready, by one real run with time pressed.

The sandbox lets calls end at an even pace, and its minutes last a few seconds. The real ``callvault
work`` runs beside it with the readiness settings pressed alike. What is told is how long after the
sandbox's own ``ready_at`` each recording was archived, and the requests that this took.

Not pressed are the time that a request, a download and a flush take, the 0.2 s between two looks of
the dispatcher, and the 2.5 s that a batch waits to be filled. So delays come out longer than they
are: at 3 s for a minute each real 0.2 s counts as 4 s, at 1 s for a minute as 12 s. Many calls a
minute keep out the waiting for a full batch. Where looks come late, there are fewer of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archive.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILLING: Final = 70
_MINUTE_S: Final = 60
_LEAST_BYTES: Final = "112KB"
"""Seven seconds of MP3: shorter calls would be too short to be recorded."""
_CALLS_A_SECOND: Final = 300
"""How many calls the sandbox can tell the truth of, in a second."""
_ENVIRONMENT: Final = {"EXOTEL_API_KEY": "sandbox-key", "EXOTEL_API_TOKEN": "sandbox-token"}
_UNANSWERED: Final = frozenset({"no-answer", "busy", "failed", "canceled", "inbound-unanswered"})


def main() -> None:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--minute", type=float, default=3.0, help="real seconds of a minute")
    parser.add_argument("--per-minute", type=int, default=200, help="calls a (pressed) minute")
    parser.add_argument("--minutes", type=int, default=20, help="what is measured")
    parser.add_argument("--filling", type=int, default=_FILLING, help="minutes before that")
    chosen = parser.parse_args()
    calls = chosen.per_minute * (chosen.filling + chosen.minutes)
    begin = datetime.now(UTC) + timedelta(seconds=20 + calls / _CALLS_A_SECOND)
    span_s = (chosen.filling + chosen.minutes) * chosen.minute
    steady = begin + timedelta(seconds=chosen.filling * chosen.minute)
    end = begin + timedelta(seconds=span_s)
    with tempfile.TemporaryDirectory(prefix="callvault-live-") as folder:
        home = Path(folder)
        with _sandbox(chosen.minute, calls, begin, span_s) as told:
            truth = _asked(told, "truth").splitlines()
            known = [json.loads(line) for line in truth]
            _write_export(home / "export.csv", known)
            _write_config(home, told, chosen.minute)
            subprocess.run([*_command(home), "enqueue", "cdr", home / "export.csv"], check=True)
            late_s = (datetime.now(UTC) - begin).total_seconds()
            print(f"calls begin {'since' if late_s > 0 else 'in'} {abs(late_s):.0f} s", flush=True)
            requests = _work(home, told, steady, end)
        _print(home, known, steady, end, requests, chosen.minute)


@contextmanager
def _sandbox(minute: float, calls: int, begin: datetime, span_s: float) -> Iterator[dict[str, Any]]:
    command = [
        *(sys.executable, "-m", "sandbox", "--until-stdin-closes", "--rate-limit", "0"),
        *(
            "--minute",
            f"{minute}",
            "--calls",
            f"{calls}",
            "--bytes",
            _LEAST_BYTES,
            "--format",
            "mp3",
        ),
        *("--start", begin.isoformat(), "--span", f"{span_s}s"),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _asked(told: Mapping[str, Any], what: str) -> bytes:
    with urllib.request.urlopen(f"{told['api_base']}/sandbox/{what}") as answer:
        body: bytes = answer.read()
        return body


def _write_export(path: Path, known: list[dict[str, Any]]) -> None:
    """Write an export of all calls, also of those to come: each is then known at its end."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("CallSid", "StartTime", "EndTime", "Status", "ConversationDuration"))
        for call in known:
            talked = 0 if call["kind"] in _UNANSWERED else round(call["seconds"])
            times = (call["started_at"], call["ended_at"])
            rows.writerow((call["sid"], *times, call["status"], talked))


def _write_config(home: Path, told: Mapping[str, Any], minute: float) -> None:
    usual, pressed = Readiness(), minute / _MINUTE_S
    readiness = "\n".join(
        f'{name} = "{getattr(usual, name).total_seconds() * pressed:.3f}s"'
        for name in ("first_look", "window", "recheck", "give_up_after")
    )
    (home / "config.toml").write_text(
        f'[accounts.live]\nsid = "{told["account"]}"\napi_base = "{told["api_base"]}"\n'
        f'recording_hosts = ["{told["recording_host"]}"]\n'
        f'storage_hosts = ["{told["storage_host"]}"]\n'
        f"requests_per_minute = 100000\n[readiness]\n{readiness}\n",
        encoding="utf-8",
    )


def _command(home: Path) -> list[str | Path]:
    os.environ.update(_ENVIRONMENT)
    code = "from worker.cli import main; main()"
    return [sys.executable, "-P", "-c", code, "--config", home / "config.toml"]


def _work(home: Path, told: Mapping[str, Any], steady: datetime, end: datetime) -> int:
    """Run the workers until the last call has ended; return the requests of the steady time."""
    with (home / "work.log").open("wb") as log:
        working = subprocess.Popen([*_command(home), "work"], stdout=log, stderr=log)
    try:
        _sleep_until(steady)
        before = json.loads(_asked(told, "stats"))["api_requests"]
        _sleep_until(end)
        return int(json.loads(_asked(told, "stats"))["api_requests"] - before)
    finally:
        working.send_signal(signal.SIGTERM)
        working.wait()


def _sleep_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def _print(
    home: Path,
    known: list[dict[str, Any]],
    steady: datetime,
    end: datetime,
    requests: int,
    minute: float,
) -> None:
    """Tell of the recordings that were archived in the steady time."""
    ready = {
        call["sid"]: datetime.fromisoformat(call["ready_at"]) for call in known if call["ready_at"]
    }
    with closing(sqlite3.connect(home / "state" / "catalog.db")) as catalog:
        rows = catalog.execute("SELECT sid, archived_ms FROM recordings").fetchall()
    archived = {sid: datetime.fromtimestamp(ms / 1000, UTC) for sid, ms in rows}
    pressed = minute / _MINUTE_S
    delays = sorted(
        (moment - ready[sid]).total_seconds() / pressed
        for sid, moment in archived.items()
        if steady <= moment < end
    )
    twentieths = statistics.quantiles(delays, n=20)
    print(f"a minute lasts {minute:g} s; delays are told in the seconds of its sixty")
    print(f"{len(delays)} recordings, {requests} requests in the measured time")
    print(f"{1000 * requests / len(delays):.1f} requests per 1,000 recordings")
    print(f"on disk after ready: median {twentieths[9]:.1f} s, 95 % within {twentieths[18]:.1f} s")
    for bound in (10, 20, 30, 60):
        share = sum(delay <= bound for delay in delays) / len(delays)
        print(f"within {bound} s ({bound * pressed:.2f} real): {share:.1%}")
    print(f"before it was ready: {sum(delay < 0 for delay in delays)}")


if __name__ == "__main__":
    main()
