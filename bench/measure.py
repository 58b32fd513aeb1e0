"""What running a command costs: time, CPU of all its processes, and the most memory at once."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOOK_S: Final = 0.25


class Cost(NamedTuple):
    """Seconds by the clock, CPU seconds (user and system) of all its processes, peak memory.

    Memory is the sum of what the processes have of their own and their share of what they have in
    common (PSS), looked at four times a second.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: Sequence[str], *, where: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command and return what it cost; what it prints is in ``output.log``.

    Raises:
        SystemExit: it failed; the text says what it printed.
    """
    log = where / "errors.log"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with (where / "output.log").open("wb") as output, log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=where, env=environment, stdout=output, stderr=errors
        )
        watch = _Watch(process.pid)
        watch.start()
        code = process.wait()
    wall = time.perf_counter() - began
    peak = watch.end()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{text}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peak)


class _Watch(threading.Thread):
    """Notes the most memory that a process and those below it have at once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self._most_kib = 0

    def run(self) -> None:
        while not self._over.wait(_LOOK_S):
            self._most_kib = max(self._most_kib, sum(map(_share_kib, _family(self._pid))))

    def end(self) -> float:
        """End, and return the most in MiB."""
        self._over.set()
        self.join()
        return self._most_kib / 1024


def _family(pid: int) -> list[int]:
    """Return a process and all below it."""
    below = defaultdict(list)
    for name in os.listdir("/proc"):  # noqa: PTH208 - a tenth of what making paths costs
        if name.isdecimal() and (fields := _stat_fields(int(name))):
            below[int(fields[1])].append(int(name))
    found = [pid]
    for one in found:
        found.extend(below[one])
    return found


def _stat_fields(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _share_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) for words in lines if words[0] == "Pss:"), 0)
