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
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.database import Tx
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
        for account, one in await days_of(self._catalog, accounts, horizon, day=day):
            while await self._bury_some(account, one, horizon, why):
                pass
        return await self.finish()

    async def named(self, calls: Iterable[Purgeable], *, reason: str, why: str) -> Purged:
        """Delete the recordings of these calls; raises what `by_age` does."""
        check_root(self._root)
        chosen = list(calls)
        await self._catalog.write(rows.bury, chosen, reason=reason, why=why, now=self._clock())
        self._count(chosen)
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

    async def _bury_some(self, account: str, day: str, horizon: Horizon, why: str) -> int:
        def some(tx: Tx) -> list[Purgeable]:
            # In one transaction: what is found is not looked at again before it is noted.
            found = rows.due(tx, account, day, horizon, _CALLS)
            # The query has decided so already; what cannot be undone is decided twice.
            calls = [call for call in found if horizon.lets_go(call.began, call.delete_by)]
            rows.bury(tx, calls, reason=KEEP_DAYS, why=why, now=self._clock())
            return calls

        return self._count(await self._catalog.write(some))

    def _count(self, calls: list[Purgeable]) -> int:
        self._purged.calls += len(calls)
        self._purged.recordings += sum(call.recordings for call in calls)
        self._purged.bytes += sum(call.bytes for call in calls)
        return len(calls)


async def amount_due(
    catalog: Catalog, accounts: Iterable[Account], horizon: Horizon, *, day: str | None
) -> Purged:
    """Count the recordings that may go."""
    found = Purged()
    for account, one in await days_of(catalog, accounts, horizon, day=day):
        calls, recordings, size = await catalog.read(rows.amount, account, one, horizon)
        found.calls += calls
        found.recordings += recordings
        found.bytes += size
    return found


async def days_of(
    catalog: Catalog, accounts: Iterable[Account], horizon: Horizon, *, day: str | None
) -> list[tuple[str, str]]:
    """Return the accounts and days that may have recordings to go: all, or those of one day."""
    found = []
    for account in accounts:
        last = horizon.began_before.astimezone(account.zone).strftime("%Y-%m-%d")
        days = await catalog.read(rows.days, account.name, last)
        found += [(account.name, one) for one in days if day in {None, one}]
    return found
