"""Tidying up: what is no longer kept goes, in small steps between which others have their turn.

Stopped at any moment it leaves nothing half done; the next run goes on. These functions block.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import tidy as rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, tzinfo

    from archive.catalog.database import Database

_CALLS: Final = 500
"""Calls whose looks go in one transaction: some thousandths of a second."""
_HOURS: Final = timedelta(days=35)
"""Younger tallies are kept by the hour: a report compares with the same weekday before."""
_TROUBLES: Final = timedelta(days=35)


class Horizons(msgspec.Struct, frozen=True, kw_only=True):
    """From before these moments, things are no longer kept (tallies: by the hour)."""

    looks: datetime
    history: datetime
    troubles: datetime
    hours: datetime


def horizons(now: datetime, *, keep_looks: timedelta, keep_history: timedelta) -> Horizons:
    """Return up to when things are dropped."""
    return Horizons(
        looks=now - keep_looks,
        history=now - keep_history,
        troubles=now - _TROUBLES,
        hours=now - _HOURS,
    )


class Dropped(msgspec.Struct, kw_only=True):
    """How many rows went. ``finished`` is False where the time was over before."""

    looks: int = 0
    hearings: int = 0
    runs: int = 0
    troubles: int = 0
    tallies: int = 0
    finished: bool = True


class Tidier:
    """Drops rows of the catalog.

    ``go_on`` is asked between the steps whether there is time for another; ``rest`` lets others
    have the catalog's lock. ``zones`` are those of the accounts, ``zone`` is for all others.
    """

    def __init__(
        self,
        *,
        database: Database,
        before: Horizons,
        zones: Mapping[str, tzinfo],
        zone: tzinfo,
        go_on: Callable[[], bool],
        rest: Callable[[], None],
        dry_run: bool = False,
    ) -> None:
        self._database = database
        self._before = before
        self._zones = zones
        self._zone = zone
        self._go_on = go_on
        self._rest = rest
        self._dry_run = dry_run
        self._dropped = Dropped()

    def run(self) -> Dropped:
        """Drop all that is old, or, in a dry run, count it.

        Raises:
            CatalogError: the catalog cannot be read or written.
        """
        self._drop_history()
        self._sum_up_tallies()
        self._drop_looks()
        return self._dropped

    def _drop_history(self) -> None:
        turn = self._database.read if self._dry_run else self._database.write
        for kind, before in (
            ("hearings", self._before.history),
            ("runs", self._before.history),
            ("troubles", self._before.troubles),
        ):
            with turn() as tx:
                setattr(self._dropped, kind, rows.drop(tx, kind, before, dry_run=self._dry_run))

    def _sum_up_tallies(self) -> None:
        with self._database.read() as tx:
            days = rows.tally_days(tx, self._before.hours, self._zones, self._zone)
        for day in days:
            if not self._may_go_on():
                return
            if self._dry_run:
                with self._database.read() as tx:
                    self._dropped.tallies += rows.excess(tx, day)
                continue
            with self._database.write() as tx:
                self._dropped.tallies += rows.sum_up(tx, day)

    def _drop_looks(self) -> None:
        last = None
        while self._may_go_on():
            with self._database.read() as tx:
                page = rows.old_looks(tx, last, self._before.looks, _CALLS)
            if not page:
                return
            last = page[-1]
            if self._dry_run:
                self._dropped.looks += sum(one.looks for one in page)
                continue
            with self._database.write() as tx:
                self._dropped.looks += rows.drop_looks(tx, page, self._before.looks)
            self._rest()

    def _may_go_on(self) -> bool:
        self._dropped.finished = self._go_on()
        return self._dropped.finished
