"""What this machine allows: hashing, writing and flushing, for the limit in theory.

Figures are of one thread, medians of rounds. With them docs/performance.md tells what a night can
bring; see there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MIB: Final = 2**20
_ROUNDS: Final = 5


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--mib", type=int, default=256, help="how much is written")
    parser.add_argument("--flushes", type=int, default=50)
    parser.add_argument(
        "--where", type=Path, default=Path(), help="a folder on the disk to measure"
    )
    chosen = parser.parse_args()
    block = os.urandom(_MIB)
    hashed = _median(lambda: [hashlib.sha256(block).digest() for _ in range(64)], time.thread_time)
    print(f"SHA-256: {64 * _MIB / hashed / 1e6:,.0f} MB/s of one core")
    with tempfile.TemporaryDirectory(dir=chosen.where) as folder:
        large = Path(folder) / "large"
        wrote = _median(lambda: _write(large, block, chosen.mib))
        print(f"one file written and flushed: {chosen.mib * _MIB / wrote / 1e6:,.0f} MB/s")
        small = Path(folder) / "small"
        flushed = _median(lambda: _write_often(small, chosen.flushes))
        print(f"flushes, one after the other: {chosen.flushes / flushed:,.0f} a second")
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}")


def _median(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    took = []
    for _ in range(_ROUNDS):
        began = clock()
        work()
        took.append(clock() - began)
    return statistics.median(took)


def _write(path: Path, block: bytes, times: int) -> None:
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(block)
        os.fsync(file.fileno())


def _write_often(path: Path, times: int) -> None:
    for _ in range(times):
        _write(path, b"x", 1)


if __name__ == "__main__":
    main()
