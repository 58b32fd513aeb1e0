"""The figures that the schedule of looks is made for, by the simulation that runs the real code."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bench.readiness import simulate

DAY = timedelta(days=1)


def test_young_calls_are_soon_on_disk_at_few_requests() -> None:
    """At 400 calls a minute: half within 10 s of being ready, 95 % within 30 s.

    For a tenth of a request each, and never more than a third of the provider's limit.
    """
    outcome = simulate(minutes=90, seed=3)
    assert outcome.within(10) >= 0.5
    assert outcome.within(30) >= 0.95
    assert outcome.requests_per_thousand <= 100
    assert outcome.busiest_minute <= 67
    assert outcome.falsely_absent == 0


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_nights_batch_is_resolved_by_the_hundred(seed: int) -> None:
    """Ten requests a thousand calls, and one more at most for those that take a second look."""
    outcome = simulate(minutes=10, age=DAY, seed=seed)
    assert outcome.requests <= 4 * 11
    assert outcome.falsely_absent == 0


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_url_that_is_left_out_once_makes_no_recording_absent(seed: int) -> None:
    """Of half of all recordings: each takes a second look, and is found by it."""
    outcome = simulate(minutes=5, age=DAY, seed=seed, blanks=0.5)
    assert outcome.falsely_absent == 0
    assert len(outcome.delays) == outcome.recordings
