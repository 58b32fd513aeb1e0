"""Whether work really moves: what the watchdog of the service manager is fed by.

It is fed while something moves, or nothing is there to be done. Standing still with work in hand is
no life, however well the event loop goes round: then the manager starts the service again. What
stands still for a reason that a restart does not mend (Redis away, the provider's limit) says so by
stirring.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STARTING: Final = b"s"
"""The sign of a worker process that has not opened its parts yet."""
FREE: Final = b"."
"""The sign of one that holds no batch."""
HELD: Final = b"-"
"""The sign of one that holds batches, of which nothing has moved since its last sign."""
MOVED: Final = b"+"
"""The sign of one in which something has moved since its last sign."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen of one part of a process at one look.

    ``moved``: since the last look something moved, or it was told why nothing can. ``held``: it has
    work in hand. ``waiting``: there is work that may be begun now.
    """

    moved: bool
    held: bool
    waiting: bool = False


def is_well(facts: Facts) -> bool:
    """Tell whether the watchdog may be fed as far as this part is concerned."""
    return facts.moved or not (facts.held or facts.waiting)


def sign_of(*, moved: bool, holds: bool) -> bytes:
    """Return the sign that a worker process gives of itself."""
    if moved:
        return MOVED
    return HELD if holds else FREE


def nobody() -> None:
    """Tell nobody that something moved."""


class Pulse:
    """Remembers that something moved until that is taken."""

    def __init__(self) -> None:
        self._moved = False

    def stir(self) -> None:
        """Note that something moved, or that it is known why nothing does."""
        self._moved = True

    def take(self) -> bool:
        """Return whether anything moved since this was last asked."""
        moved, self._moved = self._moved, False
        return moved


def _nothing_waits() -> bool:
    return False


class Crew:
    """The worker processes of one supervisor, as their signs show them.

    ``waiting`` tells whether there is work that one of them may begin; ``on_alive`` is called when
    one of them can work.
    """

    def __init__(self, on_alive: Callable[[], None] = nobody) -> None:
        self.waiting: Callable[[], bool] = _nothing_waits
        self.trouble = ""
        self._on_alive = on_alive
        self._pulse = Pulse()
        self._last: dict[str, bytes] = {}

    def signed(self, name: str, signs: bytes) -> None:
        """Take in what a process has written to its pipe."""
        if MOVED in signs:
            self._pulse.stir()
        self._last[name] = signs[-1:]
        if signs[-1:] != STARTING:
            self._on_alive()

    def gone(self, name: str) -> None:
        """Forget a process that has ended: what it held is given back."""
        self._last.pop(name, None)

    def meets(self, trouble: str) -> None:
        """Note why nothing can be begun: empty when all is well.

        Told again and again while it lasts: who has fallen silent explains nothing.
        """
        self.trouble = trouble
        if trouble:
            self._pulse.stir()

    def facts(self) -> Facts:
        """Return what is seen of them since this was last asked."""
        held = any(sign in {HELD, MOVED} for sign in self._last.values())
        return Facts(moved=self._pulse.take(), held=held, waiting=self.waiting())


class Rounds(Pulse):
    """Rounds of polling: in work while one is made, and at rest between them."""

    def __init__(self) -> None:
        super().__init__()
        self._going_on = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Count a round as work in hand."""
        self._going_on += 1
        try:
            yield
        finally:
            self._going_on -= 1
            self.stir()

    def facts(self) -> Facts:
        """Return what is seen of them since this was last asked."""
        return Facts(moved=self.take(), held=self._going_on > 0)
