"""No more bytes a second than were allowed, evenly, whatever the sizes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.bandwidth import BURST_S, Bucket, Throttle
from worker.sections import Workers
from worker.values import Rate, parse_rate

RATE = 1000.0


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 3)), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_what_comes_is_within_the_rate_however_it_comes(
    pieces: list[tuple[int, float]], burst_s: float
) -> None:
    """After the wait that it names, all that was taken is within the rate and the burst."""
    bucket = Bucket(RATE, burst_s=burst_s)
    began = now = 100.0
    taken = 0
    for size, rest in pieces:
        now += rest
        now += bucket.take(size, now)
        taken += size
        assert taken <= RATE * (now - began + burst_s) * (1 + 1e-9) + 1e-6


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40))
def test_who_takes_without_a_rest_gets_the_whole_rate(sizes: list[int]) -> None:
    """Nothing is lost to small pieces."""
    bucket = Bucket(RATE)
    now = 100.0
    for size in sizes:
        now += bucket.take(size, now)
    assert now - 100.0 == pytest.approx(sum(sizes) / RATE)


def test_what_was_not_used_is_not_saved_up_beyond_the_burst() -> None:
    """After an hour of nothing the line is not filled for an hour."""
    bucket = Bucket(RATE, burst_s=0.25)
    assert bucket.take(1000, 0.0) == pytest.approx(0.75)
    assert bucket.take(1000, 3600.0) == pytest.approx(0.75)
    assert bucket.take(1000, 3600.0) == pytest.approx(1.75)


async def test_downloads_side_by_side_keep_to_one_rate() -> None:
    """Each gets its turn, and all together no more; what sleeps too long loses nothing."""
    moment = [0.0]
    order: list[str] = []
    lateness = 0.01

    async def sleep(seconds: float) -> None:
        until = moment[0] + seconds
        await asyncio.sleep(0)
        moment[0] = max(moment[0], until + lateness)

    throttle = Throttle(RATE, clock=lambda: moment[0], sleep=sleep)

    async def load(name: str) -> None:
        for _ in range(50):
            await throttle.take(100)
            order.append(name)

    await asyncio.gather(load("a"), load("b"))
    assert 100 * 100 / RATE - BURST_S <= moment[0] <= 100 * 100 / RATE + 2 * lateness
    assert abs(order[:50].count("a") - 25) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), (0, 0), ("5MiB", 5 * 2**20), ("10M", 10_000_000), ("500k", 500_000)],
)
def test_a_rate_is_written_as_people_do(text: object, expected: int) -> None:
    """With or without the second."""
    assert parse_rate(text) == expected
    assert parse_rate(f"{text}/s") == expected


@pytest.mark.parametrize("text", ["", "1", "15KiB", "fast", "-5M", True, None, 5.5])
def test_what_is_no_rate_or_would_never_end_is_refused(text: object) -> None:
    """A typing mistake must not keep all recordings until they are deleted."""
    with pytest.raises(ValueError, match="16 KiB at least"):
        parse_rate(text)


def test_each_process_has_an_equal_share() -> None:
    """So that none has to ask another."""
    workers = Workers(processes=4, limit_rate=Rate(1_000_000))
    assert workers.rate_of_process == 250_000
    assert Workers(processes=4).rate_of_process == 0
