"""Reads from the catalog what a live view shows."""

from __future__ import annotations

import time
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import balance, pauses, tallies, troubles, watch
from archive.catalog.forecast import risks
from archive.clock import EPOCH
from archive.errors import CatalogError
from archive.forecast import describe
from archive.hours import ALWAYS
from archive.tallies import REQUESTS
from worker.live.facts import MINUTES, Counted, Facts, Pace, Working
from worker.progress import rest_after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Database, Tx
    from archive.catalog.troubles import Trouble
    from archive.catalog.watch import Worker
    from archive.clock import Clock
    from archive.hours import Backfill

_MINUTE: Final = timedelta(minutes=1)
_LATE: Final = 2
"""Minutes that are over and may still change, since a write may have waited."""
_WINDOW_S: Final = 60.0
_LEAST_S: Final = 2.5
"""Too short a time to tell a rate from: processes write their counts every three seconds."""
_LAST: Final = 20


class Rate:
    """How much a number that only grows grew within the last minute of looking at it."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def per_minute(self, now_s: float, number: int) -> float | None:
        """Take a look into account and return the rate; None while it cannot be told yet.

        A number that became less is another one's: it begins anew.
        """
        if self._seen and number < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now_s, number))
        while len(self._seen) > 1 and self._seen[1][0] <= now_s - _WINDOW_S:
            self._seen.popleft()
        since_s, before = self._seen[0]
        if now_s - since_s < _LEAST_S:
            return None
        return (number - before) * 60 / (now_s - since_s)


class Gatherer:
    """Looks into the catalog again and again; for one thread at a time.

    ``met`` tells what hosts meet, by the catalog; ``here`` what is met on this one, without it.
    """

    def __init__(
        self,
        database: Database,
        accounts: Sequence[Account],
        clock: Clock,
        timer: Callable[[], float] = time.monotonic,
        *,
        backfill: Backfill = ALWAYS,
        here: Callable[[datetime], tuple[Trouble, ...]] = lambda _: (),
        met: Callable[[Tx, datetime], Sequence[Trouble]] = troubles.troubles,
    ) -> None:
        self._database = database
        self._accounts = {account.name: account for account in accounts}
        self._clock = clock
        self._timer = timer
        self._backfill = backfill
        self._here = here
        self._met = met
        self._began = clock()
        self._requests = Rate()
        self._of_workers: dict[str, Rate] = {}
        self._minutes: dict[int, int] = {}
        self._counted: Counted | None = None
        self._count_after_s = 0.0
        self._last: Facts | None = None

    def look(self) -> Facts:
        """Return what there is to show.

        What cannot be read just now is shown as it was, with the reason.

        Raises:
            CatalogError: the catalog cannot be read, and never could.
        """
        try:
            self._last = self._look()
        except CatalogError as error:
            if self._last is None:
                raise
            self._last = msgspec.structs.replace(
                self._last,
                at=(now := self._clock()),
                mistake=error.message,
                troubles=self._here(now) or self._last.troubles,
            )
        return self._last

    def _look(self) -> Facts:
        if not self._database.is_in_its_place():
            raise CatalogError("the catalog was removed or replaced: begin to watch anew")
        now = self._clock()
        counted = self._count(now)
        names = tuple(self._accounts)
        scopes = {pauses.account_scope(name) for name in names}
        with self._database.read() as tx:
            return Facts(
                at=now,
                accounts=names,
                pace=self._pace(tx, now),
                counted=counted,
                at_risk=tuple(
                    text
                    for risk in counted.risks
                    if (text := describe(risk, self._accounts[risk.account]))
                ),
                workers=self._working(watch.workers(tx)),
                pauses=tuple(
                    one
                    for one in pauses.pauses(tx)
                    if not one.scope.startswith("account:") or one.scope in scopes
                ),
                troubles=(*self._here(now), *self._met(tx, now)),
                last=tuple(watch.last_in_vain(tx, names, _LAST)),
            )

    def _count(self, now: datetime) -> Counted:
        """Count the calls, a tenth of the time at most: millions take a while."""
        began_s = self._timer()
        if self._counted is not None and began_s < self._count_after_s:
            return self._counted
        with self._database.read() as tx:
            tally = balance.tally(tx, self._accounts, now)
        backlogs = []
        for account in self._accounts.values():
            # One read each, so that none is long.
            with self._database.read() as tx:
                backlogs.append(watch.backlog(tx, account, now, self._backfill))
        with self._database.read() as tx:
            found = risks(tx, self._accounts.values(), now, self._backfill)
        self._counted = Counted(
            at=now, states=tally.states, backlogs=tuple(backlogs), risks=tuple(found)
        )
        ended_s = self._timer()
        self._count_after_s = ended_s + rest_after(ended_s - began_s)
        return self._counted

    def _pace(self, tx: Tx, now: datetime) -> Pace:
        recordings, size = watch.archived_since(tx, self._accounts, now - _MINUTE)
        # From the hour in which the view began, so that the number only grows.
        counts = tallies.between(tx, self._began, now + timedelta(hours=1))
        requests = sum(
            one.amount for one in counts if one.name == REQUESTS and one.account in self._accounts
        )
        return Pace(
            recordings=recordings,
            bytes_per_second=size / 60,
            requests=self._requests.per_minute(self._timer(), requests),
            limit=sum(account.requests_per_minute for account in self._accounts.values()),
            minutes=self._last_minutes(tx, now),
        )

    def _last_minutes(self, tx: Tx, now: datetime) -> tuple[int, ...]:
        present = (now - EPOCH) // _MINUTE
        first = present - MINUTES
        # Minutes that are long over are read once.
        since = max([first, *(minute - _LATE for minute in self._minutes)])
        read = watch.archived_by_minute(tx, self._accounts, EPOCH + since * _MINUTE)
        kept = {m: n for m, n in self._minutes.items() if first <= m < since}
        self._minutes = kept | dict.fromkeys(range(since, present), 0) | read
        return tuple(self._minutes.get(minute, 0) for minute in range(first, present))

    def _working(self, found: list[Worker]) -> tuple[Working, ...]:
        self._of_workers = {
            one.process: self._of_workers.get(one.process) or Rate() for one in found
        }
        now_s = self._timer()
        return tuple(
            Working(one, self._of_workers[one.process].per_minute(now_s, one.recordings))
            for one in found
        )
