"""The sliding minute, and what the stand-in counts."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from hypothesis import given
from hypothesis import strategies as st

from sandbox.answers import Answer, Endpoint
from sandbox.limits import PeakMinute, SlidingMinute
from sandbox.stats import Stats

START = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = st.lists(st.floats(0, 40), max_size=60)


def moments(steps: list[float]) -> list[datetime]:
    """Turn seconds between requests into their moments."""
    return [START + timedelta(seconds=sum(steps[: n + 1])) for n in range(len(steps))]


def most_in_a_minute(times: list[datetime]) -> int:
    """Count the most moments in any 60 seconds, the slow way."""
    minute = timedelta(seconds=60)
    return max((sum(a <= b < a + minute for b in times) for a in times), default=0)


@given(STEPS, st.integers(1, 5))
def test_never_more_than_the_limit_in_any_minute(steps: list[float], limit: int) -> None:
    """However requests come, no 60 seconds have more admitted ones than the limit."""
    limiter = SlidingMinute(limit)
    admitted = []
    for now in moments(steps):
        allowance = limiter.admit(now)
        assert allowance is not None
        if allowance.allowed:
            admitted.append(now)
    assert most_in_a_minute(admitted) <= limit


def test_room_comes_back_a_minute_after_the_first_request() -> None:
    """The limit is a sliding one: each request stops counting after 60 seconds."""
    limiter = SlidingMinute(2)
    verdicts = []
    for second in (0, 30, 59, 60, 61, 90):
        allowance = limiter.admit(START + timedelta(seconds=second))
        assert allowance is not None
        verdicts.append(allowance.allowed)
    expected = [True, True, False, True, False, True]
    assert expected == verdicts


def test_headers_tell_the_limit() -> None:
    """A refusal says how long to wait, and both answers what remains and until when."""
    limiter = SlidingMinute(1)
    first, second = limiter.admit(START), limiter.admit(START)
    assert first is not None
    assert second is not None
    reset = str(int(START.timestamp()) + 61)
    expected = {
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": reset,
    }
    assert expected == first.headers
    assert expected | {"Retry-After": "30"} == second.headers


def test_no_limit() -> None:
    """A limit of 0 judges nothing."""
    assert SlidingMinute(0).admit(START) is None


@given(STEPS)
def test_the_peak_is_the_most_in_any_minute(steps: list[float]) -> None:
    """The peak is what counting the slow way gives."""
    peak = PeakMinute()
    for now in moments(steps):
        peak.see(now)
    assert most_in_a_minute(moments(steps)) == peak.peak


@given(st.lists(st.integers(0, 99), max_size=50))
def test_downloads_are_counted_once_and_in_all(served: list[int]) -> None:
    """Distinct downloads are told from repeated ones."""
    stats = Stats(100)
    for index in served:
        stats.served(index)
    expected = {"total": len(served), "distinct": len(set(served))}
    assert expected == stats.shown()["downloads"]


def test_requests_are_counted_by_endpoint_and_status() -> None:
    """Each answer is counted under its endpoint; only the API's count for the minute."""
    stats = Stats(1)
    refused = Answer(HTTPStatus.BAD_REQUEST, {}, misplaced=True)
    stats.asked(Endpoint.LISTING, Answer(HTTPStatus.OK, {}), START)
    stats.asked(Endpoint.CALL, Answer(HTTPStatus.NOT_FOUND, {}), START)
    stats.asked(Endpoint.STORAGE, refused, START)
    stats.sent(7)
    expected = {
        "listing": {"200": 1},
        "call": {"404": 1},
        "recording": {},
        "storage": {"400": 1},
        "elsewhere": {},
        "api_requests": 2,
        "api_peak_per_minute": 2,
        "bytes": 7,
        "misplaced_credentials": 1,
        "downloads": {"total": 0, "distinct": 0},
        "faults": {},
    }
    assert expected == stats.shown()


def test_a_reset_forgets_everything() -> None:
    """After a reset the counts are those of the beginning."""
    stats = Stats(9)
    expected = stats.shown()
    stats.asked(Endpoint.CALL, Answer(HTTPStatus.OK, {}), START)
    stats.served(8)
    stats.reset()
    assert expected == stats.shown()
