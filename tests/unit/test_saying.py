"""What is said of what was taken in: one is told as one, several as several."""

from __future__ import annotations

import pytest

from jobs.cdr_facts import UnreadTimes
from jobs.intake import Report
from worker.commands.saying import LISTED, ROWS, SIDS, Noun, counted, unread_times


@pytest.mark.parametrize(
    ("count", "noun", "expected"),
    [
        (1, ROWS, "1 row read: 1 call new, 0 already known, 1 row rejected"),
        (1, SIDS, "1 Sid: 1 call new, 0 already known, 1 row rejected"),
        (
            2_000,
            LISTED,
            "2,000 calls listed: 2,000 calls new, 0 already known, 2,000 rows rejected",
        ),
        (0, SIDS, "0 Sids: 0 calls new, 0 already known, 0 rows rejected"),
    ],
)
def test_counts_have_their_words(count: int, noun: Noun, expected: str) -> None:
    """As they are said in English."""
    assert expected == counted(Report(rows=count, new=count, rejected=count), noun)


def test_times_that_cannot_be_read_are_counted_in_words() -> None:
    """A single one is not the first of several."""
    times = UnreadTimes()
    times.add("soon")
    assert unread_times("a.csv", times).startswith("a.csv: a time cannot be read, 'soon'; its call")
    times.add("later")
    assert "2 times cannot be read, the first is 'soon'; their calls" in unread_times("b", times)
