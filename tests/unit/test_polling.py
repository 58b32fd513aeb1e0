"""When the listing is asked, and for which time: `archive.polling`."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.history import HISTORY, LOOKBACK
from archive.polling import (
    HOLD,
    LONG,
    LONGEST,
    OVERLAP,
    REACH,
    SWEEP,
    Mark,
    Poll,
    Walk,
    former,
    heard_since,
    is_believed,
    is_due,
    next_windows,
    rest_after,
)
from archive.windows import Window
from tests.unit.books import NOW

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POLL = Poll()
GAPS = st.lists(
    st.one_of(
        st.timedeltas(MINUTE, 20 * MINUTE),
        st.timedeltas(HOUR, 12 * HOUR),
    ),
    min_size=1,
    max_size=6,
)


def rounds_after(start: datetime, gaps: list[timedelta]) -> list[datetime]:
    """Return when rounds are made: one at the start, each so long after the one before."""
    moments = [start]
    for gap in gaps:
        moments.append(moments[-1] + gap)
    return moments


def is_seen(created: datetime, listed: datetime, duration: timedelta, at: list[datetime]) -> bool:
    """Tell whether rounds at these moments see a call."""
    marks: dict[Walk, Mark] = {}
    for now in at:
        for walk in Walk:
            if not is_due(walk, marks.get(walk), now):
                continue
            for window in next_windows(walk, marks.get(walk), now, POLL):
                fits = walk is Walk.RECENT or duration >= LONG
                if listed <= now and fits and window.start <= created <= window.end:
                    return True
                marks[walk] = Mark(window.end, now)
    return False


@given(
    GAPS,
    st.timedeltas(timedelta(0), 12 * HOUR),
    st.timedeltas(timedelta(0), LONGEST),
    st.timedeltas(timedelta(0), 5 * MINUTE),
)
def test_every_call_is_seen_however_long_it_lasts_and_nobody_polls(
    gaps: list[timedelta], later: timedelta, duration: timedelta, lag: timedelta
) -> None:
    """Of whatever length up to four hours, listed up to five minutes after its end, in any pauses.

    Two rounds come in the end, more than an hour after all is listed, as the sweep is hourly.
    """
    created = NOW + later
    listed = created + duration + lag
    at = rounds_after(NOW, gaps)
    at += rounds_after(max(at[-1], listed) + 10 * MINUTE, [SWEEP])
    assert is_seen(created, listed, duration, at)


def test_without_the_long_walk_a_long_call_would_be_missed() -> None:
    """What the walk is for: polled every minute, a call of an hour is never in the overlap."""
    at = rounds_after(NOW, [MINUTE] * 130)
    created = NOW + 5 * MINUTE
    assert not is_seen(created, created + HOUR, timedelta(0), at)
    assert is_seen(created, created + HOUR, HOUR, at)


@given(
    st.sampled_from(Walk),
    st.none() | st.builds(lambda d: Mark(NOW - d, NOW - d), st.timedeltas(-DAY, 2 * HISTORY)),
)
def test_windows_join_and_fit_the_providers_rules(walk: Walk, mark: Mark | None) -> None:
    """One begins where the other ends, none is of more than a month, all within its history.

    The last ends where calls have settled, and no stretch since the watermark is left out.
    """
    windows = next_windows(walk, mark, NOW, POLL)
    assert [window.end for window in windows[:-1]] == [window.start for window in windows[1:]]
    assert windows[-1].end == NOW - POLL.settle
    assert all(timedelta(0) < window.end - window.start <= LOOKBACK for window in windows)
    assert windows[0].start > NOW - HISTORY
    back = OVERLAP if walk is Walk.RECENT else REACH
    if mark is not None:
        assert windows[0].start <= max(mark.until - back, NOW - HISTORY + MINUTE)


def test_the_first_round_reaches_back_as_far_as_is_set() -> None:
    """The recent walk; the long one takes the longest call."""
    poll = Poll(first=3 * DAY)
    assert next_windows(Walk.RECENT, None, NOW, poll)[0].start == NOW - 3 * DAY
    assert next_windows(Walk.LONG, None, NOW, poll)[0].start == NOW - poll.settle - REACH


def test_the_long_walk_is_due_once_an_hour() -> None:
    """The recent one in every round; a clock that was set back puts nothing off."""
    for moved, due in ((0, False), (59, False), (60, True), (-1, True)):
        mark = Mark(NOW, NOW - moved * MINUTE)
        assert is_due(Walk.LONG, mark, NOW) is due
        assert is_due(Walk.RECENT, mark, NOW)
    assert is_due(Walk.LONG, None, NOW)


@pytest.mark.parametrize(
    ("requests", "per_minute", "minutes"),
    [(1, 200, 1), (4, 200, 1), (40, 200, 10), (1000, 200, 20), (40, 400, 5)],
)
def test_large_rounds_are_further_apart(requests: int, per_minute: int, minutes: int) -> None:
    """A fiftieth of the limit, no closer than is set and no further than the overlap."""
    assert rest_after(requests, per_minute=per_minute, every=MINUTE) == minutes * MINUTE


def test_former_stretches_are_of_weeks_where_two_are_known_else_of_days() -> None:
    """At most four weeks or seven days; of less than two days nothing can be said."""
    window = Window(NOW - HOUR, NOW)
    told = [len(former(window, NOW - known * DAY - 2 * HOUR)) for known in (0, 1, 2, 9, 13, 14, 99)]
    assert told == [0, 0, 2, 7, 7, 2, 4]
    assert former(window, NOW - 14 * DAY - HOUR)[1] == Window(NOW - 14 * DAY - HOUR, NOW - 14 * DAY)
    assert former(window, NOW - 3 * DAY)[0] == Window(NOW - DAY - HOUR, NOW - DAY)


def test_an_empty_answer_is_believed_after_some_hours() -> None:
    """A holiday must not block polling for good."""
    assert not is_believed(NOW - HOLD + MINUTE, NOW)
    assert is_believed(NOW - HOLD, NOW)


def test_rounds_that_follow_each_other_leave_no_silence() -> None:
    """One that came too late, or before a clock was set back, is heard at its own moment."""
    for moved, heard in ((5, NOW - 5 * MINUTE), (11, NOW), (-1, NOW)):
        assert heard_since(Mark(NOW, NOW - moved * MINUTE), NOW, 10 * MINUTE) == heard
    assert heard_since(None, NOW, 10 * MINUTE) == NOW
