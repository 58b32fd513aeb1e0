"""Which due calls go into which batches."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from archive.catalog.work import DueCall
from jobs.plan import LATELY_EVERY, LINGER_MS, in_order, plan_batches

NOW = 10**12
WAITED = NOW - LINGER_MS
MONTHS = ["2026-01-07", "2026-01-31", "2026-02-01", ""]
CALLS = st.lists(
    st.builds(
        DueCall,
        st.integers(0, 99).map("{:06}".format),
        st.sampled_from(MONTHS),
        st.sampled_from([WAITED - 5000, WAITED, WAITED + 1, NOW]),
    ),
    unique_by=lambda call: call.sid,
    max_size=60,
)


def due(
    count: int, *, first: int = 0, day: str = "2026-02-01", due_ms: int = WAITED
) -> list[DueCall]:
    """Return calls that are due."""
    return [DueCall(f"{index:06}", day, due_ms) for index in range(first, first + count)]


def plan(
    by_deletion: list[DueCall],
    lately: list[DueCall] | None = None,
    *,
    queued: frozenset[str] = frozenset(),
    room: int = 99,
    size: int = 100,
    turn: int = 0,
) -> list[list[str]]:
    """Plan with the usual."""
    return plan_batches(
        by_deletion, lately or [], queued=queued, room=room, size=size, turn=turn, now_ms=NOW
    )


@given(
    by_deletion=CALLS,
    lately=CALLS,
    queued=st.frozensets(st.integers(0, 99).map("{:06}".format), max_size=30),
    room=st.integers(0, 12),
    size=st.integers(1, 20),
    turn=st.integers(0, 20),
)
def test_every_plan_holds_what_is_promised(
    by_deletion: list[DueCall],
    lately: list[DueCall],
    queued: frozenset[str],
    room: int,
    size: int,
    turn: int,
) -> None:
    """No call twice, none that is queued, one month a batch, never too large, never too many."""
    batches = plan(by_deletion, lately, queued=queued, room=room, size=size, turn=turn)
    handed_out = Counter(sid for batch in batches for sid in batch)
    known = {call.sid: call for call in by_deletion}
    newest = {call.sid: call for call in lately}
    assert all(count == 1 for count in handed_out.values())
    assert set(handed_out) <= (known.keys() | newest.keys()) - queued
    assert len(batches) <= room
    for batch in batches:
        assert 1 <= len(batch) <= size
        months = [
            {calls[sid].month for sid in batch}
            for calls in (known, newest)
            if set(batch) <= calls.keys()
        ]
        assert any(len(month) == 1 for month in months)


@given(by_deletion=CALLS, size=st.integers(1, 20))
def test_with_room_enough_all_that_has_waited_is_handed_out(
    by_deletion: list[DueCall], size: int
) -> None:
    """And of each month, in the order in which the calls came."""
    batches = plan(by_deletion, size=size)
    handed_out = [sid for batch in batches for sid in batch]
    assert {call.sid for call in by_deletion if call.due_ms <= WAITED} <= set(handed_out)
    for month in {call.month for call in by_deletion}:
        calls = [call.sid for call in by_deletion if call.month == month]
        expected = [sid for sid in calls if sid in handed_out]
        assert expected == [sid for sid in handed_out if sid in calls]


def test_every_fifth_batch_is_of_the_newest_calls() -> None:
    """Counted on from the batches planned before; the others are those deleted first."""
    old, new = due(100), due(100, first=500)
    for turn in range(LATELY_EVERY):
        batches = plan(old, new, size=10, room=10, turn=turn)
        newest = [index for index, batch in enumerate(batches) if int(batch[0]) >= 500]
        first = LATELY_EVERY - 1 - turn
        assert newest == [first, first + LATELY_EVERY]


def test_where_one_source_has_nothing_the_other_fills_the_room() -> None:
    """No capacity is kept for calls that are not there."""
    assert len(plan(due(50), size=10)) == 5
    assert len(plan([], due(50), size=10)) == 5


def test_a_batch_that_is_not_full_waits_for_more() -> None:
    """Until its oldest call has been due for 2.5 seconds; a full one goes at once."""
    fresh = due(7, due_ms=NOW)
    assert plan(fresh, size=10) == []
    assert plan([*fresh, *due(1, first=50)], size=10) != []
    assert [[call.sid for call in fresh[:5]]] == plan(fresh, size=5)


def test_where_there_is_room_for_all_nobody_is_left_over_twice() -> None:
    """Calls that come all the while fill whole batches, however their deletion orders them.

    By deletion alone, those deleted last would be left over until they had waited long enough to
    take a batch with them that is not full.
    """
    early = due(90, first=60, due_ms=NOW - LINGER_MS + 1)  # will have waited a moment later
    found = [*due(60, due_ms=NOW), *early]
    (batch,) = plan(in_order(found, most=200), size=100)
    expected = {call.sid for call in early}
    assert expected <= set(batch)
    assert len(found) - 50 == len(batch)


def test_a_backlog_stays_in_the_order_of_its_deletion() -> None:
    """As many as were asked for means that there are more."""
    found = [*due(60, due_ms=NOW), *due(90, first=60)]
    assert found == in_order(found, most=150)


def test_a_lonely_call_of_unknown_date_gets_a_batch_of_its_own() -> None:
    """It is looked for month by month, so it is not mixed with calls of a known one."""
    batches = plan([*due(2), *due(2, first=10, day="")], size=10)
    assert batches == [["000000", "000001"], ["000010", "000011"]]


def test_the_endless_backlog_is_read_no_further_than_needed() -> None:
    """Calls behind the room are not even looked at."""
    read = 0

    def backlog() -> object:
        nonlocal read
        for call in due(10_000):
            read += 1
            yield call

    plan_batches(backlog(), [], queued=set(), room=2, size=100, turn=0, now_ms=NOW)  # type: ignore[arg-type]
    assert read == 200
