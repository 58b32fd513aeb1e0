"""The provider's wall times, their blanks and their zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.provider_time import day_of, end_of, format_time, month_of, parse_time

IST = ZoneInfo("Asia/Kolkata")
ZONES = [IST, ZoneInfo("UTC"), ZoneInfo("America/St_Johns"), ZoneInfo("Asia/Singapore")]
BEGAN = datetime(2026, 1, 31, 18, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-01 00:15:00",
        " 2026-02-01 00:15:00\n",
        "2026-02-01T00:15:00",
        "2026-02-01T00:15:00+05:30",
        "2026-01-31T18:45:00Z",
        "2026-02-01 02:45:00+08:00",
    ],
)
def test_every_documented_form_gives_the_same_moment(text: str) -> None:
    """Without an offset it is the account's zone; with one it is what the offset says."""
    moment = parse_time(text, IST)
    assert (moment, moment and moment.tzinfo) == (BEGAN, UTC)


@pytest.mark.parametrize("text", ["", "  ", "-", "N/A", "null", "None", "NaN"])
def test_blanks_are_no_time(text: str) -> None:
    """What people and programs write for "nothing" is nothing."""
    assert parse_time(text, IST) is None


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01 05:30:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31 23:59:59",
        "2026-02-30 10:00:00",
        "01/02/2026 10:00",
        "yesterday",
        "1770000000",
        "\ud800",
    ],
)
def test_what_is_no_calls_time_is_refused(text: str) -> None:
    """The provider's "unset" dates too, so that no call is taken for one of 1970."""
    with pytest.raises(ValueError, match=r"."):
        parse_time(text, IST)


@given(
    st.datetimes(datetime(2006, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(ZONES),
)
def test_a_written_moment_is_read_back(moment: datetime, zone: ZoneInfo) -> None:
    """Except for the hour that comes twice when clocks go back, whose wall time is not enough."""
    moment = moment.replace(microsecond=0)
    read = parse_time(format_time(moment, zone), zone)
    assert read is not None
    assert moment - read in {timedelta(0), timedelta(hours=1)}
    assert format_time(moment, zone) == format_time(read, zone)


def test_day_and_month_are_those_of_the_accounts_zone() -> None:
    """A quarter to seven in the evening in UTC is the next month in India."""
    assert (day_of(BEGAN, IST), month_of(BEGAN, IST)) == ("2026-02-01", "2026-02")
    assert (day_of(BEGAN, ZONES[1]), month_of(BEGAN, ZONES[1])) == ("2026-01-31", "2026-01")
    assert (day_of(None, IST), month_of(None, IST)) == ("", "")


def test_a_calls_end_follows_from_what_is_known() -> None:
    """Its end, else its beginning and duration, else nothing; a nonsense duration adds nothing."""
    ended = BEGAN + timedelta(seconds=65)
    assert ended == end_of(BEGAN, ended, 7)
    assert ended == end_of(None, ended, None)
    assert ended == end_of(BEGAN, None, 65)
    assert end_of(BEGAN, None, -5) == BEGAN
    assert end_of(None, None, 65) is None
