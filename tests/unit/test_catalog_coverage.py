"""Which times of the listing were read, and which were not though they usually are."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.catalog.coverage import cover, unread
from tests.unit.books import NOW

if TYPE_CHECKING:
    from tests.unit.books import Books

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MIDNIGHT = NOW.replace(hour=0)
_NUMBERS = count()


def read(books: Books, since: datetime, until: datetime, account: str = "main") -> None:
    """Read a time of the listing to its end."""
    with books.database.write() as tx:
        cover(tx, account, since, until)


def missed(books: Books, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return what was not read of a time."""
    with books.database.read() as tx:
        return unread(tx, "main", begin, end)


def test_nothing_is_missed_where_the_listing_is_not_read_at_all(books: Books) -> None:
    """Who lives by exports reads none; one account's habit is not another's."""
    read(books, MIDNIGHT - DAY, MIDNIGHT, account="other")
    assert missed(books, MIDNIGHT, MIDNIGHT + DAY) == []


def test_a_day_that_was_read_in_part_tells_the_rest(books: Books) -> None:
    """Before, between and after what was read."""
    read(books, MIDNIGHT - 2 * DAY, MIDNIGHT - DAY)
    whole = (MIDNIGHT, MIDNIGHT + DAY)
    assert [whole] == missed(books, *whole)
    read(books, MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR)
    read(books, MIDNIGHT + 5 * HOUR, MIDNIGHT + 6 * HOUR)
    expected = [
        (MIDNIGHT, MIDNIGHT + HOUR),
        (MIDNIGHT + 3 * HOUR, MIDNIGHT + 5 * HOUR),
        (MIDNIGHT + 6 * HOUR, MIDNIGHT + DAY),
    ]
    assert expected == missed(books, *whole)


def test_days_that_follow_each_other_leave_no_gap(books: Books) -> None:
    """A range ends with a day's last second, and the next one begins with the next."""
    second = timedelta(seconds=1)
    read(books, MIDNIGHT - DAY, MIDNIGHT - second)
    read(books, MIDNIGHT, MIDNIGHT + DAY - second)
    assert missed(books, MIDNIGHT, MIDNIGHT + DAY) == []
    with books.database.read() as tx:
        assert len(tx.rows("coverage_of", account="main", from_ms=0, to_ms=2**62)) == 1


def test_a_habit_is_one_of_the_week_before(books: Books) -> None:
    """Who read the listing once, long ago, does not do so now."""
    read(books, MIDNIGHT - 9 * DAY, MIDNIGHT - 8 * DAY)
    assert missed(books, MIDNIGHT, MIDNIGHT + DAY) == []
    assert missed(books, MIDNIGHT - 2 * DAY, MIDNIGHT - DAY) != []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=12))
def test_times_are_merged_as_sets_are(books: Books, spans: list[tuple[int, int]]) -> None:
    """In whatever order they are read, and however they overlap; no two rows touch."""
    name = f"account-{next(_NUMBERS)}"
    minute = timedelta(minutes=1)
    for start, length in spans:
        read(books, MIDNIGHT + start * minute, MIDNIGHT + (start + length) * minute, account=name)
    with books.database.read() as tx:
        rows = tx.rows("coverage_of", account=name, from_ms=0, to_ms=2**62)
    covered = {second for at, length in spans for second in range(at * 60, (at + length) * 60 + 1)}
    zero = int(MIDNIGHT.timestamp())
    found = {
        second - zero
        for row in rows
        for second in range(row["since_ms"] // 1000, row["until_ms"] // 1000 + 1)
    }
    assert covered == found
    edges = [(row["since_ms"], row["until_ms"]) for row in rows]
    assert all(later[0] - former[1] > 1000 for former, later in pairwise(edges))
