"""When the troubles of single recordings are taken for one of their host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archive.verdicts import RULES, Act
from jobs.health import IN_A_ROW, OF_ALL, OF_HOSTS, Health

SIDS = [f"{index}" for index in range(IN_A_ROW)]


def bad(*troubled: str) -> Health:
    """Return the health after these calls were troubled."""
    health = Health()
    for sid in troubled:
        health.troubled(sid)
    return health


def test_so_many_calls_in_a_row_are_no_accident() -> None:
    """One less is; so is one call that is troubled as often."""
    assert bad(*SIDS).is_bad
    assert not bad(*SIDS[1:]).is_bad
    assert not bad(*SIDS[1:], *SIDS[1:]).is_bad
    assert not bad(*["a"] * 99).is_bad


def test_a_recording_that_came_begins_the_row_anew() -> None:
    """What was seen before it says nothing any more."""
    health = bad(*SIDS[1:])
    health.came("other")
    health.troubled("new")
    assert not health.is_bad
    for sid in SIDS[1:]:
        health.troubled(sid)
    assert health.is_bad


def test_calls_that_are_troubled_while_others_come_are_not_counted() -> None:
    """Left over at the end, they are judged one by one; others are counted as before."""
    health = Health()
    for _ in range(2):
        for sid in SIDS[1:]:
            health.troubled(sid)
        health.came("other")
    for sid in SIDS[1:] * 3:
        health.troubled(sid)
    assert not health.is_bad
    health.came(SIDS[1])
    health.troubled(SIDS[1])
    for index in range(IN_A_ROW - 1):
        assert not health.is_bad
        health.troubled(f"fresh {index}")
    assert health.is_bad


def test_after_a_pause_it_is_counted_anew() -> None:
    """A row that is not full goes on over the end of a batch."""
    health = bad(*SIDS)
    health.begin()
    assert not health.is_bad
    for sid in SIDS[1:]:
        health.troubled(sid)
    health.begin()
    health.troubled(SIDS[0])
    assert health.is_bad


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=60))
def test_it_is_never_bad_with_fewer_calls_since_the_last_that_came(
    seen: list[tuple[bool, int]],
) -> None:
    """Whatever came before: the calls troubled since then are a bound."""
    health, since = Health(), set[int]()
    for came, number in seen:
        if came:
            health.came(f"{number}")
            since.clear()
        else:
            health.troubled(f"{number}")
            since.add(number)
        assert not health.is_bad or len(since) >= IN_A_ROW


def test_only_what_is_tried_again_may_be_the_hosts() -> None:
    """What settles a call at once is its own; what all have pauses, and grows."""
    assert {RULES[one].act for one in OF_HOSTS} == {Act.PAUSE_ACCOUNT}
    assert {RULES[one].act for one in OF_ALL} == {Act.AGAIN, Act.REFRESH}  # type: ignore[index]  # symptoms, typed as the text that verdicts carry
    assert all(RULES[one].hint for one in OF_HOSTS)
