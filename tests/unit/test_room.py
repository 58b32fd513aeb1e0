"""How long the room on the archive's disk lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.catalog import tallies
from archive.room import Written, bytes_a_day, days_left, spoken_days
from archive.tallies import RECORDING_BYTES, RECORDINGS, Count

if TYPE_CHECKING:
    from tests.unit.books import Books

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GIB = 2**30


@pytest.mark.parametrize(
    ("size", "age", "expected"),
    [
        (7 * GIB, 7 * DAY, GIB),
        (2 * GIB, 2 * DAY, GIB),
        (7 * GIB, 9 * DAY, GIB),
        (GIB, DAY, GIB),
        (GIB, DAY - HOUR, None),
        (GIB, timedelta(0), None),
        (GIB, -DAY, None),
        (0, 2 * DAY, None),
    ],
)
def test_a_pace_needs_a_day(size: int, age: timedelta, expected: float | None) -> None:
    """An archive of minutes would be taken for one that never rests; a young one has its days."""
    assert expected == bytes_a_day(Written(size, NOW - age), NOW)


def test_nothing_that_came_says_nothing() -> None:
    """There is no pace, and no end is told."""
    assert bytes_a_day(Written(0, None), NOW) is None
    assert days_left(GIB, None) is None


@given(st.integers(0, 2**50), st.integers(-(2**50), 2**50), st.timedeltas(-DAY, 30 * DAY))
def test_days_left_are_never_negative(size: int, spare: int, age: timedelta) -> None:
    """Whatever was counted, clocks that were set back included."""
    left = days_left(spare, bytes_a_day(Written(size, NOW - age), NOW))
    assert left is None or left >= 0


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.0, "less than a day"),
        (1.9, "1 day"),
        (34.2, "34 days"),
        (2_222.0, "2,222 days"),
        (3_650.5, "more than 10 years"),
    ],
)
def test_days_are_said_as_far_as_they_can_be_true(days: float, expected: str) -> None:
    """No pace holds for ten years."""
    assert expected == spoken_days(days)


def test_what_came_lately_is_counted_of_all_accounts(books: Books) -> None:
    """And nothing that is older than a week, or no recording."""
    counted = [
        (NOW - 8 * DAY, Count("main", RECORDING_BYTES, "", 1000)),
        (NOW - 3 * DAY, Count("main", RECORDING_BYTES, "", 200)),
        (NOW - HOUR, Count("other", RECORDING_BYTES, "", 30)),
        (NOW - 5 * DAY, Count("main", RECORDINGS, "", 7)),
    ]
    with books.database.write() as tx:
        for then, count in counted:
            tallies.add(tx, [count], host="here", now=then)
        assert tallies.written_lately(tx, NOW) == Written(230, NOW - 3 * DAY)
        assert tallies.written_lately(tx, NOW + 30 * DAY) == Written(0, None)
