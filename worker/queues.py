"""The queue while something runs that needs it: brought, and brought back when it dies."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from archive.errors import CallvaultError
from jobs.address import read_address, write_address
from worker.secrets import QUEUE_PASSWORD, SENTINEL_PASSWORD, shared_secret
from worker.sections import EMBEDDED
from worker.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from worker.settings import Settings

_ENSURE_S: Final = 1.0
_log = structlog.get_logger()


def queue_url(settings: Settings, environment: Mapping[str, str]) -> str:
    """Return the URL of a queue that is somebody else's, with the passwords that are kept apart.

    Raises:
        CredentialsError: a credential cannot be read.
    """
    password = shared_secret(QUEUE_PASSWORD, environment)
    of_sentinels = shared_secret(SENTINEL_PASSWORD, environment)
    if not (password or of_sentinels):
        return settings.queue.url
    address = read_address(settings.queue.url)
    kept = {"password": password or address.password}
    if address.service and of_sentinels:
        kept["sentinel_password"] = of_sentinels
    return write_address(msgspec.structs.replace(address, **kept))


@asynccontextmanager
async def keep_queue(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """Yield the URL of the configured queue, with its password.

    An embedded one is attached to, or started and in the end stopped; if it dies, or its owner ends
    before us, it is brought back.

    Raises:
        QueueError: there is none and none can be started.
        CredentialsError: the credential of its password cannot be read.
    """
    if settings.queue.url != EMBEDDED:
        yield queue_url(settings, environment)
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
