"""How often the provider may be asked: one limit per account over all workers on all hosts.

The pace is GCRA (a leaky bucket kept as one time) in a script that Redis runs on its own clock, so
that neither the number of workers nor their clocks matter. An account has a bucket for everything
and one for each kind of request with nine tenths of it: a kind that is alone gets 90 % of what
the account may, and another always finds 10 % free, whatever the first one does. At 200 a minute
that is a burst of 20 and then 180 a minute for all, 18 and 162 for one kind.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from redis.exceptions import RedisError

from archive.errors import QueueError
from jobs.queue import name_trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from redis.asyncio import Redis

Kind = Literal["resolve", "listing"]

MINUTE_S: Final = 60.0
# A look now and then during a long wait: a raised limit or an emptied Redis is noticed.
LONGEST_NAP_S: Final = 5.0
# The provider's headers are believed up to here: a mistaken one must not stop us for days.
LONGEST_HOLD_S: Final = 3_600.0

# KEYS: the hold, the bucket of the account, the bucket of the kind. ARGV: now in µs (empty: the
# server's clock), then for each bucket its step and its slack in µs. Answers the milliseconds to
# wait; 0 says go, and only then is anything taken. A bucket keeps the time at which it is empty
# again. It can be full at most, which also bounds the wait after a clock that was set back or a
# limit that was changed.
TAKE: Final = """
local t = redis.call('TIME')
local now = tonumber(ARGV[1]) or t[1] * 1000000 + t[2]
local wait = redis.call('PTTL', KEYS[1]) * 1000
local after = {}
for i = 2, 3 do
  local step, slack = tonumber(ARGV[2 * i - 2]), tonumber(ARGV[2 * i - 1])
  local empty = math.max(now, tonumber(redis.call('GET', KEYS[i]) or now))
  empty = math.min(empty, now + step + slack)
  wait = math.max(wait, empty - slack - now)
  after[i] = empty + step
end
if wait > 0 then return math.ceil(wait / 1000) end
for i = 2, 3 do
  local life = math.ceil((after[i] - now) / 1000)
  redis.call('SET', KEYS[i], string.format('%.0f', after[i]), 'PX', life)
end
return 0
"""

# KEYS: the hold. ARGV: milliseconds. The key's own life is the hold; a longer one stays.
HOLD: Final = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
end
"""


class Pace(NamedTuple):
    """A bucket in whole microseconds: the time one request costs, and how far ahead it may run."""

    step_us: int
    slack_us: int


def paces(limit: int, period_s: float) -> tuple[Pace, Pace]:
    """Return the paces of an account and of each kind for ``limit`` requests in ``period_s``.

    A burst of b and a steady rate of r in a period let at most b + r through in any stretch of that
    length; a tenth of the limit is burst and the rest rate, so their sum is the limit.
    """
    period_us = round(period_s * 1_000_000)
    burst = max(1, limit // 10)
    rate = limit - burst
    # A limit of one leaves no rate: one step, just over the period, keeps two from one stretch.
    step = -(-period_us // rate) if rate else period_us + 1
    part_step = -(-step * 10 // 9)
    part_burst = max(1, burst * 9 // 10)
    return Pace(step, (burst - 1) * step), Pace(part_step, (part_burst - 1) * part_step)


class RedisLimiter:
    """Hands out turns to ask the provider, over every process that shares this Redis.

    ``per_minute`` tells an account's limit in requests a minute; a lower one that the provider
    announces is kept to. ``period_s`` is that minute, shorter only to try things out. Every key
    expires by itself. A Redis that was emptied has forgotten what was taken: up to a tenth more
    than the limit may then pass in that one minute.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        per_minute: Callable[[str], int],
        prefix: str = "callvault:limit:",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        period_s: float = MINUTE_S,
    ) -> None:
        self._per_minute = per_minute
        self._prefix = prefix
        self._sleep = sleep
        self._period_s = period_s
        self._take = redis.register_script(TAKE)
        self._hold = redis.register_script(HOLD)
        self._announced: dict[str, int] = {}
        # In a process one waiter at a time asks Redis, in the order they came.
        self._queues: defaultdict[tuple[str, Kind], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def acquire(self, account: str, kind: Kind) -> None:
        """Wait for a turn to make one request of this kind; the turn is then taken.

        Raises QueueError when Redis cannot be asked. Nothing may be requested then: others may be
        using the limit up.
        """
        async with self._queues[account, kind]:
            while wait_s := await self._ask(account, kind):
                await self._sleep(min(wait_s, LONGEST_NAP_S))

    async def hold(self, account: str, seconds: float) -> None:
        """Let nobody ask for this account for so many seconds (an hour at most).

        A hold that lasts longer stays. Raises QueueError when Redis cannot be told.
        """
        # Written so that "not a number" holds nothing.
        if not seconds > 0:
            return
        hold_ms = max(1, round(min(seconds, LONGEST_HOLD_S) * 1_000))
        with self._reaching_redis("hold back requests", account):
            await self._hold(keys=[self._key(account, "hold")], args=[hold_ms])

    async def observe(
        self,
        account: str,
        *,
        limit: int | None,
        remaining: int | None,
        reset_s: float | None,
        retry_after_s: float | None,
    ) -> None:
        """Follow what an answer's headers say; None for one that did not come.

        ``limit`` and ``remaining`` are requests, ``reset_s`` the seconds until more are allowed,
        ``retry_after_s`` the seconds to stay away. Others use the account too: when a twentieth
        of the limit is left, everybody waits for the reset (a tenth of a minute where that is not
        told), so that what is on its way still fits. Raises QueueError when Redis cannot be told.
        """
        if limit is not None and limit > 0:
            self._announced[account] = limit
        if retry_after_s is not None:
            await self.hold(account, retry_after_s)
        if remaining is not None and remaining <= self._limit(account) // 20:
            await self.hold(account, self._period_s / 10 if reset_s is None else reset_s)

    async def _ask(self, account: str, kind: Kind) -> float:
        """Take a turn and return 0, or return the seconds until it is worth asking again."""
        whole, part = paces(self._limit(account), self._period_s)
        with self._reaching_redis("wait for a turn", account):
            wait_ms = await self._take(
                keys=[self._key(account, name) for name in ("hold", "all", kind)],
                args=["", *whole, *part],
            )
        return int(wait_ms) / 1_000

    def _limit(self, account: str) -> int:
        configured = self._per_minute(account)
        return max(1, min(configured, self._announced.get(account, configured)))

    def _key(self, account: str, name: str) -> str:
        return f"{self._prefix}{account}:{name}"

    @contextmanager
    def _reaching_redis(self, doing: str, account: str) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise QueueError(
                f"could not {doing} to the provider for account {account}: "
                f"{name_trouble(error).text}",
                hint="nothing is asked of the provider until Redis is back; see [queue] url",
            ) from error
