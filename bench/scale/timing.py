"""Wall and CPU time of something done several times, and how a table tells it."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.postgresql import Server

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_TENTHS_MS: Final = 100
"""Below it a tenth of a millisecond says something."""


class Spent(NamedTuple):
    """Seconds of wall, of CPU here (with that of children that ended), and of the server's."""

    wall_s: float
    here_s: float
    server_s: float


class Measured(NamedTuple):
    """What was measured of one thing, and the words of what else it said."""

    name: str
    spent: Sequence[Spent]
    note: str = ""

    def row(self) -> str:
        """Return it as a row of a table: median, spread and CPU in milliseconds."""
        walls = [one.wall_s * 1000 for one in self.spent]
        here = statistics.median(one.here_s * 1000 for one in self.spent)
        server = statistics.median(one.server_s * 1000 for one in self.spent)
        return (
            f"| {self.name} | {_ms(statistics.median(walls))}"
            f" | {_ms(min(walls))} to {_ms(max(walls))}"
            f" | {_ms(here)} | {_ms(server)} | {self.note} |"
        )


def _ms(value: float) -> str:
    return f"{value:,.1f}" if value < _TENTHS_MS else f"{value:,.0f}"


def times(work: Callable[[], object], rounds: int, server: Server | None) -> list[Spent]:
    """Do something so many times."""
    found = []
    for _ in range(rounds):
        began, here, there = time.perf_counter(), _here_s(), server_s(server)
        work()
        wall = time.perf_counter() - began
        found.append(Spent(wall, _here_s() - here, server_s(server) - there))
    return found


def run(command: Sequence[str | Path], *, codes: tuple[int, ...] = (0,)) -> str:
    """Run a program to its end; return what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in codes, f"{done.args} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def _here_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def server_s(server: Server | None) -> float:
    """Return the CPU seconds of a server and of all processes that it has had."""
    return 0.0 if server is None else cpu_of(server.pid, ended=True)


def cpu_of(pid: int, *, ended: bool = False) -> float:
    """Return the CPU seconds of a process and its living children, or of those that ended too."""
    total = 0.0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        total += sum(int(ticks) for ticks in fields[11 : 15 if ended else 13]) / _TICKS
    return total


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for one in found:
        for listed in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in listed.read_text().split()]
            except OSError:
                continue  # the same
    return found


def memory_of(pid: int) -> int:
    """Return the bytes that a process alone has in memory (its unique set, USS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kept = [line for line in lines if line.startswith("Private_")]
    return sum(int(line.split()[1]) for line in kept) * 1024


def resident(pid: int) -> int:
    """Return the bytes that a process has in memory, what it shares with others too (RSS)."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
