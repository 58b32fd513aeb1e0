"""Durations, sizes, times and zones as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest

from sandbox import options

KOLKATA = ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize(
    ("expected", "text"), [(90, "90s"), (90, "90"), (1_800, "30m"), (43_200, "12h"), (36, "0.01h")]
)
def test_durations(expected: int, text: str) -> None:
    """A duration is a number with a unit; without one it is seconds."""
    assert timedelta(seconds=expected) == options.duration(text)


@pytest.mark.parametrize(
    ("expected", "text"),
    [(129_000, "129KB"), (1_048_576, "1 MiB"), (4_000, "4000"), (1_500, "1.5kb")],
)
def test_sizes(expected: int, text: str) -> None:
    """A size is a number with a decimal or a binary unit; without one it is bytes."""
    assert expected == options.size(text)


@pytest.mark.parametrize("text", ["", "12x", "h", "-1s", "1h30m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A duration that cannot be read is a usage error, not a guess."""
    with pytest.raises(click.BadParameter, match="is not a duration"):
        options.duration(text)


def test_a_time_without_an_offset_is_a_wall_time() -> None:
    """A bare time is read in the provider's zone, one with an offset as it says."""
    expected = datetime(2026, 1, 31, 3, 30, tzinfo=UTC)
    assert expected == options.moment("2026-01-31T09:00:00", KOLKATA)
    assert expected == options.moment("2026-01-31T04:30:00+01:00", KOLKATA)


def test_zones_and_times_that_are_none_are_refused() -> None:
    """A misspelt zone or time is a usage error."""
    expected = ZoneInfo("Asia/Kolkata")
    assert expected == options.zone("Asia/Kolkata")
    with pytest.raises(click.BadParameter, match="is not a zone"):
        options.zone("Asia/Nowhere")
    with pytest.raises(click.BadParameter, match="is not a time"):
        options.moment("yesterday", KOLKATA)
