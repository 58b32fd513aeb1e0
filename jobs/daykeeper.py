"""Writes the files of changed day folders anew, as their one owner."""

from __future__ import annotations

import asyncio
import random
from itertools import chain
from typing import TYPE_CHECKING, Final, Self

import msgspec
import structlog

from archive.catalog import dayfiles as rows
from archive.catalog.tombstones import take_over
from archive.clock import system_clock
from archive.dayfiles import set_aside_manifest, write_checksums, write_manifest
from archive.layout import MANIFEST
from archive.manifest import BadLineError, day_of_folder, encode
from archive.tombstones import unknown_tombstones

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from archive.catalog.database import Database
    from archive.catalog.dayfiles import ChangedDay
    from archive.catalog.writer import Catalog

_REST: Final = 20
"""A folder is written again after so many times what its writing took: a busy day of 300,000 calls
every few minutes, a small one at every look."""
_LOOKS: Final = 6
_APART_S: Final = 0.3
"""Between two looks at the end of a run, at least; twice as much at most."""
_log = structlog.get_logger()


class DayKeeper:
    """Writes while the leader leads, beside its other duties. An asynchronous context manager."""

    def __init__(self, catalog: Catalog, root: Path) -> None:
        self._catalog = catalog
        self._root = root
        self._rests: dict[str, float] = {}
        self._writing: asyncio.Task[None] | None = None
        self._ending = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End after the folder that is being written."""
        self._ending = True
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def tick(self) -> None:
        """Begin to write the folders that changed, unless that is under way; never wait for it.

        Raises:
            CatalogError: the catalog could not be read or written.
        """
        if self._writing is not None:
            if not self._writing.done():
                return
            ended, self._writing = self._writing, None
            ended.result()
        days = await self._catalog.read(rows.changed_days)
        now = asyncio.get_running_loop().time()
        self._rests = {folder: rest for folder, rest in self._rests.items() if rest > now}
        if due := [day.folder for day in days if day.folder not in self._rests]:
            self._writing = asyncio.create_task(self._write(due), name="day files")

    async def _write(self, folders: list[str]) -> None:
        loop = asyncio.get_running_loop()
        reader = await self._catalog.another_reader()
        try:
            for folder in _in_order(folders):
                if self._ending:
                    return
                began = loop.time()
                await _write_folder(self._catalog, reader, self._root, folder)
                ended = loop.time()
                self._rests[folder] = ended + _REST * (ended - began)
        finally:
            await asyncio.to_thread(reader.close)


async def write_changed_days(
    catalog: Catalog, root: Path, *, patience_s: float | None = None
) -> int:
    """Write the files of all days that changed; return how many days are still behind.

    With ``patience_s`` no folder is begun after so many seconds.

    Raises:
        CatalogError: the catalog cannot be read or written.
    """
    days = await catalog.read(rows.changed_days)
    if not days:
        return 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    behind = 0
    reader = await catalog.another_reader()
    try:
        for folder in _in_order([day.folder for day in days]):
            if patience_s is not None and loop.time() - began > patience_s:
                behind += 1
            else:
                behind += not await _write_folder(catalog, reader, root, folder)
    finally:
        await asyncio.to_thread(reader.close)
    return behind


async def settle_days(
    catalog: Catalog,
    root: Path,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    dice: Callable[[], float] = random.random,
) -> bool:
    """Write the files of all days that changed, until none is behind; return whether none is.

    Two supervisors that end at once put their files over each other's, of which each is written
    once more: so both look again, after a while that chance makes different.

    Raises:
        CatalogError: the catalog cannot be read or written.
    """
    for _ in range(_LOOKS):
        await write_changed_days(catalog, root)
        if not await catalog.read(rows.changed_days):
            return True
        await sleep(_APART_S * (1 + dice()))
    return False


def _in_order(folders: list[str]) -> list[str]:
    """Put calls of unknown day last: one whose day was learnt is told of there before it goes."""
    return sorted(folders, key=lambda folder: ("/" not in folder, folder))


class _Taken(msgspec.Struct):
    """How many calls were taken over as purged, and whether a line could not be used."""

    calls: int = 0
    is_bad: bool = False


async def _take_over(catalog: Catalog, reader: Database, root: Path, folder: str) -> _Taken | None:
    """Take over what the manifest that is there tells of purged calls, before it is overwritten.

    None if a worker holds one of them: then the manifest has to wait.
    """
    taken = _Taken()
    chunks = unknown_tombstones(reader, root, folder)
    while chunk := await asyncio.to_thread(next, chunks, None):
        lines = [one for one in chunk if not isinstance(one, BadLineError)]
        taken.is_bad = taken.is_bad or len(lines) < len(chunk)
        count = await catalog.write(take_over, lines, folder=folder, now=catalog.clock())
        taken.calls += count
        if count < len(lines):
            return None
    if taken.calls:
        _log.warning("a manifest tells of purged calls", folder=folder, calls=taken.calls)
    return taken


async def _write_folder(catalog: Catalog, reader: Database, root: Path, folder: str) -> bool:
    """Write a folder's files; return whether they tell what is in the catalog now."""
    try:
        taken = await _take_over(catalog, reader, root, folder)
        if taken is None:
            return False
        if taken.is_bad or not await catalog.read(rows.is_owned, folder):
            aside = await asyncio.to_thread(set_aside_manifest, root, folder, system_clock())
            if aside is not None:
                words = (
                    "a manifest with lines that cannot be used is set aside"
                    if taken.is_bad
                    else "another catalog's manifest is set aside"
                )
                _log.warning(words, folder=folder, as_=aside)
            await catalog.write(rows.own_day, folder)
        written = await asyncio.to_thread(_write_files, reader, root, folder)
    except OSError as error:
        _log.error("cannot write the files of a day", folder=folder, error=error.strerror)
        return False
    if not written.is_behind or await catalog.write(rows.day_is_written, written):
        return True
    # It changed again, or another writer was quicker, whose file this one may have put an older
    # one over: either way it is written once more.
    await catalog.write(rows.mark_again, folder)
    return False


def _write_files(reader: Database, root: Path, folder: str) -> ChangedDay:
    """Write from one consistent state of the catalog; return which one it was. Blocks."""
    account, day = day_of_folder(folder) or ("", "")
    with reader.read() as tx:
        changed = rows.changes_of(tx, folder)
        if not changed.is_behind:
            return changed  # another writer was quicker
        if account:
            lines = rows.manifest_lines(tx, account, day)
            first = next(lines, None)
            # No folder is made for a day whose calls are all told of in other roots.
            if first is not None or (root / folder / MANIFEST).exists():
                told = chain([] if first is None else [first], lines)
                write_manifest(root, folder, (encode(line) for line in told))
        if day or not account:
            write_checksums(root, folder, rows.recordings_below(tx, folder))
    return changed
