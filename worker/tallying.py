"""Taking what a process counted into the catalog."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from archive.catalog import tallies as kept
from archive.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.tallies import Tallies

_EVERY_S: Final = 15.0
_log = structlog.get_logger()


async def write_tallies(tallies: Tallies, catalog: Catalog, *, host: str, clock: Clock) -> None:
    """Write what was counted; what cannot be written now is counted on for the next time."""
    taken = tallies.take()
    if not taken:
        return
    try:
        await catalog.write(kept.add, taken, host=host, now=clock())
    except CatalogError as error:
        tallies.put_back(taken)
        _log.debug("counts are written later", error=error.message)


@asynccontextmanager
async def keep_tallying(
    tallies: Tallies, catalog: Catalog, *, host: str, clock: Clock
) -> AsyncIterator[None]:
    """Write what is counted now and then, and once more at the end."""

    async def go_on() -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await write_tallies(tallies, catalog, host=host, clock=clock)

    going = asyncio.create_task(go_on())
    try:
        yield
    finally:
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        await write_tallies(tallies, catalog, host=host, clock=clock)
