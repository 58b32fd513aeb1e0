"""The part of a range that the provider can answer for: `worker.commands.moments`."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from archive.clock import system_clock
from archive.errors import InputError
from worker.commands.moments import known_part

KOLKATA = ZoneInfo("Asia/Kolkata")
DAY = timedelta(days=1)


def test_what_the_provider_has_forgotten_is_left_out_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else its calls would all seem to be missing from the listing."""
    now = system_clock()
    began, ended = known_part(now - 300 * DAY, now - 10 * DAY, KOLKATA)
    assert now - 185 * DAY < began < now - 180 * DAY
    assert ended == now - 10 * DAY
    assert "the provider knows nothing before" in capsys.readouterr().err
    assert known_part(now - 3 * DAY, now - DAY, KOLKATA) == (now - 3 * DAY, now - DAY)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("first", "last"), [(-300, -200), (1, 2)])
def test_a_range_that_it_lists_nothing_of_is_a_mistake(first: int, last: int) -> None:
    """All forgotten, or still to come."""
    now = system_clock()
    with pytest.raises(InputError, match="lists nothing between") as caught:
        known_part(now + first * DAY, now + last * DAY, KOLKATA)
    assert "six months" in caught.value.hint
