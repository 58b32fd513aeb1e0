"""Polling on and on: a task for each account, on the one host that has the place for it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

import structlog

from archive.api import ApiTroubleError
from archive.errors import CatalogError, QueueError
from archive.polling import rest_after
from archive.timings import LEADER_S
from jobs.parts import unless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from jobs.leader import Leader
    from jobs.poller import Poller, Round

    Troubled = Callable[[str, str], None]
    """Is told of which account a round failed, and why: what needs no more than a line."""

_RENEW_S: Final = LEADER_S / 5
_LOOK_S: Final = 0.5
_log = structlog.get_logger()


def leave_to_the_log(_account: str, _why: str) -> None:
    """Tell nobody else of it."""


class Place:
    """Whether this host is the one that polls."""

    def __init__(self, leader: Leader) -> None:
        self._leader = leader
        self.is_ours = False

    async def keep(self, stopping: asyncio.Event) -> None:
        """Renew the place, or wait for it to be free, until ``stopping``; then leave it.

        While Redis is away nobody may ask the provider: whose place it is does not matter then.
        """
        while not stopping.is_set():
            try:
                ours = await self._leader.leads()
            except QueueError as error:
                _log.debug("cannot ask who polls", error=error.message)
            else:
                if ours and not self.is_ours:
                    _log.info("polling on this host")
                self.is_ours = ours
            await _rest(stopping, _RENEW_S)
        try:
            await self._leader.leave()
        except QueueError:
            _log.debug("the poller's place lapses by itself")


async def keep_polling(
    pollers: Iterable[Poller],
    leader: Leader,
    stopping: asyncio.Event,
    *,
    every: timedelta,
    tell: Callable[[Round], None],
    troubled: Troubled = leave_to_the_log,
    asking: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Poll all accounts, one independent of the other, until ``stopping``.

    ``tell`` is told of each round that was made to its end, ``troubled`` of each that was not;
    ``asking`` is entered while one is made.
    """
    place = Place(leader)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(place.keep(stopping))
        for poller in pollers:
            tasks.create_task(
                _poll_on(
                    poller,
                    place,
                    stopping,
                    every=every,
                    tell=tell,
                    troubled=troubled,
                    asking=asking,
                )
            )


async def _poll_on(
    poller: Poller,
    place: Place,
    stopping: asyncio.Event,
    *,
    every: timedelta,
    tell: Callable[[Round], None],
    troubled: Troubled,
    asking: Callable[[], AbstractContextManager[object]],
) -> None:
    poller.rest_for(every)
    while not stopping.is_set():
        if not place.is_ours:
            await _rest(stopping, _LOOK_S)
            continue
        with asking():
            rest = await _one_round(poller, stopping, every=every, tell=tell, troubled=troubled)
        await _rest(stopping, rest.total_seconds())


async def _one_round(
    poller: Poller,
    stopping: asyncio.Event,
    *,
    every: timedelta,
    tell: Callable[[Round], None],
    troubled: Troubled,
) -> timedelta:
    """Make a round and return how long to rest after it; trouble is logged and waited out."""
    account = poller.account.name
    try:
        done = await unless(stopping, poller.round())
    except ApiTroubleError as trouble:
        rest = poller.rest_after_trouble(trouble)
        troubled(account, trouble.symptom.value)
        _log.warning(
            "polling failed", account=account, detail=str(trouble), again_in_s=rest.total_seconds()
        )
        return rest
    except (QueueError, CatalogError) as error:
        rest = poller.rest_after_trouble(error)
        troubled(account, error.message)
        _log.warning(
            "polling stands still",
            account=account,
            error=error.message,
            hint=error.hint,
            again_in_s=rest.total_seconds(),
        )
        return rest
    except Exception as error:  # noqa: BLE001 - the other accounts are polled on, this one later
        _log.exception("an unexpected error", account=account)
        troubled(account, "an unexpected error")
        return max(every, poller.rest_after_trouble(error))
    if done is None:
        return every
    tell(done)
    rest = rest_after(done.requests, per_minute=poller.account.requests_per_minute, every=every)
    poller.rest_for(rest)
    return rest


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
