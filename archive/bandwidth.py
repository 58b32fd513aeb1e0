"""So many bytes a second and no more: a pure bucket, and a line in which downloads wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BURST_S: Final = 0.25
"""Seconds whose bytes may come at once: what makes up for sleeps that are longer than asked for."""


class Bucket:
    """Tells how long to wait after taking bytes. Moments are seconds of any clock.

    Bytes are paid for after they came, since nobody knows before how many will: so no piece is too
    large for the bucket, and small files are as even a stream as large ones.
    """

    def __init__(self, bytes_per_second: float, *, burst_s: float = 0.0) -> None:
        assert bytes_per_second > 0
        self._rate = bytes_per_second
        self._burst_s = burst_s
        self._paid_at: float | None = None

    def take(self, size: int, now: float) -> float:
        """Take so many bytes; return how many seconds have to pass until they are paid for."""
        earliest = now - self._burst_s
        paid_at = earliest if self._paid_at is None else max(self._paid_at, earliest)
        self._paid_at = paid_at + size / self._rate
        return max(0.0, self._paid_at - now)


class Throttle:
    """Keeps all downloads of a process together to so many bytes a second.

    ``clock`` tells seconds, ``sleep`` waits for so many.
    """

    def __init__(
        self,
        bytes_per_second: float,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._bucket = Bucket(bytes_per_second, burst_s=BURST_S)
        self._clock = clock
        self._sleep = sleep

    async def take(self, size: int) -> float:
        """Wait until bytes that came are paid for; return how many seconds that took."""
        began = self._clock()
        wait = self._bucket.take(size, began)
        if wait <= 0:
            return 0.0
        await self._sleep(wait)
        return self._clock() - began
