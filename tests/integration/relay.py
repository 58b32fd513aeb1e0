"""A server in front of the stand-in: it passes requests on, and changes answers as a test says."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import web
from yarl import URL

from tests.integration.servers import serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

_PASSED_ON: Final = ("Content-Type", "ETag")


class Relay:
    """Where it is reached, and what it puts in the place of what, in bodies."""

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self.host = ""
        self.instead: dict[str, str] = {}
        self._upstream = upstream
        self._session = session

    @property
    def port(self) -> str:
        """Its port."""
        return self.host.rpartition(":")[2]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Ask the stand-in the same, and change what it says."""
        url = URL(f"http://{self._upstream}{request.raw_path}", encoded=True)
        headers = {k: v for k, v in request.headers.items() if k in {"Authorization", "Accept"}}
        async with self._session.get(url, headers=headers, allow_redirects=False) as told:
            body = await told.read()
            kept = {name: told.headers[name] for name in _PASSED_ON if name in told.headers}
        for text, other in self.instead.items():
            body = body.replace(text.encode(), other.encode())
        return web.Response(status=told.status, body=body, headers=kept)


@asynccontextmanager
async def relaying(upstream: str, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    """Serve in front of ``upstream`` (``host:port``), with TLS if a context is given."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        relay = Relay(upstream, session)
        async with serving(relay.answer, tls=tls) as seen:
            relay.host = seen.host
            yield relay
