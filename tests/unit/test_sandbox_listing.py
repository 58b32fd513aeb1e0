"""The rules of the bulk listing: filters, windows, cursors."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import listing
from sandbox.calls import Call, Provider
from sandbox.listing import BadRequestError, Page

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Kolkata")
PROVIDER = Provider(
    calls=300,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=ZONE,
    launched=NOW,
)
OLD = replace(PROVIDER, first=NOW - timedelta(days=80), span=timedelta(days=80))
ALL = [PROVIDER.call(index) for index in range(300)]


def ask(provider: Provider = PROVIDER, now: datetime = NOW, /, **query: str) -> Page:
    """Ask for a page of calls."""
    return listing.find(listing.read(query, now, ZONE), provider, now)


def wall(moment: datetime) -> str:
    """Write a moment as the provider does."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def test_by_default_the_fifty_newest_calls_come() -> None:
    """Without anything asked, the page has 50 calls, the newest first."""
    page = ask()
    assert list(reversed(ALL))[:50] == list(page.calls)
    expected = (300, False, True)
    assert expected == (page.total, page.has_previous, page.has_next)


@given(st.integers(1, 100), st.sampled_from(["asc", "desc"]))
@settings(max_examples=20, deadline=None)
def test_following_after_meets_every_call_once(rows: int, order: str) -> None:
    """The cursors lead through all calls, in order, none twice."""
    query = {"PageSize": str(rows), "SortBy": f"DateCreated:{order}"}
    page = ask(**query)
    met = list(page.calls)
    while page.has_next:
        page = ask(**query, After=page.calls[-1].sid)
        met += page.calls
    assert (ALL if order == "asc" else ALL[::-1]) == met


@given(st.integers(1, 100), st.sampled_from(["asc", "desc"]))
@settings(max_examples=20, deadline=None)
def test_before_leads_back(rows: int, order: str) -> None:
    """The page before the second page is the first page."""
    query = {"PageSize": str(rows), "SortBy": f"DateCreated:{order}"}
    first = ask(**query)
    second = ask(**query, After=first.calls[-1].sid)
    back = ask(**query, Before=second.calls[0].sid)
    assert first.calls == back.calls
    expected = (False, True)
    assert expected == (back.has_previous, back.has_next)


def test_a_hundred_sids_are_answered_in_one_page() -> None:
    """Sids find their calls, whatever their order; unknown ones are left out."""
    wanted = [ALL[index] for index in (7, 250, 99)]
    sids = ",".join([*(call.sid for call in wanted), "0" * 32])
    page = ask(Sid=sids, SortBy="DateCreated:asc")
    assert sorted(wanted, key=lambda call: call.index) == list(page.calls)
    assert len(wanted) == page.total


def test_a_window_includes_both_its_ends() -> None:
    """Calls that started at the very seconds asked for are in the answer."""
    low, high = ALL[10].started_at, ALL[20].started_at
    page = ask(DateCreated=f"gte:{wall(low)};lte:{wall(high)}", SortBy="DateCreated:asc")
    expected = [call for call in ALL if low <= call.started_at <= high]
    assert expected == list(page.calls)


@pytest.mark.parametrize("bound", ["gte", "lte"])
def test_a_window_may_have_one_end(bound: str) -> None:
    """With only one bound the other end is now, or a month earlier."""
    middle = ALL[150].started_at
    page = ask(DateCreated=f"{bound}:{wall(middle)}")
    is_in = {"gte": lambda c: c.started_at >= middle, "lte": lambda c: c.started_at <= middle}
    assert sum(map(is_in[bound], ALL)) == page.total


def test_without_dates_only_31_days_are_seen() -> None:
    """Older calls need a window, even when they are asked for by Sid."""
    old = OLD.call(0)
    window = f"gte:{wall(old.started_at)};lte:{wall(old.started_at + timedelta(days=31))}"
    assert ask(OLD, Sid=old.sid).total == 0
    assert (old,) == ask(OLD, Sid=old.sid, DateCreated=window).calls
    assert all(NOW - call.started_at <= timedelta(days=31) for call in ask(OLD).calls)


def test_history_ends_after_six_months() -> None:
    """A call of more than six months ago is no longer listed, whatever the window."""
    ancient = replace(PROVIDER, first=NOW - timedelta(days=190))
    start = ancient.call(0).started_at
    window = f"gte:{wall(start)};lte:{wall(start + timedelta(days=2))}"
    assert ask(ancient, DateCreated=window).total == 0


def test_calls_going_on_and_to_come_are_left_out() -> None:
    """Only calls that have ended are listed and counted, in time with the clock."""
    for call in (ALL[100], ALL[101], ALL[102]):
        now = call.started_at + timedelta(seconds=call.duration / 2)
        ended = [other for other in ALL if other.ended_at <= now]
        page = ask(PROVIDER, now, PageSize="100")
        assert len(ended) == page.total
        assert ended[::-1][:100] == list(page.calls)


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ({"Status": "busy"}, lambda call: call.status == "busy"),
        ({"Status": "busy,failed"}, lambda call: call.status in {"busy", "failed"}),
        ({"Direction": "inbound"}, lambda call: call.direction == "inbound"),
        ({"To": ALL[5].called}, lambda call: call.called == ALL[5].called),
        ({"From": ALL[5].caller}, lambda call: call.caller == ALL[5].caller),
        ({"PhoneNumber": ALL[5].exophone}, lambda call: call.exophone == ALL[5].exophone),
        ({"Duration": "gte:10s;lte:20s"}, lambda call: 10 <= call.duration <= 20),
        ({"Duration": "gte:30"}, lambda call: call.duration >= 30),
    ],
)
def test_filters(query: dict[str, str], passes: Callable[[Call], bool]) -> None:
    """Each filter lets through the calls it names and no others."""
    expected = [call for call in ALL[::-1] if passes(call)]
    page = ask(**query, PageSize="100")
    assert expected[:100] == list(page.calls)
    assert len(expected) == page.total > 0


@pytest.mark.parametrize(
    "query",
    [
        {"Sid": ",".join(["a"] * 101)},
        {"PhoneNumber": "1,2,3,4,5,6"},
        {"PageSize": "101"},
        {"PageSize": "0"},
        {"PageSize": "many"},
        {"SortBy": "Price"},
        {"Status": "lost"},
        {"Direction": "up"},
        {"Duration": "long"},
        {"DateCreated": "yesterday"},
        {"DateCreated": "gte:2026-01-01"},
        {"DateCreated": "gte:2026-01-01 00:00:00;lte:2026-02-01 00:00:01"},
        {"DateCreated": "gte:2026-01-01 00:00:00"},
        {"After": "unknown"},
    ],
    ids=lambda query: "-".join(f"{name}={text[:24]}" for name, text in query.items()),
)
def test_what_breaks_a_rule_is_refused(query: dict[str, str]) -> None:
    """Each broken rule is a bad request with a text that names what was wrong."""
    with pytest.raises(BadRequestError):
        ask(**query)


def test_a_whole_month_may_be_asked_for() -> None:
    """A window of 31 days is allowed to its last second."""
    window = "gte:2026-01-01 00:00:00;lte:2026-01-31 23:59:59"
    assert listing.read({"DateCreated": window}, NOW, ZONE).low.day == 1


@pytest.mark.parametrize("minutes", [None, "5", "60"])
def test_a_validity_of_5_to_60_minutes_is_allowed(minutes: str | None) -> None:
    """The life of presigned URLs is 5 to 60 minutes, both included."""
    query = {} if minutes is None else {"RecordingUrlValidity": minutes}
    expected = None if minutes is None else int(minutes)
    assert expected == listing.validity_minutes(query)


@pytest.mark.parametrize("minutes", ["4", "61", "0", "-5", "5m", ""])
def test_any_other_validity_is_refused(minutes: str) -> None:
    """Outside of its range a validity is a bad request."""
    with pytest.raises(BadRequestError, match="RecordingUrlValidity"):
        listing.validity_minutes({"RecordingUrlValidity": minutes})
