"""What becomes of calls is counted by where it left them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.catalog.work import Excluded
from archive.tallies import RETRIES, SETTLED, Count, Tallies
from archive.verdicts import Absent, Again, Failed, Lost, Refresh
from jobs.outcomes import count_outcome

if TYPE_CHECKING:
    from archive.catalog.work import Outcome

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, (SETTLED, "archived")),
        (Absent("no-answer"), (SETTLED, "absent")),
        (Lost("fetch-gone"), (SETTLED, "lost")),
        (Failed("url-untrusted"), (SETTLED, "failed")),
        (Excluded("a rule"), (SETTLED, "excluded")),
        (Again("fetch-timeout", after=MINUTE), (RETRIES, "fetch-timeout")),
        (Refresh("fetch-expired", after=MINUTE), (RETRIES, "fetch-expired")),
        (Again("not-ready", after=MINUTE), None),
    ],
)
def test_an_outcome_is_counted_once(
    outcome: Outcome | None, expected: tuple[str, str] | None
) -> None:
    """What is settled by its state, a trouble that may pass by its symptom; waiting is neither."""
    tallies = Tallies()
    count_outcome(tallies, "main", outcome)
    assert tallies.take() == ([] if expected is None else [Count("main", *expected, 1)])
