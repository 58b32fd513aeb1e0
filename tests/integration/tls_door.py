"""TLS in front of a server that has none: what comes is passed on, both ways.

``changed`` replaces bytes of the answers, such as a port that the server knows itself by.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping


@asynccontextmanager
async def tls_door(
    port: int, tls: ssl.SSLContext, *, changed: Mapping[bytes, bytes] | None = None
) -> AsyncIterator[int]:
    """Yield a port of this machine behind which, with TLS, is another one."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(
                _pump(reader, there_writer, {}), _pump(there_reader, writer, changed or {})
            )
        finally:
            there_writer.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, changed: Mapping[bytes, bytes]
) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            for old, new in changed.items():
                piece = piece.replace(old, new)
            writer.write(piece)
            await writer.drain()
    writer.close()
