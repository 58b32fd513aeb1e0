"""The figures that the schedule of looks is made for, by the simulation that runs the real code."""

from __future__ import annotations

from datetime import timedelta

from bench.readiness import simulate


def test_young_calls_are_soon_on_disk_at_few_requests() -> None:
    """At 400 calls a minute: half within 10 s of being ready, 95 % within 30 s.

    For a tenth of a request each, and never more than a third of the provider's limit.
    """
    outcome = simulate(minutes=40, seed=3)
    assert outcome.within(10) >= 0.5
    assert outcome.within(30) >= 0.95
    assert outcome.requests_per_thousand <= 100
    assert outcome.busiest_minute <= 67
    assert outcome.falsely_absent == 0


def test_a_nights_batch_is_resolved_by_the_hundred() -> None:
    """Ten requests a thousand calls, and as many again for those without a recording."""
    outcome = simulate(minutes=10, age=timedelta(days=1), seed=3)
    assert outcome.requests <= 40 + 11
    assert outcome.falsely_absent == 0
