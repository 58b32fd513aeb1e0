"""A tiny HTTP proxy on a free port of this machine, which tunnels to where a test says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Tunnel:
    """A proxy's address, and the heads of the requests it was sent.

    Each ``CONNECT`` leads to ``target``, whatever it asks for. ``status`` other than 200 refuses
    it; None says nothing at all.
    """

    def __init__(self, target: str, status: int | None) -> None:
        self.target = target
        self.status = status
        self.host = ""
        self.heads: list[str] = []

    @property
    def asked(self) -> list[str]:
        """The first lines of what it was asked."""
        return [head.splitlines()[0] for head in self.heads]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        async with _closing(writer):
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self.status is None:
                await reader.read()
            elif self.status != 200:
                writer.write(f"HTTP/1.1 {self.status} No\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            else:
                await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        async with _closing(there_writer):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection, whatever ends it."""
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            yield
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def tunnelling(target: str = "", *, status: int | None = 200) -> AsyncIterator[Tunnel]:
    """Run a proxy."""
    tunnel = Tunnel(target, status)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await tunnel.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    tunnel.host = f"{host}:{port}"
    try:
        yield tunnel
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
