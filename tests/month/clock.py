"""A clock for real programs: it shows them another day, and passes faster.

Only wall time is moved: a stretch that is measured by the monotonic clock is a real one.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_SOURCE: Final = Path(__file__).with_name("shift.c")
_SHIFT: Final = struct.Struct("=d")
_STEP_S: Final = 0.2
_FASTER: Final = 5
"""A beat every 3 s is one every 15 s then, and a lease of 45 s still outlives it."""


def compiler() -> str | None:
    """Return the C compiler that the clock is made with; None where there is none."""
    return shutil.which("cc") or shutil.which("gcc")


class Clock:
    """What time it is for the programs started with `environment`. A context manager.

    ``folder`` is where its files lie.
    """

    def __init__(self, folder: Path, cc: str, now: datetime) -> None:
        self._library = folder / "shift.so"
        self._file = folder / "shift"
        line = [cc, "-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SOURCE)]
        subprocess.run(line, check=True)  # noqa: S603 - the machine's compiler on a file of ours
        self._file.write_bytes(_SHIFT.pack(0))
        with self._file.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _SHIFT.size)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._hand = threading.Thread(target=self._go_on, daemon=True)
        self._set(now.timestamp() - time.time())

    def __enter__(self) -> Self:
        self._hand.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._hand.join()
        self._page.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a program has to be started with."""
        return {"LD_PRELOAD": str(self._library), "SHIFTED_BY": str(self._file)}

    def now(self, zone: ZoneInfo) -> datetime:
        """Tell the time."""
        return datetime.fromtimestamp(time.time() + self._shift(), zone)

    def move(self, to: datetime) -> None:
        """Let it be later, at once; earlier it never becomes."""
        with self._lock:
            self._set(max(self._shift(), to.timestamp() - time.time()))

    def _go_on(self) -> None:
        while not self._ended.wait(_STEP_S):
            with self._lock:
                self._set(self._shift() + (_FASTER - 1) * _STEP_S)

    def _shift(self) -> float:
        (seconds,) = _SHIFT.unpack(self._page[:])
        return float(seconds)

    def _set(self, seconds: float) -> None:
        self._page[:] = _SHIFT.pack(seconds)


def midnight(days: int, zone: ZoneInfo) -> datetime:
    """Return the midnight so many days ago in a zone."""
    today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)
