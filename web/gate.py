"""The door: no connection stays longer than one request may take, and only so many at once.

aiohttp waits for ever for a request's first lines. So each connection serves one request, whose
answer says so (`web.app`), and is closed when its time is over, whatever it is at.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTION_S: Final = 30.0
"""How long a connection may be there."""
MOST: Final = 512
"""How many may be there at once; for the next one, the oldest is closed."""


class Gate:
    """Makes the protocols of connections, around those of ``inner``."""

    def __init__(
        self,
        inner: Callable[[], asyncio.Protocol],
        *,
        connection_s: float = CONNECTION_S,
        most: int = MOST,
    ) -> None:
        self._inner = inner
        self._connection_s = connection_s
        self._most = most
        self._there: dict[asyncio.Transport, None] = {}

    def __call__(self) -> asyncio.Protocol:
        """Make the protocol of one connection."""
        return _Timed(self, self._inner())

    def enter(self, transport: asyncio.Transport) -> None:
        """Take a connection in; where there are too many, the one that is there longest has to go.

        A callback takes milliseconds, so what is old is slow, and may be so to keep others out.
        """
        self._there[transport] = None
        if len(self._there) > self._most:
            next(iter(self._there)).abort()

    def leave(self, transport: asyncio.Transport) -> None:
        """Note that a connection has gone."""
        self._there.pop(transport, None)

    @property
    def connection_s(self) -> float:
        """How long a connection may be there, in seconds."""
        return self._connection_s


class _Timed(asyncio.Protocol):
    """Hands everything on to the inner protocol, and closes the connection in time."""

    def __init__(self, gate: Gate, inner: asyncio.Protocol) -> None:
        self._gate = gate
        self._inner = inner
        self._end: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._gate.enter(transport)
        self._inner.connection_made(transport)
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(self._gate.connection_s, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._transport is not None:
            self._gate.leave(self._transport)
        if self._end is not None:
            self._end.cancel()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand on that no more will come."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Hand on that the other end reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that it reads again."""
        self._inner.resume_writing()
