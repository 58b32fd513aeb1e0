"""Nights under the timers' own commands, by a clock that is moved."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING

import pytest

from tests.month.clock import compiler
from tests.month.run import run
from tests.month.timers import timers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.month.run import Night

cc = compiler()


def test_the_timers_are_read_as_they_are_installed() -> None:
    """In the order of their hours, each with the commands of its service."""
    found = {timer.unit: timer for timer in timers()}
    assert found["callvault-nightly"].commands == (
        ("run", "--from", "3 days ago", "--to", "yesterday", "--drain"),
    )
    assert time(2, 10) == found["callvault-nightly"].at
    assert found["callvault-nightly"].is_for(datetime(2026, 3, 4))  # noqa: DTZ001 - a day alone
    assert sorted(timer.at for timer in timers()) == [timer.at for timer in timers()]


@pytest.mark.skipif(cc is None, reason="there is no C compiler, which the moved clock needs")
def test_a_night_without_the_provider_is_made_up_for(tmp_path: Path) -> None:
    """A good night, one in which nothing answers (5), and one that archives both days."""
    assert cc is not None
    told: list[Night] = []
    month = run(tmp_path, cc, nights=3, calls=30, tell=told.append)
    codes = [{ran.code for ran in night.ran if ran.unit == "callvault-nightly"} for night in told]
    assert [{0}, {5}, {0}] == codes
    assert not [night.odd_codes for night in month.nights if night.odd_codes]
    assert [night.report.startswith("Complete") for night in told] == [True, False, True]
    assert "listing of" in told[1].report.splitlines()[0]
    status = month.balance
    assert (
        status["known"],
        status["expected"],
        status["failed"],
        status["balanced"],
    ) == (90, 0, 0, True)
