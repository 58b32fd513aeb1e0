"""What the jobs work with, built by `worker` and handed in."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from archive.tallies import Tallies
from jobs.health import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from archive.accounts import Account
    from archive.api import Api
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.fetch import Fetcher
    from archive.publisher import Publisher
    from archive.readiness import Readiness
    from archive.store import Store
    from jobs.capacity import Capacity

T = TypeVar("T")
CTX_KEY = "parts"
"""Where arq's context holds them."""


def _tell_nobody() -> None:
    """Let it move unseen."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account with its connections to the provider, and how its recordings fare on them."""

    account: Account
    api: Api
    fetcher: Fetcher
    health: Health = field(default_factory=Health)


@dataclass(slots=True)
class Counters:
    """What this process has done since it started."""

    recordings: int = 0
    bytes: int = 0


class InWork:
    """The batches that this process believes to hold, by their leases."""

    def __init__(self) -> None:
        self._lost: dict[str, asyncio.Event] = {}
        self._noted: set[str] = set()

    @contextmanager
    def holding(self, lease: str) -> Iterator[asyncio.Event]:
        """Hold a batch; the event tells when it was given to others."""
        lost = self._lost[lease] = asyncio.Event()
        try:
            yield lost
        finally:
            del self._lost[lease]
            self._noted.discard(lease)

    def note(self, lease: str) -> None:
        """Remember that the catalog has this batch; before that it cannot be missed there."""
        self._noted.add(lease)

    def noted(self) -> frozenset[str]:
        """Return the leases of the batches that the catalog has to have."""
        return frozenset(self._noted)

    def all(self) -> frozenset[str]:
        """Return the leases of all batches, also of those that the catalog may not have yet."""
        return frozenset(self._lost)

    def lose(self, leases: Iterable[str]) -> int:
        """Tell batches that they were given to others; return how many were still in work."""
        events = [self._lost[lease] for lease in leases if lease in self._lost]
        for event in events:
            event.set()
        return len(events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a batch needs. ``dice`` gives a random number in 0..1, for jitter.

    ``rest`` is how long nothing is begun after the catalog could not be written. ``stirred`` is
    called when work moves, or when it is known why it does not.
    """

    process: str
    host: str
    lines: dict[str, Line]
    catalog: Catalog
    store: Store
    publisher: Publisher
    capacity: Capacity
    readiness: Readiness
    min_free: int
    clock: Clock
    dice: Callable[[], float]
    rest: timedelta = timedelta(seconds=15)
    stirred: Callable[[], None] = _tell_nobody
    counters: Counters = field(default_factory=Counters)
    tallies: Tallies = field(default_factory=Tallies)
    in_work: InWork = field(default_factory=InWork)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def parts_of(ctx: dict[str, Any]) -> Parts:
    """Return the parts in arq's context."""
    parts: Parts = ctx[CTX_KEY]
    return parts


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the work's result, or None if the event comes first: the work is then cancelled."""
    working = asyncio.create_task(work)
    stopped = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, stopped):
            task.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)
