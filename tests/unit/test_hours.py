"""The hours of a backfill by the wall clock: midnight, weekends, changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.hours import (
    ALWAYS,
    Backfill,
    OpenTime,
    changes,
    closed_at,
    is_held,
    is_open,
    open_since,
    opened_for,
    opens_at,
    usable,
)

KOLKATA = ZoneInfo("Asia/Kolkata")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [KOLKATA, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]
NIGHTS = Backfill(hours=("22:00-06:00",), days=("sat", "sun"))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# Around both changes of the clock of 2026 in the zones, and any other time.
MOMENTS = st.sampled_from(
    [
        datetime(2026, 3, 28, 12, tzinfo=UTC),
        datetime(2026, 10, 24, 12, tzinfo=UTC),
        datetime(2026, 3, 7, 20, tzinfo=UTC),
        datetime(2026, 10, 31, 20, tzinfo=UTC),
        datetime(2026, 4, 4, 3, tzinfo=UTC),
        datetime(2026, 10, 3, 3, tzinfo=UTC),
    ]
).flatmap(lambda at: st.integers(0, 2 * 24 * 60).map(lambda minutes: at + minutes * MINUTE))
CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
RULES = st.builds(
    Backfill,
    hours=st.lists(st.builds("{}-{}".format, CLOCKS, CLOCKS), max_size=2).map(tuple),
    days=st.sets(st.sampled_from(["sat", "sun", "mon"]), max_size=2).map(tuple),
)


def at(text: str, zone: ZoneInfo = KOLKATA) -> datetime:
    """Return a moment by a clock on the wall."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24 21:59", False),  # a Tuesday
        ("2026-11-24 22:00", True),
        ("2026-11-24 23:59", True),
        ("2026-11-25 00:00", True),
        ("2026-11-25 05:59", True),
        ("2026-11-25 06:00", False),
        ("2026-11-27 21:59", False),
        ("2026-11-28 12:00", True),
        ("2026-11-29 21:00", True),
        ("2026-11-30 05:59", True),
        ("2026-11-30 06:00", False),
    ],
)
def test_windows_are_by_the_account_s_clock(text: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A night goes through midnight, a named day is open from midnight to midnight."""
    assert expected == is_open(NIGHTS, KOLKATA, at(text))


def test_without_hours_it_is_always_open() -> None:
    """And nothing ever changes."""
    now = at("2026-11-24 12:00")
    assert not ALWAYS.is_bound
    assert is_open(ALWAYS, KOLKATA, now)
    assert opens_at(ALWAYS, KOLKATA, now) == now
    assert open_since(ALWAYS, KOLKATA, now) is closed_at(ALWAYS, KOLKATA, now) is None
    assert list(changes(ALWAYS, KOLKATA, now, now + 30 * DAY)) == []


def test_when_it_opens_and_when_it_closed() -> None:
    """Of the present window or the one to come."""
    now = at("2026-11-24 12:00")
    assert opens_at(NIGHTS, KOLKATA, now) == at("2026-11-24 22:00")
    assert closed_at(NIGHTS, KOLKATA, now) == at("2026-11-24 06:00")
    assert open_since(NIGHTS, KOLKATA, now) is None
    later = at("2026-11-28 12:00")
    assert opens_at(NIGHTS, KOLKATA, later) == later
    assert open_since(NIGHTS, KOLKATA, later) == at("2026-11-27 22:00")
    assert closed_at(NIGHTS, KOLKATA, later) is None


def test_a_window_that_begins_in_the_hour_left_out_begins_as_that_is_over() -> None:
    """In Berlin 02:30 of 29 March 2026 is on no clock."""
    rule = Backfill(hours=("02:30-05:00",))
    now = at("2026-03-29 01:00", BERLIN)
    assert opens_at(rule, BERLIN, now) == at("2026-03-29 03:00", BERLIN)


@given(RULES, st.sampled_from(ZONES), MOMENTS)
@settings(max_examples=60)
def test_changes_are_where_minute_by_minute_they_are_seen(
    rule: Backfill, zone: ZoneInfo, begin: datetime
) -> None:
    """Also where clocks are put forward or back, by an hour or by half of one."""
    minutes = [begin + n * MINUTE for n in range(30 * 60 + 1)]
    seen = [is_open(rule, zone, minute) for minute in minutes]
    expected = [
        minute
        for minute, before, now in zip(minutes[1:], seen, seen[1:], strict=False)
        if before != now
    ]
    assert expected == list(changes(rule, zone, begin, minutes[-1]))
    open_time = OpenTime(rule, zone, begin, minutes[-1])
    for at_minute in (0, 1, 700, 1800):
        assert sum(seen[:at_minute]) * MINUTE == open_time.until(minutes[at_minute])
    opening = next((m for m, is_ in zip(minutes, seen, strict=True) if is_), None)
    if opening is not None:
        assert opening == opens_at(rule, zone, begin)


@given(RULES, st.sampled_from(ZONES), MOMENTS, st.integers(-10, 40), st.integers(-5, 40))
def test_nothing_near_its_deletion_ever_waits_and_nothing_new_does(
    rule: Backfill, zone: ZoneInfo, now: datetime, age_days: int, left_days: int
) -> None:
    """Whatever the hours; and all else waits only while they are closed."""
    held = is_held(rule, zone, began=now - age_days * DAY, delete_by=now + left_days * DAY, now=now)
    expected = not is_open(rule, zone, now) and age_days > 2 and left_days > 3
    assert expected == held
    assert not is_held(rule, zone, began=None, delete_by=now + 90 * DAY, now=now)


@given(RULES, st.sampled_from(ZONES), MOMENTS, st.integers(0, 20 * 24))
def test_the_time_that_may_be_used_is_the_open_time_and_all_of_the_last_days(
    rule: Backfill, zone: ZoneInfo, now: datetime, hours: int
) -> None:
    """It never is more than all of the time, nor less than the urgent part of it."""
    deleted = now + hours * HOUR
    found = usable(rule, OpenTime(rule, zone, now, now + 21 * DAY), now, deleted)
    assert min(rule.urgent, deleted - now) <= found <= deleted - now
    if not rule.is_bound:
        assert found == deleted - now


def test_a_week_of_nights_and_a_weekend_has_its_hours() -> None:
    """Five nights of eight hours, of which the weekend has some, and two whole days."""
    monday = at("2026-11-23 00:00")
    week = OpenTime(NIGHTS, KOLKATA, monday, monday + 7 * DAY)
    # Monday to Friday: six hours before dawn and two before midnight; then two days.
    assert week.until(monday + 7 * DAY) == timedelta(hours=5 * 8 + 48)


@pytest.mark.parametrize(
    "text",
    [
        "22:00",
        "22-06",
        "24:00-06:00",
        "22:00-06:60",
        "22:00 - 06:00",
        "",
        "x22:00-06:00",
        "22:00-22:00",
        "00:00-00:00",
    ],
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    """As the settings read it."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"hours": [text]}, Backfill)


def test_24_00_is_the_day_s_end() -> None:
    """As people write it."""
    rule = msgspec.convert({"hours": ["18:00-24:00"]}, Backfill)
    assert is_open(rule, KOLKATA, at("2026-11-24 23:59"))
    assert not is_open(rule, KOLKATA, at("2026-11-25 00:00"))


@given(now=MOMENTS, zone=st.sampled_from(ZONES), minutes=st.integers(1, 40_000))
@settings(max_examples=40, deadline=None)
def test_so_much_open_time_has_passed_when_it_is_told(
    now: datetime, zone: ZoneInfo, minutes: int
) -> None:
    """Not a moment before; through weeks, and changes of the clock."""
    needed = minutes * MINUTE
    end = opened_for(NIGHTS, zone, now, needed)
    assert needed == OpenTime(NIGHTS, zone, now, end + DAY).until(end)
    assert is_open(NIGHTS, zone, end - timedelta(microseconds=1))
    assert now + needed == opened_for(ALWAYS, zone, now, needed)
