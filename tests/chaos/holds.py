"""What is done for some seconds and then undone: stops, locks, a full disk, a pause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Holds:
    """Everything that stands in the way now. Each hold is undone once, also at the end."""

    def __init__(self) -> None:
        self._held: list[tuple[float, Callable[[], object], Callable[[], object] | None]] = []

    def add(
        self,
        seconds: float,
        undo: Callable[[], object],
        *,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        """Have something undone after so many seconds; ``meanwhile`` is called until then."""
        self._held.append((time.monotonic() + seconds, undo, meanwhile))

    def tend(self) -> None:
        """Undo what has lasted long enough."""
        now = time.monotonic()
        over = [hold for hold in self._held if hold[0] <= now]
        self._held = [hold for hold in self._held if hold[0] > now]
        for _, undo, _ in over:
            undo()
        for _, _, meanwhile in self._held:
            if meanwhile is not None:
                meanwhile()

    def release(self) -> None:
        """Undo everything now."""
        held, self._held = self._held, []
        for _, undo, _ in held:
            undo()

    def __len__(self) -> int:
        return len(self._held)
