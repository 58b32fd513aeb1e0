"""Deletes recordings in an order that no crash can make a lie of: see `archive.catalog.purge`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import purge as rows
from archive.catalog.dayfiles import changed_days
from archive.catalog.purge import Group
from archive.clock import from_ms, to_ms
from archive.purging import KEEP_DAYS, Stuck, narrowed, remove_files
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
    from archive.purging import Horizon, Removed

_CALLS: Final = 200
_FILES: Final = 200
_TOLD: Final = 10


class Purged(msgspec.Struct, kw_only=True):
    """How many calls and recordings were deleted, and of how many the files are removed.

    ``files`` were removed from the disk, ``former`` of them were of recordings that a former run
    had deleted. ``left`` are recordings whose files, or the lists that tell of them, could not be
    changed; the next run goes on with them. ``stuck`` names the first of these. ``elsewhere`` have
    files in the roots of other hosts, where a purge removes them.
    """

    calls: int = 0
    recordings: int = 0
    bytes: int = 0
    removed: int = 0
    files: int = 0
    former: int = 0
    left: int = 0
    elsewhere: int = 0
    stuck: list[Stuck] = []


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
        remove: Callable[[Path, Iterable[Buried]], Removed] = remove_files,
    ) -> None:
        self._catalog = catalog
        self._root = root
        self._clock = clock
        self._remove = remove
        self._purged = Purged()
        # As exact as what is kept of a moment in the catalog.
        self._began = from_ms(to_ms(clock()))

    async def by_age(
        self, accounts: Iterable[Account], horizon: Horizon, *, day: str | None, why: str
    ) -> Purged:
        """Delete the recordings that need not be kept any longer, of all days or of one.

        Raises:
            StoreError: the root is no archive.
            CatalogError: the catalog cannot be read or written.
        """
        check_root(self._root)
        for group, limit in await groups_of(self._catalog, accounts, horizon, day=day):
            while await self._bury_some(group, limit, why):
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
        self._purged.elsewhere = await self._catalog.read(rows.left_elsewhere)
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
            done = await asyncio.to_thread(self._remove, self._root, free)
            await self._catalog.write(rows.note_removed, done.gone, self._clock())
            self._note(page, free, done)
        return self._purged

    def _note(self, page: list[Buried], free: list[Buried], done: Removed) -> None:
        self._purged.removed += len(done.gone)
        self._purged.files += len(done.files)
        self._purged.former += sum(one.at < self._began for one in done.files)
        self._purged.left += len(page) - len(done.gone)
        waiting = [
            Stuck(one.path, "the lists of its day could not be written")
            for one in page
            if one not in free
        ]
        self._purged.stuck = [*self._purged.stuck, *done.stuck, *waiting][:_TOLD]

    async def _bury_some(self, group: Group, horizon: Horizon, why: str) -> int:
        def some(tx: Tx) -> list[Purgeable]:
            # In one transaction: what is found is not looked at again before it is noted.
            found = rows.due(tx, group, horizon, _CALLS)
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
    for group, limit in await groups_of(catalog, accounts, horizon, day=day):
        calls, recordings, size = await catalog.read(rows.amount, group, limit)
        found.calls += calls
        found.recordings += recordings
        found.bytes += size
    return found


async def groups_of(
    catalog: Catalog, accounts: Iterable[Account], horizon: Horizon, *, day: str | None
) -> list[tuple[Group, Horizon]]:
    """Return the calls that may have recordings to go, and what of each group may.

    Those of all days, or of one.
    """
    found = []
    for account in accounts:
        last = horizon.began_before.astimezone(account.zone).strftime("%Y-%m-%d")
        days = await catalog.read(rows.days, account.name, last)
        for one in days:
            if day not in {None, one}:
                continue
            for exophone in await catalog.read(rows.exophones, account.name, one):
                limit = narrowed(horizon, account, day=one, exophone=exophone)
                found.append((Group(account.name, one, exophone), limit))
    return found
