"""Keeps a small window of batches in the queue, fed from the catalog.

It claims nothing and remembers nothing: it looks at what is queued and adds due calls that are in
no queued batch. Two dispatchers, a doubled batch or a flushed Redis do no harm, since a worker
claims each call in the catalog before it touches it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archive.catalog import pauses, processes, work
from archive.clock import to_ms
from archive.hours import ALWAYS, is_open
from jobs.payload import Batch
from jobs.plan import in_order, plan_batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.catalog.work import DueCall
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.hours import Backfill
    from jobs.queue import JobQueue, Queued

_LATELY = timedelta(days=1)


class Dispatcher:
    """Adds batches of due calls of all accounts, up to ``window`` waiting ones of each.

    ``has_nothing`` tells that at the last look nothing waited, and nothing could be added.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        queue: JobQueue,
        accounts: Sequence[Account],
        window: int,
        batch: int,
        clock: Clock,
        backfill: Backfill = ALWAYS,
    ) -> None:
        self._catalog = catalog
        self._queue = queue
        self._accounts = list(accounts)
        self._window = window
        self._batch = batch
        self._clock = clock
        self._backfill = backfill
        self._turns = {account.name: 0 for account in accounts}
        self.has_nothing = False

    async def tick(self) -> int:
        """Fill the window once; return how many batches were added.

        Raises:
            QueueError: Redis does not answer.
            CatalogError: the catalog cannot be read.
        """
        if await self._queue.waiting() >= self._window * len(self._accounts):
            self.has_nothing = False
            return 0
        # In this order: what is claimed between the two looks is left out of this round only.
        claimed = await self._catalog.read(work.jobs_in_work, claimed_only=True)
        queued = await self._queue.look(leaving_out=claimed)
        now = self._clock()
        added = 0
        # The account that begins changes each time. Batches are begun in the order in which they
        # were added, so each account gets its share without keeping books. Each has a window of its
        # own, since batches of one that hangs stay in the queue.
        self._accounts.append(self._accounts.pop(0))
        for account in self._accounts:
            room = self._window - queued.waiting_of.get(account.name, 0)
            added += await self._add(account, max(0, room), queued, now)
        self.has_nothing = not added and not queued.waiting
        return added

    async def _add(self, account: Account, room: int, queued: Queued, now: datetime) -> int:
        if room == 0:
            return 0
        planned = await self._catalog.read(self._plan, account, room, queued.of(account.name), now)
        for sids in planned:
            await self._queue.put(Batch(account.name, sids))
        self._turns[account.name] += len(planned)
        return len(planned)

    def _plan(
        self, tx: Tx, account: Account, room: int, queued: set[str], now: datetime
    ) -> list[list[str]]:
        room = self._room_under_pauses(tx, account, room, queued, now)
        if room == 0:
            return []
        most = room * self._batch + len(queued)
        first, lately = self._due(tx, account, now, most)
        return plan_batches(
            in_order(first, most),
            in_order(lately, most),
            queued=queued,
            room=room,
            size=self._batch,
            turn=self._turns[account.name],
            now_ms=to_ms(now),
        )

    def _due(
        self, tx: Tx, account: Account, now: datetime, most: int
    ) -> tuple[list[DueCall], list[DueCall]]:
        """Return due calls in the order of their deletion, and those that are new.

        Outside of the hours of a backfill these are what is deleted soon, and what is no backfill.
        """
        backfill = self._backfill
        if is_open(backfill, account.zone, now):
            return (
                work.due_by_deletion(tx, account.name, now, most),
                work.due_lately(tx, account, now, now - _LATELY, most),
            )
        return (
            work.due_before(tx, account.name, now, now + backfill.urgent, most),
            work.due_lately(tx, account, now, now - backfill.older_than, most),
        )

    def _room_under_pauses(
        self, tx: Tx, account: Account, room: int, queued: set[str], now: datetime
    ) -> int:
        """Return how many batches may be added: one where a pause may be probed, else all or none.

        A paused host holds nobody up while another one lives.
        """
        found = {paused.scope: paused for paused in pauses.pauses(tx)}
        hosts = {pauses.host_scope(host) for host in processes.live_hosts(tx, now)}
        held = [found[scope] for scope in hosts if scope in found]
        # The host that may be probed first is enough.
        held = [min(held, key=lambda paused: paused.probe_at)] if held else []
        if hosts - found.keys():
            held = []
        wider = (pauses.ALL, pauses.account_scope(account.name))
        held += [found[scope] for scope in wider if scope in found]
        if not held:
            return room
        return 0 if queued or any(paused.probe_at > now for paused in held) else 1
