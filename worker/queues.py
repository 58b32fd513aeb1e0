"""The queue while something runs that needs it: brought, and brought back when it dies."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from archive.errors import CallvaultError
from worker.sections import EMBEDDED
from worker.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.settings import Settings

_ENSURE_S: Final = 1.0
_log = structlog.get_logger()


@asynccontextmanager
async def keep_queue(settings: Settings) -> AsyncIterator[str]:
    """Yield the URL of the configured queue.

    An embedded one is attached to, or started and in the end stopped; if it dies, or its owner ends
    before us, it is brought back.

    Raises:
        QueueError: there is none and none can be started.
    """
    if settings.queue.url != EMBEDDED:
        yield settings.queue.url
        return
    valkey = EmbeddedValkey(settings.queue.state, tell=_log.warning)
    await asyncio.to_thread(valkey.__enter__)
    ensuring = asyncio.create_task(_ensure(valkey))
    try:
        yield valkey.url
    finally:
        ensuring.cancel()
        await asyncio.gather(ensuring, return_exceptions=True)
        await asyncio.to_thread(valkey.close)


async def _ensure(valkey: EmbeddedValkey) -> None:
    while True:
        await asyncio.sleep(_ENSURE_S)
        try:
            await asyncio.to_thread(valkey.ensure)
        except CallvaultError as error:
            _log.error("the embedded queue cannot be started", error=error.message)
