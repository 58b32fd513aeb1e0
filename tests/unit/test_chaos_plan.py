"""The plan of a chaos run: what a seed draws."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.plan import KILLS, Deed, draw_plan, waves_of

SEEDS = st.text(max_size=8)


@given(seed=SEEDS, kills=st.integers(0, 300), flushes=st.integers(0, 5))
def test_a_seed_draws_the_same_plan_again(seed: str, kills: int, flushes: int) -> None:
    """A failure can be repeated: the seed and the numbers decide everything."""
    first = draw_plan(seed, kills=kills, flushes=flushes)
    assert first == draw_plan(seed, kills=kills, flushes=flushes)


@given(seed=SEEDS, kills=st.integers(0, 300), flushes=st.integers(0, 5))
def test_a_plan_has_as_many_kills_and_flushes_as_asked(seed: str, kills: int, flushes: int) -> None:
    """Kills of all kinds together are the number asked for, and so are flushes."""
    deeds = Counter(step.deed for step in draw_plan(seed, kills=kills, flushes=flushes))
    assert kills == sum(deeds[deed] for deed in KILLS)
    assert flushes == deeds[Deed.FLUSH]


def test_two_seeds_draw_two_plans() -> None:
    """Another seed does the same things in another order."""
    one, two = (draw_plan(seed, kills=50, flushes=2) for seed in "ab")
    assert one != two
    assert Counter(step.deed for step in one) == Counter(step.deed for step in two)


def test_a_long_plan_does_everything_there_is() -> None:
    """Two hundred kills and three flushes come with every deed, and with holds beyond a lease."""
    plan = draw_plan("1", kills=200, flushes=3)
    assert set(Deed) == {step.deed for step in plan}
    assert max(step.hold_s for step in plan if step.deed is Deed.STOP_WORKER) > 45
    assert max(step.hold_s for step in plan if step.deed is Deed.LOCK) > 30


def test_a_short_plan_waits_for_no_lease() -> None:
    """Few kills: nothing that only a lapsed lease gives back, no hold that lasts."""
    plan = draw_plan("1", kills=8, flushes=1)
    assert Deed.KILL_ALL not in {step.deed for step in plan}
    assert max(step.hold_s for step in plan) <= 8


def test_without_kills_and_flushes_there_is_only_the_intake() -> None:
    """The plain run meets the provider's faults alone: all calls at once, nothing beside them."""
    assert [step.deed for step in draw_plan("1", kills=0, flushes=0)] == [Deed.INTAKE]


@given(seed=SEEDS, kills=st.integers(1, 300))
def test_calls_come_to_the_end(seed: str, kills: int) -> None:
    """The first step takes calls in, and waves are spread so that the last deeds find work too."""
    plan = draw_plan(seed, kills=kills, flushes=1)
    places = [place for place, step in enumerate(plan) if step.deed is Deed.INTAKE]
    assert places[0] == 0
    assert len(places) == waves_of(plan)
    assert len(plan) - places[-1] <= 2 * len(plan) / len(places)
