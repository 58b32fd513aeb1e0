"""The real commands on a catalog: their settings, and how long they and the workers take."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import redis

from archive.catalog.counts import quick_balance
from archive.catalog.database import open_database
from bench.scale.ask import KEPT_DAYS
from bench.scale.books import ACCOUNTS
from bench.scale.timing import cpu_of, family, memory_of, resident, run

if TYPE_CHECKING:
    from pathlib import Path

    from bench.scale.places import Place
    from bench.scale.provider import Provider

_PATIENCE_S: Final = 240
_WARM: Final = 300
_LOOK_S: Final = 0.25


class Worked(NamedTuple):
    """What a run of workers did, in the time between the first recordings and the last."""

    processes: int
    first_byte_s: float
    per_s: float
    cpu_ms: float
    worker_bytes: int
    worker_rss: int
    redis_bytes: int
    redis_commands: float
    recordings: int

    def row(self) -> str:
        """Return it as a row of a table."""
        megabytes = [f"{n / 2**20:.0f}" for n in (self.worker_bytes, self.worker_rss)]
        return (
            f"| {self.processes} | {self.first_byte_s:.1f} | {self.per_s:,.0f} | {self.cpu_ms:.2f}"
            f" | {megabytes[0]} | {megabytes[1]} | {self.redis_bytes / 2**20:.1f}"
            f" | {self.redis_commands:.2f} |"
        )


class Product:
    """callvault with a catalog, in a folder of its own."""

    def __init__(self, home: Path, place: Place, api: Provider | None, processes: int = 1) -> None:
        shutil.rmtree(home, ignore_errors=True)
        self._home = home
        self._place = place
        self._api = api
        self._processes = processes
        # A catalog that knows recordings wants to see their place.
        (home / "recordings" / ".parts").mkdir(parents=True)
        accounts = "".join(
            f'[accounts.{name}]\nsid = "{name}"\nretention_days = {KEPT_DAYS}\n'
            f'api_base = "{api.api if api else "http://127.0.0.1:9"}"\n'
            f'recording_hosts = ["{api.recordings if api else "127.0.0.1:9"}"]\n'
            f"requests_per_minute = 100000\n"
            for name in ACCOUNTS
        )
        (home / "config.toml").write_text(
            f'{accounts}[catalog]\nurl = "{place.url}"\n[worker]\nprocesses = {processes}\n'
        )
        for name in ACCOUNTS:
            os.environ[f"EXOTEL_API_KEY_{name.upper()}"] = "key"
            os.environ[f"EXOTEL_API_TOKEN_{name.upper()}"] = "token"

    def command(self, *words: str) -> list[str]:
        """Return a command."""
        code = "from worker.cli import main; main()"
        return [sys.executable, "-P", "-c", code, "--config", f"{self._home}/config.toml", *words]

    def run(self, *words: str) -> str:
        """Run a command to its end."""
        return run(self.command(*words), codes=(0, 6))

    def work(self, recordings: int) -> Worked:
        """Run the workers until so many recordings have come; then stop them."""
        assert self._api is not None
        self._api.begun.write_text("")
        began, began_s = time.time(), time.perf_counter()
        with (self._home / "log").open("wb") as log:
            working = subprocess.Popen(self.command("work"), stdout=log, stderr=log)
        try:
            first = self._first_byte(began_s + _PATIENCE_S) - began
            with closing(open_database(self._place.url)) as catalog:
                with catalog.read() as tx:
                    start = quick_balance(tx).recordings
                looks = []
                while True:
                    with catalog.read() as tx:
                        come = quick_balance(tx).recordings - start
                    looks.append((time.perf_counter(), come, cpu_of(working.pid)))
                    assert looks[-1][0] < began_s + _PATIENCE_S, "no progress; see the log"
                    if come >= recordings:
                        break
                    time.sleep(_LOOK_S)
            warm = next(look for look in looks if look[1] >= min(_WARM, recordings // 4))
            done = looks[-1]
            workers = family(working.pid)
            ours = [pid for pid in workers[1:] if "worker.main" in _line(pid)]
            return Worked(
                self._processes,
                first,
                (done[1] - warm[1]) / (done[0] - warm[0]),
                1000 * (done[2] - warm[2]) / (done[1] - warm[1]),
                int(statistics.median(map(memory_of, ours))),
                int(statistics.median(map(resident, ours))),
                self._redis("memory", "used_memory"),
                self._redis("stats", "total_commands_processed") / done[1],
                done[1],
            )
        finally:
            working.send_signal(signal.SIGTERM)
            working.wait()
            shutil.rmtree(self._home / "recordings", ignore_errors=True)

    def _first_byte(self, until: float) -> float:
        assert self._api is not None
        while time.perf_counter() < until:
            with suppress(ValueError):
                return float(self._api.begun.read_text().split("\n")[0])
            time.sleep(_LOOK_S / 10)
        raise AssertionError((self._home / "log").read_text())

    def _redis(self, section: str, name: str) -> int:
        place = self._home / "state" / "queue" / "valkey.sock"
        with closing(redis.Redis(unix_socket_path=str(place))) as queue:
            return int(queue.info(section)[name])  # type: ignore[index]


def _line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:  # noqa: PTH123 - no file that has a size
            return file.read()
    except OSError:
        return ""
