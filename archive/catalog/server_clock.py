"""The time of the catalog's server, by which all hosts decide: their own clocks may differ.

The server is asked every few seconds. In between its time is told by a clock of this machine that
only goes forward, whatever is done to the time of day here.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from archive.clock import system_clock
from archive.timings import HEARTBEAT_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from archive.clock import Clock

_AGE_S: Final = float(HEARTBEAT_S)


def steady_s() -> float:
    """Return seconds by a clock that only goes forward, also while the machine sleeps."""
    # Linux alone has it; elsewhere what is told after a sleep is late until the server is asked.
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ServerClock:
    """A clock that is set by a server's. Until it is, it is this machine's ``own``."""

    def __init__(
        self, *, own: Clock = system_clock, steady: Callable[[], float] = steady_s
    ) -> None:
        self._own = own
        self._steady = steady
        self._set: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """Return now, aware."""
        if self._set is None:
            return self._own()
        moment, at = self._set
        return moment + timedelta(seconds=self._steady() - at)

    @property
    def is_old(self) -> bool:
        """Tell whether the server is to be asked again."""
        return self._set is None or self._steady() - self._set[1] >= _AGE_S

    def ask(self, server: Callable[[], datetime]) -> None:
        """Set it by what the server answers, which it said halfway between question and answer."""
        asked = self._steady()
        told = server()
        self._set = told, (asked + self._steady()) / 2

    @property
    def ahead(self) -> timedelta:
        """How far this machine's own clock is ahead of the server's."""
        return self._own() - self()
