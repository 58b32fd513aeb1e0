"""The limiter: never over the limit in any stretch of a minute, whoever asks, on real Valkey."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis as PlainRedis
from redis.asyncio import Redis

from archive.errors import QueueError
from jobs.limiter import TAKE, Kind, RedisLimiter, paces

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
MINUTE_US: Final = 60_000_000
START_US: Final = 1_700_000_000_000_000

accounts = (f"example-{number}" for number in itertools.count())

# Takes 25 turns and prints the moments between which each was given, on the machine's one clock.
ASKER: Final = """
import asyncio, json, sys, time
from redis.asyncio import Redis
from jobs.limiter import RedisLimiter

async def main(url, kind):
    woken = 0.0
    async def sleep(seconds):
        nonlocal woken
        await asyncio.sleep(seconds)
        woken = time.monotonic()
    async with Redis.from_url(url) as redis:
        await redis.ping()
        print("ready", flush=True)
        sys.stdin.readline()
        limiter = RedisLimiter(redis, per_minute=lambda _: 40, sleep=sleep, period_s=0.5)
        turns = []
        for _ in range(25):
            woken = time.monotonic()
            await limiter.acquire("shared", kind)
            turns.append((woken, time.monotonic()))
        print(json.dumps(turns))

asyncio.run(main(*sys.argv[1:]))
"""


class Script:
    """The limiter's script on a made-up clock, for an account of its own."""

    def __init__(self, redis: PlainRedis, limit: int) -> None:
        self._take = redis.register_script(TAKE)
        self._paces = paces(limit, 60)
        self._account = next(accounts)

    def ask(self, now_us: int, kind: Kind = "resolve") -> int:
        """Return the milliseconds to wait, 0 for a turn."""
        keys = [f"{self._account}:{name}" for name in ("hold", "all", kind)]
        whole, part = self._paces
        return int(self._take(keys=keys, args=[now_us, *whole, *part]))

    def use_up(self, now_us: int, kind: Kind = "resolve") -> None:
        """Take all turns that there are at this moment."""
        for _ in range(1_000):
            if self.ask(now_us, kind):
                return
        pytest.fail("there is no end of turns")

    def turns(self, kind: Kind, *, minutes: int) -> list[int]:
        """Return the moments of all turns that one who always wants more is given."""
        now, taken = START_US, list[int]()
        while now < START_US + minutes * MINUTE_US and len(taken) < 10_000:
            wait_ms = self.ask(now, kind)
            taken += [] if wait_ms else [now]
            now += wait_ms * 1_000
        return taken


def most_in_a_minute(moments: list[int]) -> int:
    """Return the largest number of moments within any minute, both of its ends included."""
    return max(
        (sum(start <= at <= start + MINUTE_US for at in moments) for start in moments), default=0
    )


def limiter_of(redis: Redis, limit: int = 200, **more: Any) -> RedisLimiter:  # noqa: ANN401
    """Return a limiter with the same limit for every account."""
    return RedisLimiter(redis, per_minute=lambda _: limit, **more)


class Naps:
    """A sleep that takes no time, notes how long it was to be, and may do something meanwhile."""

    def __init__(self, meanwhile: Callable[[], Any] | None = None) -> None:
        self.taken: list[float] = []
        self._meanwhile = meanwhile

    async def __call__(self, seconds: float) -> None:
        """Note the nap."""
        self.taken.append(seconds)
        if self._meanwhile is not None:
            await self._meanwhile()


@given(limit=st.integers(1, 100_000), period_s=st.floats(0.1, 60))
def test_burst_and_rate_together_stay_under_the_limit(limit: int, period_s: float) -> None:
    """The most that any stretch of a period can let through is the limit, for any limit."""
    whole, part = paces(limit, period_s)
    most = [
        round(period_s * 1e6) // pace.step_us + pace.slack_us // pace.step_us + 1
        for pace in (whole, part)
    ]

    assert max(most) <= limit
    assert part.step_us * 9 >= whole.step_us * 10


@settings(deadline=None, max_examples=60)
@given(
    limit=st.integers(1, 40),
    asks=st.lists(
        st.tuples(
            # Hurried, about the pace, and pauses that let the bucket run empty.
            st.one_of(st.integers(0, 50_000), st.integers(0, 4 * 10**6), st.integers(0, 10**8)),
            st.sampled_from(["resolve", "listing"]),
        ),
        max_size=150,
    ),
)
def test_no_minute_ever_has_more_turns_than_the_limit(
    valkey_url: str, limit: int, asks: list[tuple[int, Kind]]
) -> None:
    """Whenever and for whatever one asks, no sliding minute holds more turns than the limit."""
    with PlainRedis.from_url(valkey_url) as redis:
        script, now, taken = Script(redis, limit), START_US, list[int]()
        for pause_us, kind in asks:
            now += pause_us
            taken += [] if script.ask(now, kind) else [now]

    assert most_in_a_minute(taken) <= limit


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 60, 200])
def test_one_who_waits_as_told_gets_a_turn(valkey_url: str, limit: int) -> None:
    """The wait that is answered is long enough, and at most a millisecond too long."""
    with PlainRedis.from_url(valkey_url) as redis:
        script, now = Script(redis, limit), START_US
        for _ in range(limit + 5):
            wait_ms = script.ask(now)
            if wait_ms:
                assert script.ask(now + (wait_ms - 1) * 1_000) > 0
            now += wait_ms * 1_000
            assert wait_ms == 0 or script.ask(now) == 0


@pytest.mark.parametrize("kind", ["resolve", "listing"])
def test_a_kind_alone_has_nine_tenths(valkey_url: str, kind: Kind) -> None:
    """With only one kind in use it gets its part in full: 81 % steady, up to 90 % with a burst."""
    with PlainRedis.from_url(valkey_url) as redis:
        taken = Script(redis, 200).turns(kind, minutes=10)

    assert most_in_a_minute(taken) in range(178, 181)
    assert len(taken) in range(1_620, 1_640)


def test_a_greedy_kind_leaves_the_other_its_tenth(valkey_url: str) -> None:
    """One kind takes all that it can; the other, at a tenth of the pace, never waits."""
    with PlainRedis.from_url(valkey_url) as redis:
        script = Script(redis, 200)
        tenth_us = paces(200, 60)[0].step_us * 10
        waits = []
        for tick in range(START_US, START_US + 2 * MINUTE_US, tenth_us // 50):
            script.use_up(tick, "resolve")
            if (tick - START_US) % tenth_us < tenth_us // 50:
                waits.append(script.ask(tick, "listing"))

    assert len(waits) in range(35, 38)
    assert {0} == set(waits)


def test_a_clock_set_back_costs_one_step(valkey_url: str) -> None:
    """Redis' host sets its clock back by an hour: nobody waits for an hour."""
    with PlainRedis.from_url(valkey_url) as redis:
        script = Script(redis, 200)
        script.use_up(START_US)

        wait_ms = script.ask(START_US - 3_600_000_000)

    assert 0 < wait_ms <= paces(200, 60)[1].step_us // 1_000 + 1


def test_four_processes_together_stay_under_the_limit(valkey_url: str) -> None:
    """Four processes, half of them listing, ask as fast as they can: 40 in any half second."""
    with PlainRedis.from_url(valkey_url) as redis:
        redis.flushall()
    askers = [
        subprocess.Popen(  # noqa: S603 - our own script, no shell
            [sys.executable, "-c", ASKER, valkey_url, kind],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for kind in ("resolve", "listing") * 2
    ]
    for asker in askers:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "ready\n"
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("\n")
        asker.stdin.flush()
    said = [asker.communicate(timeout=60)[0] for asker in askers]

    turns = [turn for text in said for turn in json.loads(text)]
    # A turn surely fell into a stretch when both of the moments around it did.
    most = max(
        sum(start <= asked and given <= start + 0.5 for asked, given in turns) for start, _ in turns
    )
    took_s = max(given for _, given in turns) - min(asked for asked, _ in turns)
    step_s = paces(40, 0.5)[0].step_us / 1e6
    assert {asker.returncode for asker in askers} == {0}
    assert len(turns) == 100
    assert most <= 40
    # Four at once, then one a step.
    assert took_s >= 95 * step_s


async def test_waiting_is_by_the_sleep_passed_in(redis: Redis) -> None:
    """A full bucket makes the next one wait for a step; what is slept through is then given."""
    naps = Naps(meanwhile=redis.flushall)
    limiter = limiter_of(redis, 2, sleep=naps)

    await limiter.acquire("main", "resolve")
    assert naps.taken == []
    await limiter.acquire("main", "resolve")

    # The longest nap, since the step of 66 s is looked at in between.
    assert naps.taken == [5.0]


async def test_accounts_have_limits_of_their_own(redis: Redis) -> None:
    """What one account has used up costs another nothing."""
    naps = Naps(meanwhile=redis.flushall)
    limiter = limiter_of(redis, 1, sleep=naps)

    await limiter.acquire("main", "resolve")
    await limiter.acquire("other", "resolve")

    assert naps.taken == []


async def test_waiters_of_a_process_are_served_in_turn(redis: Redis) -> None:
    """Those who came first go first."""
    limiter, order = limiter_of(redis, 2, period_s=0.02), list[int]()

    async def wait(number: int) -> None:
        await limiter.acquire("main", "resolve")
        order.append(number)

    await asyncio.gather(*(wait(number) for number in range(5)))

    assert order == [0, 1, 2, 3, 4]


async def test_a_hold_stops_everybody(redis: Redis) -> None:
    """A hold that one limiter sets makes another wait, whatever its kind; other accounts go on."""
    naps = Naps(meanwhile=redis.flushall)
    held = limiter_of(redis, sleep=naps)

    await limiter_of(redis).hold("main", 60)
    await held.acquire("other", "listing")
    assert naps.taken == []
    await held.acquire("main", "listing")

    assert naps.taken == [5.0]


@pytest.mark.parametrize(
    ("holds", "least", "most"),
    [
        ([30, 2], 20_000, 30_000),
        ([2, 30], 20_000, 30_000),
        ([0, -5, float("nan")], -2, -2),
        ([1e12], 3_590_000, 3_600_000),
        ([float("inf")], 3_590_000, 3_600_000),
        ([0.000_001, 30], 20_000, 30_000),
    ],
)
async def test_the_longest_hold_counts(
    redis: Redis, holds: list[float], least: int, most: int
) -> None:
    """A later, shorter hold shortens nothing; nonsense holds nothing, and an hour is the most."""
    limiter = limiter_of(redis)

    for seconds in holds:
        await limiter.hold("main", seconds)

    assert least <= await redis.pttl("callvault:limit:main:hold") <= most


@pytest.mark.parametrize(
    ("seen", "expected_s"),
    [
        ({}, None),
        ({"limit": 200, "remaining": 11, "reset_s": 40.0}, None),
        ({"limit": 200, "remaining": 10, "reset_s": 40.0}, 40),
        ({"remaining": 0}, 6),
        ({"retry_after_s": 30.0}, 30),
        ({"limit": 200, "remaining": 0, "reset_s": 20.0, "retry_after_s": 30.0}, 30),
        ({"limit": 40, "remaining": 3, "reset_s": 9.0}, None),
        ({"limit": 0, "remaining": 3, "reset_s": 9.0}, 9),
    ],
)
async def test_the_providers_headers_are_followed(
    redis: Redis, seen: dict[str, Any], expected_s: int | None
) -> None:
    """Retry-After and a remainder of a twentieth hold everybody; plenty left holds nobody."""
    nothing = dict.fromkeys(("limit", "remaining", "reset_s", "retry_after_s"))

    await limiter_of(redis).observe("main", **(nothing | seen))

    held_ms = await redis.pttl("callvault:limit:main:hold")
    if expected_s is None:
        assert held_ms == -2
    else:
        assert expected_s * 1_000 - 5_000 <= held_ms <= expected_s * 1_000


@pytest.mark.parametrize(("announced", "expected_turns"), [(1, 1), (1_000, 2)])
async def test_a_lower_limit_of_the_provider_is_kept_to(
    redis: Redis, announced: int, expected_turns: int
) -> None:
    """The provider may lower the configured limit, here of 30 with a burst of two, not raise it."""
    naps = Naps(meanwhile=redis.flushall)
    limiter = limiter_of(redis, 30, sleep=naps)
    await limiter.observe("main", limit=announced, remaining=None, reset_s=None, retry_after_s=None)

    turns = 0
    while not naps.taken:
        await limiter.acquire("main", "resolve")
        turns += not naps.taken

    assert expected_turns == turns


async def test_every_key_expires(redis: Redis) -> None:
    """Nothing stays in Redis for an account that is no longer used."""
    limiter = limiter_of(redis, 1)
    await limiter.acquire("main", "resolve")
    await limiter.acquire("other", "listing")
    await limiter.hold("main", 60)

    keys = await redis.keys("*")

    assert len(keys) == 5
    assert all([0 < await redis.pttl(key) <= 67_000 for key in keys])


async def test_without_redis_nothing_is_given(tmp_path: Path) -> None:
    """Nobody listens: the error says that nothing may be asked, and holds cannot be set either."""
    async with Redis.from_url(f"unix://{tmp_path}/nobody.sock") as away:
        limiter = limiter_of(away)

        with pytest.raises(QueueError, match="could not wait for a turn") as caught:
            await limiter.acquire("main", "resolve")
        with pytest.raises(QueueError, match="could not hold back requests"):
            await limiter.hold("main", 1)

    assert "nothing is asked" in caught.value.hint


async def test_a_redis_that_refuses_gives_nothing(redis: Redis) -> None:
    """An answer that is an error (here: a key of the wrong type) is no turn."""
    await redis.zadd("callvault:limit:main:all", {"not a time": 1})

    with pytest.raises(QueueError, match="WRONGTYPE"):
        await limiter_of(redis).acquire("main", "resolve")
