"""How much one process takes on: downloads side by side, and when it is time for the next batch.

The next batch is begun when the calls that wait for a download are fewer than the downloads that
may run, so that the line never runs dry and no process hoards. A slow download of an old batch
holds up neither its neighbours nor the next batch.

Each account has a line of its own, and a part of the downloads that no other can take. So one whose
API or recordings hang holds up no other, and one that is alone has everything.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

_RESERVED: Final = 4
"""One part in so many of the downloads is an account's own, where there are several."""


class Room:
    """A batch's share of the waiting line."""

    def __init__(self, capacity: Capacity, account: str, calls: int) -> None:
        self._capacity = capacity
        self._account = account
        self._calls = calls

    def leave(self, calls: int) -> None:
        """Note that so many calls of the batch wait no longer."""
        left = min(calls, self._calls)
        self._calls -= left
        self._capacity.change(self._account, -left)

    def leave_all(self) -> None:
        """Note that no call of the batch waits."""
        self.leave(self._calls)


class Slots:
    """Downloads that may run: some for each account alone, and the others for whoever waits.

    An account that is alone can have ``downloads``. A slot that is free goes to the account with
    the fewest, so that of two with a backlog each gets half.
    """

    def __init__(self, downloads: int, accounts: int) -> None:
        several = accounts > 1
        self.own = max(1, downloads // _RESERVED) if several else downloads
        self._shared = downloads - self.own
        self._running: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)

    async def take(self, account: str) -> None:
        """Wait for a slot, and take it."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[account].append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(account)
            raise

    def give_back(self, account: str) -> None:
        """Give a slot back, to whoever has waited for one."""
        self._running[account] -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        for account in sorted(self._waiting, key=lambda name: self._running[name]):
            line = self._waiting[account]
            while line and self._is_free(account):
                turn = line.popleft()
                if not turn.done():
                    self._running[account] += 1
                    turn.set_result(None)

    def _is_free(self, account: str) -> bool:
        beyond = sum(max(0, running - self.own) for running in self._running.values())
        return self._running[account] < self.own or beyond < self._shared


class Capacity:
    """Bounds one process. ``on_change`` is told whether there is room for another batch."""

    def __init__(
        self,
        downloads: int,
        on_change: Callable[[bool], None] | None = None,
        accounts: Iterable[str] = ("",),
    ) -> None:
        self.downloads = downloads
        self.on_change = on_change
        self._accounts = tuple(accounts)
        self._slots = Slots(downloads, len(self._accounts))
        self._waiting = dict.fromkeys(self._accounts, 0)
        self._closed = 0
        self._free = {name: asyncio.Event() for name in self._accounts}
        for free in self._free.values():
            free.set()
        self._turns = {name: asyncio.Lock() for name in self._accounts}

    @property
    def most(self) -> int:
        """How many downloads may run at most: each further account has some of its own."""
        return self.downloads + (len(self._accounts) - 1) * self._slots.own

    @property
    def has_room(self) -> bool:
        """Whether another batch of some account may begin."""
        return any(map(self._has_room, self._accounts))

    def must_wait(self, account: str) -> bool:
        """Tell whether a batch had better be left to others, or to later.

        It would have to wait for room of its account, in the place of batches of other ones.
        """
        return len(self._accounts) > 1 and not self._has_room(account)

    @asynccontextmanager
    async def room(self, calls: int, account: str = "") -> AsyncIterator[Room]:
        """Wait until another batch of the account may begin, and take its place in the line."""
        async with self._turns[account]:
            await self._free[account].wait()
            room = Room(self, account, calls)
            self.change(account, calls)
        try:
            yield room
        finally:
            room.leave_all()

    @asynccontextmanager
    async def download(self, account: str = "") -> AsyncIterator[None]:
        """Wait for one of the downloads that may run side by side."""
        await self._slots.take(account)
        try:
            yield
        finally:
            self._slots.give_back(account)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let no batch begin meanwhile."""
        self._closed += 1
        self._tell()
        try:
            yield
        finally:
            self._closed -= 1
            self._tell()

    def change(self, account: str, calls: int) -> None:
        """Count calls that begin (or, negative, cease) to wait for a download."""
        self._waiting[account] += calls
        self._tell()

    def _has_room(self, account: str) -> bool:
        return self._waiting[account] < self.downloads and not self._closed

    def _tell(self) -> None:
        for name, free in self._free.items():
            if self._has_room(name):
                free.set()
            else:
                free.clear()
        if self.on_change is not None:
            self.on_change(self.has_room)
