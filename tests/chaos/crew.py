"""Whoever starts `callvault work --drain` again, whatever it ended of: a service manager."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from tests.acceptance.vault import Running, Vault

_COMPLETE: Final = frozenset({0, 6})
_AFTER_AN_END_S: Final = 0.5
"""A run that ended by itself is started again after so long; one that was killed, at once."""
_HOPELESS: Final = "worker processes keep dying"

_IN_WORK: Final = """
SELECT p.pid, b.lease FROM batches AS b JOIN processes AS p ON p.process = b.process
WHERE EXISTS (SELECT 1 FROM calls AS c WHERE c.lease = b.lease)
"""


class Crew:
    """One supervisor at a time, with the workers below it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._stack = ExitStack()
        self._running: Running | None = None
        self._again_at = 0.0
        self.ends: Counter[int] = Counter()
        self.odd_ends: list[str] = []
        self.supervisors = 0

    def close(self) -> None:
        """End what still runs."""
        self._stack.close()
        self._running = None

    def tend(self, *, wanted: bool) -> None:
        """Note the end of a run, and begin another one if it is wanted."""
        if self._running is not None and self._running.process.poll() is not None:
            self._note_end(self._running)
        if self._running is None and wanted and time.monotonic() >= self._again_at:
            self._running = self._stack.enter_context(self._vault.started("work", "--drain"))
            self.supervisors += 1

    @property
    def supervisor(self) -> int | None:
        """The supervisor's process id, if one runs."""
        return None if self._running is None else self._running.pid

    def workers(self) -> list[int]:
        """Return the process ids of the workers below the supervisor."""
        return [] if self._running is None else sorted(self._running.children())

    def held(self) -> dict[int, set[str]]:
        """Return the leases under which each worker of ours holds calls."""
        ours = set(self.workers())
        held: dict[int, set[str]] = {}
        for pid, lease in self._vault.rows(_IN_WORK):
            if pid in ours:
                held.setdefault(pid, set()).add(lease)
        return held

    def queue_server(self) -> int | None:
        """Return the process id of the queue's server, if it answers."""
        with suppress(RedisError), self._vault.queue() as queue:
            return int(queue.info("server")["process_id"])
        return None

    def _note_end(self, running: Running) -> None:
        code = running.process.wait()
        self._stack.close()
        self._running = None
        self.ends[code] += 1
        killed = code == -signal.SIGKILL
        self._again_at = 0.0 if killed else time.monotonic() + _AFTER_AN_END_S
        if not (killed or code in _COMPLETE | {5, 7} or (code == 1 and _HOPELESS in running.said)):
            self.odd_ends.append(f"ended with {code}: {running.said[-1000:]}")


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal to a process of ours; return False if it has ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
