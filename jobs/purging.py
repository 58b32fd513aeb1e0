"""Deletes recordings in an order that no crash can make a lie of: see `archive.catalog.purge`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import purge as rows
from archive.catalog.dayfiles import changed_days
from archive.purging import KEEP_DAYS, remove_files
from archive.tree import check_root
from jobs.daykeeper import write_changed_days

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.purge import Buried, Purgeable
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.purging import Horizon

_CALLS: Final = 200
_FILES: Final = 200


class Purged(msgspec.Struct, kw_only=True):
    """How many calls and recordings were deleted, and how many files of such were removed.

    ``left`` are recordings whose files, or the lists that tell of them, could not be changed; the
    next run goes on with them.
    """

    calls: int = 0
    recordings: int = 0
    bytes: int = 0
    removed: int = 0
    left: int = 0


class Purger:
    """Deletes recordings of calls below one root.

    ``remove`` removes the files of recordings and returns those that are gone.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        root: Path,
        clock: Clock,
        remove: Callable[[Path, Iterable[Buried]], list[Buried]] = remove_files,
    ) -> None:
        self._catalog = catalog
        self._root = root
        self._clock = clock
        self._remove = remove
        self._purged = Purged()

    async def by_age(
        self, accounts: Iterable[Account], horizon: Horizon, *, day: str | None, why: str
    ) -> Purged:
        """Delete the recordings that need not be kept any longer, of all days or of one.

        Raises:
            StoreError: the root is no archive.
            CatalogError: the catalog cannot be read or written.
        """
        check_root(self._root)
        async for page in due_pages(self._catalog, accounts, horizon, day=day):
            await self._bury(page, reason=KEEP_DAYS, why=why)
        return await self.finish()

    async def named(self, calls: Iterable[Purgeable], *, reason: str, why: str) -> Purged:
        """Delete the recordings of these calls; raises what `by_age` does."""
        check_root(self._root)
        await self._bury(list(calls), reason=reason, why=why)
        return await self.finish()

    async def finish(self) -> Purged:
        """Write the lists and remove the files of all that was ever noted; see `by_age`."""
        if not await self._catalog.read(rows.to_remove, "", 1):
            return self._purged
        check_root(self._root)
        await write_changed_days(self._catalog, self._root)
        # A file goes when the lists of its day tell no more of it: whoever makes a new catalog of
        # them would have it fetched again. A day that changes still has its turn next time.
        behind = {day.folder for day in await self._catalog.read(changed_days)}
        after = ""
        while page := await self._catalog.read(rows.to_remove, after, _FILES):
            after = page[-1].path
            free = [one for one in page if behind.isdisjoint(one.folders)]
            gone = await asyncio.to_thread(self._remove, self._root, free)
            await self._catalog.write(rows.note_removed, gone, self._clock())
            self._purged.removed += len(gone)
            self._purged.left += len(page) - len(gone)
        return self._purged

    async def _bury(self, calls: list[Purgeable], *, reason: str, why: str) -> None:
        count = await self._catalog.write(
            rows.bury, calls, reason=reason, why=why, now=self._clock()
        )
        self._purged.calls += len(calls)
        self._purged.recordings += count
        self._purged.bytes += sum(call.bytes for call in calls)


async def due_pages(
    catalog: Catalog,
    accounts: Iterable[Account],
    horizon: Horizon,
    *,
    day: str | None,
    most: int = _CALLS,
) -> AsyncIterator[list[Purgeable]]:
    """Yield the calls whose recordings may go, day by day, so many at a time."""
    for account in accounts:
        last = horizon.began_before.astimezone(account.zone).strftime("%Y-%m-%d")
        for one in await catalog.read(rows.days, account.name, last):
            if day not in {None, one}:
                continue
            after = ""
            while page := await catalog.read(rows.due, account.name, one, horizon, after, most):
                after = page[-1].sid
                yield page


async def amount_due(
    catalog: Catalog, accounts: Iterable[Account], horizon: Horizon, *, day: str | None
) -> Purged:
    """Count the recordings that may go."""
    found = Purged()
    async for page in due_pages(catalog, accounts, horizon, day=day):
        found.calls += len(page)
        found.recordings += sum(call.recordings for call in page)
        found.bytes += sum(call.bytes for call in page)
    return found
