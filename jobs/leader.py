"""One at a time in the whole cluster: a place in Redis that its holder keeps renewing.

What the leader does is harmless when two do it, so this saves work and is no lock to rely on.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

import structlog

from archive.errors import CatalogError, QueueError, StoreError
from archive.timings import DISPATCH_S, LEADER_S, RESCUE_S
from jobs.queue import queue_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis

    from archive.errors import CallvaultError

DISPATCHING: Final = "callvault:leader"
"""The place of who dispatches and rescues."""
POLLING: Final = "callvault:poller"
"""The place of who polls the provider's listing."""
_KEEP: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""Written anew, not prolonged: a Redis that is out of memory refuses only what is written."""
_LEAVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
_AFTER_TROUBLE_S: Final = 1.0
_COUNTS_S: Final = 60.0
_UNKNOWN: Final = "-"
_log = structlog.get_logger()


class Leader:
    """A leader's place, or a wish for it; ``place`` is which one.

    ``is_ours`` is what was found when it was last asked for.
    """

    def __init__(self, redis: Redis, place: str = DISPATCHING) -> None:
        self._place = place
        self._token = secrets.token_hex(8)
        self._keep = redis.register_script(_KEEP)
        self._leave = redis.register_script(_LEAVE)
        self.is_ours = False

    async def leads(self) -> bool:
        """Take the place if it is free, or renew it; return whether it is ours.

        Raises:
            QueueError: Redis does not answer.
        """
        with queue_errors("asking who leads"):
            kept = await self._keep(keys=[self._place], args=[self._token, LEADER_S * 1000])
        self.is_ours = bool(kept)
        return self.is_ours

    async def leave(self) -> None:
        """Give the place up, so that another takes it at once.

        Raises:
            QueueError: Redis does not answer.
        """
        with queue_errors("leaving the leader's place"):
            await self._leave(keys=[self._place], args=[self._token])


class Duty:
    """Something the leader does every ``every_s`` seconds; long work is followed by a longer rest.

    That takes at most a fifth of the time, whatever the size of the catalog. But no rest is longer
    than ``longest_rest_s``: what took long may have waited for a lock, or for Redis.
    """

    def __init__(
        self,
        name: str,
        every_s: float,
        work: Callable[[], Awaitable[object]],
        *,
        longest_rest_s: float = RESCUE_S,
    ) -> None:
        self.name = name
        self._every_s = every_s
        self._work = work
        self._longest_rest_s = longest_rest_s
        self._next = 0.0

    async def turn(self, now_s: float) -> None:
        """Do it if it is due."""
        if now_s < self._next:
            return
        await self._work()
        took = asyncio.get_running_loop().time() - now_s
        self._next = now_s + took + max(self._every_s, min(4 * took, self._longest_rest_s))


async def _tell_nobody(_: CallvaultError | None) -> None:
    """Keep it to the log."""


async def lead(
    leader: Leader,
    duties: Sequence[Duty],
    stopping: asyncio.Event,
    *,
    beside: Sequence[Duty] = (),
    patience_s: float | None = None,
    tell: Callable[[CallvaultError | None], Awaitable[object]] = _tell_nobody,
) -> None:
    """Do the duties while leading, until ``stopping``; then leave the place.

    What is ``beside`` them is done whoever leads.

    Trouble with Redis, the catalog or the disk is logged once and waited out: the work is still in
    the catalog when they are back. ``tell`` is told of it at each look, and with None when all is
    well: at first, and whenever it is over.

    Raises:
        QueueError, CatalogError, StoreError: the trouble lasted longer than ``patience_s``.
    """
    loop = asyncio.get_running_loop()
    troubled = _UNKNOWN
    sound_at = loop.time()
    while not stopping.is_set():
        rest = DISPATCH_S
        try:
            ours = duties if await leader.leads() else ()
            for duty in (*ours, *beside):
                await duty.turn(loop.time())
            sound_at = loop.time()
            if troubled:
                await tell(None)
                if troubled != _UNKNOWN:
                    _log.info("dispatching again", was=troubled)
                troubled = ""
        except (QueueError, CatalogError, StoreError) as error:
            if patience_s is not None and loop.time() - sound_at > patience_s:
                raise
            rest = _AFTER_TROUBLE_S
            if troubled != type(error).__name__:
                troubled = type(error).__name__
                _log.warning("dispatching stands still", error=error.message, hint=error.hint)
            await tell(error)
        await _rest(stopping, rest)
    try:
        await leader.leave()
    except QueueError:
        _log.debug("the dispatcher's place lapses by itself")


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


def housekeeping(
    *,
    dispatch: Callable[[], Awaitable[object]],
    rescue: Callable[[], Awaitable[object]],
    add_counts_up: Callable[[], Awaitable[object]],
) -> list[Duty]:
    """Return the leader's duties in the order in which they matter."""
    return [
        Duty("rescue", RESCUE_S, rescue),
        Duty("dispatch", DISPATCH_S, dispatch),
        Duty("counts", _COUNTS_S, add_counts_up),
    ]


def root_keeping(keep: Callable[[], Awaitable[object]]) -> list[Duty]:
    """Return what each host does for its root, whoever leads."""
    return [Duty("root", RESCUE_S, keep)]
