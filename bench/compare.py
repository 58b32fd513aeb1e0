"""Recordings per second and CPU per recording, beside ``curl --parallel`` in one run.

Both fetch the same recordings from the sandbox, in turns. curl gets the URLs for nothing (resolved
beforehand) and keeps no catalog, flushes nothing and checks nothing; ``sha256sum`` runs after it.
callvault does all that it does by default. Figures are of whole processes, as the system accounts
for them; the server's own work is not in them, though it shares the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KEY: Final = "sandbox-key:sandbox-token"


class Round(NamedTuple):
    """One run: wall seconds and CPU seconds (user and system) of all its processes."""

    wall_s: float
    cpu_s: float


def main() -> None:
    """Run the comparison and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--bytes", default="129KB")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="callvault-bench-") as folder:
        home = Path(folder)
        with _sandbox(home, chosen.calls, chosen.bytes) as told:
            _warm_up(home, told)
            rounds: dict[str, list[Round]] = {"curl --parallel + sha256sum": [], "callvault": []}
            for _ in range(chosen.rounds):
                rounds["curl --parallel + sha256sum"].append(_timed(lambda: _curl(home)))
                rounds["callvault"].append(_timed(lambda: _callvault(home, told)))
    _print(rounds, chosen.calls, chosen.bytes)


def _print(rounds: dict[str, list[Round]], calls: int, size: str) -> None:
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True)
    print(f"{calls} recordings of {size}; {os.cpu_count()} cores {platform.machine()}, ")
    print(f"Python {platform.python_version()}, {curl.stdout.split(' (')[0]}; medians of rounds")
    print(f"{'':30}{'recordings/s':>14}{'ms CPU each':>14}{'spread of wall':>20}")
    base = 0.0
    for name, done in rounds.items():
        wall = statistics.median(r.wall_s for r in done)
        cpu = statistics.median(r.cpu_s for r in done)
        spread = f"{min(r.wall_s for r in done):.1f}-{max(r.wall_s for r in done):.1f} s"
        print(f"{name:30}{calls / wall:>14,.0f}{1000 * cpu / calls:>14.2f}{spread:>20}")
        base = base or wall
        print(f"{'':30}{f'x {base / wall:.2f}':>14}")


def _timed(work: Callable[[], None]) -> Round:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    work()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Round(wall, cpu)


@contextmanager
def _sandbox(home: Path, calls: int, size: str) -> Iterator[dict[str, Any]]:
    command = [
        *(sys.executable, "-m", "sandbox", "--mix", "clean", "--until-stdin-closes"),
        *("--calls", str(calls), "--bytes", size, "--write-cdr", str(home / "export.csv")),
        *("--rate-limit", "0"),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def _warm_up(home: Path, told: dict[str, Any]) -> None:
    """Write curl's list of URLs, and let the server hash each body once for its ETag."""
    with urllib.request.urlopen(f"{told['api_base']}/sandbox/truth") as answer:
        calls = [json.loads(line) for line in answer]
    lines = []
    for call in calls:
        lines.append(f'url = "http://{told["recording_host"]}{call["url_path"]}"')
        lines.append(f'output = "{home}/curl/{call["sid"]}.mp3"')
    (home / "urls").write_text("\n".join(lines))
    (home / "netrc").write_text(f"default login {_KEY.replace(':', ' password ')}\n")
    _curl(home)


def _curl(home: Path) -> None:
    shutil.rmtree(home / "curl", ignore_errors=True)
    (home / "curl").mkdir()
    command = ["curl", "--parallel", "--parallel-max", "64", "--silent", "--no-progress-meter"]
    command += ["--fail"]
    command += ["--netrc-file", str(home / "netrc"), "--config", str(home / "urls")]
    subprocess.run(command, check=True)
    with (home / "sums").open("w") as sums:
        files = sorted(str(path) for path in (home / "curl").iterdir())
        subprocess.run(["sha256sum", *files], stdout=sums, check=True)


def _callvault(home: Path, told: dict[str, Any]) -> None:
    for name in ("recordings", "state"):
        shutil.rmtree(home / name, ignore_errors=True)
    (home / "config.toml").write_text(
        f'[accounts.bench]\nsid = "{told["account"]}"\napi_base = "{told["api_base"]}"\n'
        f'recording_hosts = ["{told["recording_host"]}"]\n'
        f"requests_per_minute = 100000\n"
    )
    key, token = _KEY.split(":")
    environment = {**os.environ, "EXOTEL_API_KEY": key, "EXOTEL_API_TOKEN": token}
    code = "from worker.cli import main; main()"
    base = [sys.executable, "-c", code, "--config", str(home / "config.toml")]
    subprocess.run(
        [*base, "run", str(home / "export.csv"), "--drain", "--json", "--no-progress"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


if __name__ == "__main__":
    main()
