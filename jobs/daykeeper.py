"""Writes the files of changed day folders anew, as their one owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from archive.catalog import dayfiles as rows
from archive.dayfiles import write_checksums

if TYPE_CHECKING:
    from pathlib import Path

    from archive.catalog.writer import Catalog

_log = structlog.get_logger()


async def write_changed_days(catalog: Catalog, root: Path) -> int:
    """Write the files of all days that changed; return how many days are still behind.

    Raises:
        CatalogError: the catalog cannot be read or written.
    """
    behind = 0
    for day in await catalog.read(rows.changed_days):
        recordings = await catalog.read(rows.recordings_below, day.folder)
        try:
            await asyncio.to_thread(write_checksums, root, day.folder, recordings)
        except OSError as error:
            _log.error("cannot write SHA256SUMS", folder=day.folder, error=error.strerror)
            behind += 1
            continue
        if not await catalog.write(rows.day_is_written, day):
            # It changed again, or another writer was quicker, whose file this one may have put
            # an older one over: either way it is written once more.
            await catalog.write(rows.mark_day, day.folder)
            behind += 1
    return behind
