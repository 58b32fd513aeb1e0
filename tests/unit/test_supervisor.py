"""How a drain that a pause keeps from going on ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from archive.catalog.pauses import Paused
from archive.errors import Exit, FatalError, ProviderError
from archive.verdicts import RULES, Act, Symptom
from tests.unit.books import NOW
from worker.ending import explain_pause

PAUSING = [s for s in Symptom if RULES[s].act in {Act.PAUSE_ACCOUNT, Act.PAUSE_HOST}]


def paused(reason: str, *, fatal: bool) -> Paused:
    """Return a pause that stands."""
    return Paused("account:main", reason, "HTTP 503", fatal, 8, NOW, NOW + timedelta(minutes=1))


@pytest.mark.parametrize("symptom", PAUSING)
def test_what_stopped_a_drain_is_told_with_what_can_be_done(symptom: Symptom) -> None:
    """Where only a person can help the exit code says so; else a later run can go on."""
    fatal = RULES[symptom].fatal
    error = explain_pause(paused(symptom.value, fatal=fatal))
    assert error.message == f"account:main is paused: {symptom}, HTTP 503"
    assert (Exit.FATAL if fatal else Exit.WORK_REMAINS) is error.exit_code
    assert (RULES[symptom].hint or "run it again later: nothing is lost") == error.hint


def test_a_pause_of_an_unknown_reason_is_told_too() -> None:
    """A newer callvault may have written it."""
    error = explain_pause(paused("moon-in-the-way", fatal=False))
    assert isinstance(error, ProviderError)
    assert "moon-in-the-way" in error.message
    assert isinstance(explain_pause(paused("moon-in-the-way", fatal=True)), FatalError)
