"""When the watchdog is fed: while something moves or nothing is to be done, and else not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from worker.notify import Notifier
from worker.pulse import (
    FREE,
    HELD,
    MOVED,
    STARTING,
    Crew,
    Facts,
    Rounds,
    is_well,
    sign_of,
)
from worker.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.notify import Send


def hearing(said: list[bytes]) -> Send:
    """Return what sends messages into a list."""
    return lambda message, _: said.append(message)


SIGNS = [STARTING, FREE, HELD, MOVED]
FACTS = st.builds(Facts, moved=st.booleans(), held=st.booleans(), waiting=st.booleans())


def service_of(*parts: Callable[[], Facts]) -> tuple[Service, list[bytes]]:
    """Return a service with these parts, and what it says."""
    said: list[bytes] = []
    service = Service(Notifier(hearing(said), watchdog_s=600))
    for part in parts:
        service.watch(part)
    return service, said


@given(FACTS)
def test_only_work_that_stands_still_starves_the_watchdog(facts: Facts) -> None:
    """Whatever is seen: fed if something moved, or nothing is in hand and nothing waits."""
    stands_still = not facts.moved and (facts.held or facts.waiting)
    assert is_well(facts) is not stands_still


@given(st.lists(st.lists(FACTS, min_size=3, max_size=3), max_size=30))
def test_no_part_hides_another(looks: list[list[Facts]]) -> None:
    """Between two feedings each part was well at least once; one that never is starves it."""
    now: list[Facts] = []
    service, said = service_of(*(lambda number=number: now[number] for number in range(3)))
    well = [False] * 3
    for look in looks:
        now[:] = look
        well = [before or is_well(facts) for before, facts in zip(well, look, strict=True)]
        before = len(said)
        service.look()
        assert (len(said) > before) is all(well)
        if all(well):
            well = [False] * 3


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(SIGNS))), st.booleans())
def test_a_crew_is_seen_by_its_last_signs(signs: list[tuple[str, bytes]], waiting: bool) -> None:  # noqa: FBT001 - given by hypothesis
    """It moved if one moved, and has work in hand if the last sign of any of them says so."""
    crew = Crew()
    crew.waiting = lambda: waiting
    for name, sign in signs:
        crew.signed(name, sign)
    facts = crew.facts()
    assert (MOVED in {sign for _, sign in signs}) is facts.moved
    assert bool({HELD, MOVED} & set(dict(signs).values())) is facts.held
    assert facts.waiting is waiting
    # What moved is told once: from then on the same signs stand still.
    assert not crew.facts().moved


def test_signs_that_were_read_together_all_count() -> None:
    """A supervisor that was busy finds several in the pipe."""
    crew = Crew()
    crew.signed("a", MOVED + HELD + FREE)
    assert Facts(moved=True, held=False) == crew.facts()


def test_a_process_that_has_ended_holds_nothing() -> None:
    """What it held is given back, and waits for another one."""
    crew = Crew()
    crew.signed("a", HELD)
    crew.gone("a")
    assert Facts(moved=False, held=False) == crew.facts()


def test_trouble_that_is_known_explains_a_standstill_while_it_is_told() -> None:
    """Redis away is told at each look of the leader. One who has fallen silent tells nothing."""
    crew = Crew()
    crew.signed("a", HELD)
    service, said = service_of(crew.facts)
    for _ in range(3):
        crew.meets("Redis does not answer")
        service.look()
    assert said == [b"WATCHDOG=1"] * 3
    service.look()
    crew.meets("")
    service.look()
    assert len(said) == 3
    assert crew.trouble == ""


def test_the_first_worker_that_can_work_makes_the_crew_alive() -> None:
    """One that only starts does not."""
    alive: list[bool] = []
    crew = Crew(lambda: alive.append(True))
    crew.signed("a", STARTING)
    assert not alive
    crew.signed("a", STARTING + FREE)
    assert alive


def test_each_sign_says_most_of_what_it_can() -> None:
    """Moving is said before holding."""
    seen = [sign_of(moved=m, holds=h) for m in (True, False) for h in (True, False)]
    assert seen == [MOVED, MOVED, HELD, FREE]


def test_a_poller_is_at_rest_between_its_rounds() -> None:
    """However long it rests; in a round it must move, and its end is a move."""
    rounds = Rounds()
    assert is_well(rounds.facts())
    with rounds.going_on():
        assert not is_well(rounds.facts())
        rounds.stir()
        assert is_well(rounds.facts())
        assert not is_well(rounds.facts())
    assert Facts(moved=True, held=False) == rounds.facts()
