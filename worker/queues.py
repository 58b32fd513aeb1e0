"""A queue for commands that need one only while they run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from worker.settings import EMBEDDED, Settings
from worker.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def queue_for_a_while(settings: Settings) -> AsyncIterator[str]:
    """Yield the URL of the configured queue; an embedded one is attached to, or started and ended.

    Raises:
        QueueError: there is none and none can be started.
    """
    if settings.queue.url != EMBEDDED:
        yield settings.queue.url
        return
    valkey = EmbeddedValkey(settings.queue.state)
    await asyncio.to_thread(valkey.__enter__)
    try:
        yield valkey.url
    finally:
        await asyncio.to_thread(valkey.close)
