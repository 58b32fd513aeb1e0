"""How a chaos run gets over its kills, as it is told from what was seen."""

from __future__ import annotations

from tests.chaos.plan import Deed
from tests.chaos.report import Times, times
from tests.chaos.watch import Kill, Recovery, recoveries

HELD = frozenset({"lease"})


def recovery(kill: Kill, *looks: float) -> Recovery:
    """Tell how one kill was got over."""
    (told,) = recoveries([kill], looks)
    return told


def test_work_goes_on_with_the_first_claim_or_look_after_the_kill() -> None:
    """Whichever comes first; a look before the kill, or in its moment, is none."""
    kill = Kill(Deed.KILL_WORKER, 100.0, HELD, HELD, claimed_s=3.0, given_back_s=2.5)
    assert recovery(kill, 99.0, 100.0, 104.0).went_on_s == 3.0
    assert recovery(kill, 99.0, 100.0, 101.5, 104.0).went_on_s == 1.5
    assert recovery(kill, 99.0).given_back_s == 2.5


def test_a_kill_without_work_or_without_a_sequel_has_no_time() -> None:
    """Where nobody held anything there was nothing to go on with; after the last, nothing came."""
    idle = Kill(Deed.KILL_QUEUE, 100.0, frozenset(), frozenset(), claimed_s=1.0)
    last = Kill(Deed.KILL_QUEUE, 100.0, frozenset(), HELD)
    assert recovery(idle, 101.0).went_on_s is None
    assert recovery(last, 99.0).went_on_s is None


def test_times_are_summed_up_where_there_are_some() -> None:
    """Their number, the one in the middle and the worst."""
    assert times([1.0, None, 9.0, 2.0]) == Times(3, 2.0, 9.0)
    assert times([None]) == Times(0, None, None)
