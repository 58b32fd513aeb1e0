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
_LOCKED: Final = 7


class _Errand(msgspec.Struct):
    words: tuple[str, ...]
    running: Running
    stack: ExitStack
    insist: bool
    locks_over: int
    """How often the catalog had been locked and was free again when it began."""


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

    def start(self, *words: str, insist: bool = False) -> None:
        """Start a command; one that is insisted on is run again where the catalog was locked."""
        stack = ExitStack()
        running = stack.enter_context(self._vault.started(*words))
        over = self.locks - self.locked
        self._under_way.append(_Errand(words, running, stack, insist, over))

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
        was_locked = self.locks > errand.locks_over
        if code == _LOCKED and was_locked:
            if errand.insist:
                self.start(*errand.words, insist=True)
        elif code:
            self.faults.append(f"callvault {name} ended with {code}: {said[-_TAIL:]}")
        if "Traceback" in said:
            self.faults.append(f"callvault {name} showed a traceback: {said[-_TAIL:]}")
