"""Commands that a person runs beside the work, whatever happens to it just then."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from tests.acceptance.vault import Running, Vault

_MOST: Final = 3
"""Commands side by side: each costs half a second of processor."""
_TAIL: Final = 600


class _Errand(msgspec.Struct):
    words: tuple[str, ...]
    running: Running
    stack: ExitStack
    trouble: int
    """How often the catalog had been locked when it began."""


class Errands:
    """Starts commands, and judges how they end.

    All have to end with 0; with 7 and a message only while another program holds the catalog.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._under_way: list[_Errand] = []
        self.locks = 0
        self.locked = False
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []

    @property
    def has_room(self) -> bool:
        """Whether another command may be started now."""
        return len(self._under_way) < _MOST

    def __len__(self) -> int:
        return len(self._under_way)

    def start(self, *words: str) -> None:
        """Start a command."""
        stack = ExitStack()
        running = stack.enter_context(self._vault.started(*words))
        before = self.locks - self.locked
        self._under_way.append(_Errand(words, running, stack, before))

    def tend(self) -> None:
        """Judge the commands that have ended."""
        for errand in [one for one in self._under_way if one.running.process.poll() is not None]:
            self._under_way.remove(errand)
            self._judge(errand)
            errand.stack.close()

    def close(self) -> None:
        """End what still runs."""
        for errand in self._under_way:
            errand.stack.close()
        self._under_way.clear()

    def _judge(self, errand: _Errand) -> None:
        code, said = errand.running.process.wait(), errand.running.said
        name = " ".join(errand.words[:2])
        self.done[errand.words[0]] += 1
        may_be_locked = self.locks > errand.trouble
        allowed = {0, 7} if may_be_locked else {0}
        if code not in allowed:
            self.faults.append(f"callvault {name} ended with {code}: {said[-_TAIL:]}")
        elif "Traceback" in said:
            self.faults.append(f"callvault {name} showed a traceback: {said[-_TAIL:]}")
