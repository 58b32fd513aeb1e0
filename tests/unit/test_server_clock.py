"""A server's time, told without asking at each look."""

from __future__ import annotations

from datetime import datetime, timedelta

from archive.catalog.server_clock import ServerClock, steady_s
from archive.timings import HEARTBEAT_S
from tests.unit.books import NOW


class Steady:
    """A clock that only goes forward, by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return its seconds."""
        return self.now_s


def test_it_goes_by_the_server_whatever_is_done_to_the_clock_here() -> None:
    """From when it was first asked on; how far the one here is ahead is known, too."""
    steady, own = Steady(), [NOW]
    clock = ServerClock(own=lambda: own[0], steady=steady)
    assert (clock(), clock.is_old) == (NOW, True)

    clock.ask(lambda: NOW + timedelta(minutes=7))
    assert (clock.ahead, clock.is_old) == (-timedelta(minutes=7), False)
    own[0] -= timedelta(hours=1)
    steady.now_s += 2
    assert clock() == NOW + timedelta(minutes=7, seconds=2)
    steady.now_s += HEARTBEAT_S
    assert clock.is_old


def test_a_slow_answer_is_of_halfway_between() -> None:
    """What the way there and back took is not added to the server's time."""
    steady = Steady()
    clock = ServerClock(own=lambda: NOW, steady=steady)

    def slowly() -> datetime:
        steady.now_s += 4
        return NOW

    clock.ask(slowly)
    assert clock() == NOW + timedelta(seconds=2)


def test_the_machines_steady_clock_goes_forward() -> None:
    """By seconds."""
    first = steady_s()
    assert 0 <= steady_s() - first < 60
