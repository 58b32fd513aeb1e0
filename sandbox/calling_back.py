"""Sends callbacks to a customer's server, with the provider's retries."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp
from yarl import URL

from sandbox.callbacks import RETRIES, Callback, Fate, callbacks_of
from sandbox.calls import Provider

ANSWER_S: Final = 15.0
"""How long an answer may take (Exotel, StatusCallback)."""
_JUST_ENDED: Final = timedelta(minutes=1)
_AHEAD: Final = timedelta(days=1)
_MINUTE_S: Final = 60.0


def due(provider: Provider, recording_host: str, fate: Fate, now: datetime) -> list[Callback]:
    """Return the callbacks of calls that have just ended or end within a day, in order of time."""
    calls = map(provider.call, provider.between(now - provider.longest - _JUST_ENDED, now + _AHEAD))
    found = [
        callback
        for call in calls
        if call.ended_at >= now - _JUST_ENDED
        for callback in callbacks_of(call, provider, recording_host, fate)
    ]
    return sorted(found, key=lambda callback: callback.at)


async def call_back(url: str, callbacks: Iterable[Callback], *, minute: float) -> None:
    """Send callbacks to ``url`` when each is due; a minute until a retry lasts ``minute`` seconds.

    A user and password in the URL are sent as Basic auth.
    """
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as sending:
        for callback in callbacks:
            await asyncio.sleep(max(0.0, (callback.at - datetime.now(UTC)).total_seconds()))
            sending.create_task(_send(session, url, callback, minute))


async def _send(
    session: aiohttp.ClientSession, url: str, callback: Callback, minute: float
) -> None:
    waited = timedelta(0)
    for after in (*RETRIES, None):
        if await deliver(session, url, callback) or after is None:
            return
        await asyncio.sleep((after - waited).total_seconds() * minute / _MINUTE_S)
        waited = after


async def deliver(session: aiohttp.ClientSession, url: str, callback: Callback) -> bool:
    """Send a callback once; return whether it was answered with success in time."""
    target = URL(url)
    if callback.query:
        target = target.with_query(callback.query)
    headers = {"Content-Type": callback.content_type} if callback.content_type else {}
    try:
        async with session.request(
            callback.method,
            target,
            data=callback.body or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=ANSWER_S),
            allow_redirects=False,
        ) as response:
            return response.ok
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
