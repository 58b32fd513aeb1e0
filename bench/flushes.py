"""What durability costs: publishing recordings with flushes, grouped or not, and without.

The store's own code publishes recordings that are in memory, one after the other or in groups that
share their flushes; "without" is the same with every fsync left out, which proves nothing after a
power cut. Rounds alternate. The folder decides the outcome: a tmpfs flushes for nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from archive.audio import AudioFacts, AudioKind
from archive.store import Pending, Place, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGAN: Final = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)
_ZONE: Final = ZoneInfo("Asia/Kolkata")
_GROUPS: Final = (1, 8, 64)


class Careless(Store):
    """A store that flushes nothing."""

    def _bring_to_disk(self, path: Path) -> None:
        pass


class Cost(NamedTuple):
    """Milliseconds of time and of processor for each recording."""

    wall_ms: float
    cpu_ms: float


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--recordings", type=int, default=640)
    parser.add_argument("--bytes", type=int, default=129_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in", dest="folder", type=Path, default=Path(), help="where to write")
    chosen = parser.parse_args()
    kinds = {f"groups of {size}": (Store, size) for size in _GROUPS}
    kinds["without flushes, groups of 64"] = (Careless, _GROUPS[-1])
    costs: dict[str, list[Cost]] = {name: [] for name in kinds}
    for _ in range(chosen.rounds):
        for name, (store, size) in kinds.items():
            costs[name].append(
                _publish(store, size, chosen.recordings, chosen.bytes, chosen.folder)
            )
    print(f"{chosen.recordings} recordings of {chosen.bytes:,} bytes, median of {chosen.rounds}; ")
    print(f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}")
    print(f"{'':32}{'ms each':>9}{'CPU ms':>9}")
    for name, rounds in costs.items():
        wall = statistics.median(cost.wall_ms for cost in rounds)
        cpu = statistics.median(cost.cpu_ms for cost in rounds)
        print(f"{name:32}{wall:9.2f}{cpu:9.2f}")


def _publish(kind: type[Store], size: int, recordings: int, length: int, where: Path) -> Cost:
    folder = Path(tempfile.mkdtemp(prefix="callvault-flushes-", dir=where))
    try:
        store = kind(folder)
        groups = list(_groups(recordings, size, length))
        began, cpu = time.perf_counter(), _cpu_s()
        for group in groups:
            failed = [one for one in store.publish(group) if isinstance(one, OSError)]
            assert not failed, failed
        took, cpu = time.perf_counter() - began, _cpu_s() - cpu
        return Cost(took / recordings * 1000, cpu / recordings * 1000)
    finally:
        shutil.rmtree(folder)


def _groups(recordings: int, size: int, length: int) -> Iterator[list[Pending]]:
    pending = [_pending(number, length) for number in range(recordings)]
    for at in range(0, recordings, size):
        yield pending[at : at + size]


def _pending(number: int, length: int) -> Pending:
    body = number.to_bytes(8, "big") * (length // 8)
    place = Place(
        account="bench",
        sid=f"{number:032}",
        object_name=f"{number:032}.mp3",
        # A few hours' folders, as a night's batches have.
        began=_BEGAN + timedelta(minutes=number % 240),
        zone=_ZONE,
    )
    return Pending(
        lease="bench",
        place=place,
        audio=AudioFacts(AudioKind.MP3, 1, 8000, 64_000, 16.0),
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        body=body,
        about={},
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
