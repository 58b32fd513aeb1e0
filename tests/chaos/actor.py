"""Performs the steps of a plan on a run, and keeps everything else going meanwhile."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from tests.chaos.crew import send
from tests.chaos.plan import KILLS, Deed, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.acceptance.vault import Vault
    from tests.chaos.crew import Crew
    from tests.chaos.disk import Disk
    from tests.chaos.errands import Errands
    from tests.chaos.holds import Holds
    from tests.chaos.watch import Watch

_LOOK_S: Final = 0.05
_TARGET_S: Final = 3.0
"""How long a kill waits for somebody who has work in hand before it takes who is there."""
_ANY_TARGET_S: Final = 20.0
_COUNT_S: Final = 0.5
_TRIES: Final = 5
_KILL: Final = signal.SIGKILL


class OutOfTimeError(Exception):
    """The run takes longer than it may."""


class Actor:
    """Does what the plan says to the processes of a crew, the queue, the catalog and the disk."""

    def __init__(
        self,
        vault: Vault,
        *,
        crew: Crew,
        disk: Disk,
        errands: Errands,
        holds: Holds,
        watch: Watch,
        waves: Sequence[Path],
        sids: Sequence[str],
        deadline: float,
    ) -> None:
        self._vault = vault
        self._crew = crew
        self._disk = disk
        self._errands = errands
        self._holds = holds
        self._watch = watch
        self._waves = list(waves)
        self._taken: list[Path] = []
        self._sids = sids  # of the first wave: they are known as soon as anything is
        self._deadline = deadline
        self._counted_at = 0.0
        self._unsettled = 0
        self.done: Counter[Deed] = Counter()
        self.missed: Counter[Deed] = Counter()

    def perform(self, plan: Sequence[Step]) -> None:
        """Do all steps in order.

        Raises:
            OutOfTimeError: the run takes longer than it may.
        """
        for step in plan:
            self._until(lambda: False, step.gap_s)
            self._do(step)

    def finish(self) -> None:
        """Undo what still holds, and let the work be drained.

        Raises:
            OutOfTimeError: it takes longer than it may.
        """
        self._holds.release()
        while self._waves:
            self._take_in()
        self._until(lambda: not self._errands and self._is_drained(), None)

    def drain(self) -> None:
        """Let what was put back be drained once more.

        Raises:
            OutOfTimeError: it takes longer than it may.
        """
        self._counted_at = 0.0
        self._until(self._is_drained, None)

    def _do(self, step: Step) -> None:
        doing: dict[Deed, Callable[[Step], bool]] = {
            Deed.INTAKE: lambda _: self._take_in(),
            Deed.KILL_WORKER: self._kill_worker,
            Deed.KILL_SUPERVISOR: self._kill_supervisor,
            Deed.KILL_QUEUE: self._kill_queue,
            Deed.KILL_ALL: self._kill_all,
            Deed.FLUSH: lambda _: self._flush(),
            Deed.REPLACE: lambda _: self._replace_queue(),
            Deed.STOP_WORKER: self._stop_worker,
            Deed.STOP_SUPERVISOR: self._stop_supervisor,
            Deed.STOP_QUEUE: self._stop_queue,
            Deed.LOCK: self._lock,
            Deed.FILL: self._fill,
            Deed.PAUSE: self._pause,
        }
        do = doing.get(step.deed, self._run_command)
        # Nobody may be there just then: in a moment somebody will.
        good = any(do(step) for _ in range(_TRIES if step.deed in KILLS else 1))
        (self.done if good else self.missed)[step.deed] += 1

    def _take_in(self) -> bool:
        if not self._waves:
            return True  # a wave that was taken in early, since nothing was left to do
        wave = self._waves.pop(0)
        self._until(lambda: self._errands.has_room, None)
        self._errands.start("enqueue", "cdr", wave.name, insist=True)
        # Before anything else is done: what is not known can neither be archived nor be missed.
        self._until(lambda: not self._errands, None)
        self._taken.append(wave)
        self._counted_at = 0.0
        return True

    def _kill_worker(self, step: Step) -> bool:
        pid = self._worker(step.pick)
        if pid is None:
            return False
        leases = self._crew.held().get(pid, set())
        return self._kill(step.deed, [pid], leases)

    def _kill_supervisor(self, step: Step) -> bool:
        self._until_busy()
        pid = self._crew.supervisor
        return pid is not None and self._kill(step.deed, [pid], ())

    def _kill_all(self, step: Step) -> bool:
        self._until_busy()
        pid = self._crew.supervisor
        if pid is None:
            return False
        leases = set[str]().union(*self._crew.held().values())
        return self._kill(step.deed, [pid, *self._crew.workers()], leases)

    def _kill_queue(self, step: Step) -> bool:
        self._until_busy()
        self._until(lambda: self._crew.queue_server() is not None, _ANY_TARGET_S)
        pid = self._crew.queue_server()
        return pid is not None and self._kill(step.deed, [pid], ())

    def _kill(self, deed: Deed, pids: Sequence[int], leases: set[str] | tuple[()]) -> bool:
        assert deed in KILLS
        held = self._watch.leases()
        at = time.time()
        hit = [send(pid, _KILL) for pid in pids]
        if hit[0]:
            self._watch.killed(deed, at, leases, held)
        return hit[0]

    def _flush(self) -> bool:
        def flushed() -> bool:
            with suppress(RedisError), self._vault.queue() as queue:
                return bool(queue.execute_command("FLUSHALL"))
            return False

        return self._until(flushed, _ANY_TARGET_S)

    def _replace_queue(self) -> bool:
        """Kill the queue's server, and let an empty one come in its place."""
        self._until(lambda: self._crew.queue_server() is not None, _ANY_TARGET_S)
        pid = self._crew.queue_server()
        if pid is None or not send(pid, _KILL):
            return False
        for folder in (self._vault.folder / "state" / "queue").glob("appendonly*"):
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _stop_worker(self, step: Step) -> bool:
        pid = self._worker(step.pick)
        return pid is not None and self._stop(pid, step.hold_s)

    def _stop_supervisor(self, step: Step) -> bool:
        self._until_busy()
        pid = self._crew.supervisor
        return pid is not None and self._stop(pid, step.hold_s)

    def _stop_queue(self, step: Step) -> bool:
        pid = self._crew.queue_server()
        return pid is not None and self._stop(pid, step.hold_s)

    def _stop(self, pid: int, seconds: float) -> bool:
        if not send(pid, signal.SIGSTOP):
            return False
        self._holds.add(seconds, partial(send, pid, signal.SIGCONT))
        return True

    def _lock(self, step: Step) -> bool:
        """Hold the catalog as another program may that writes to it and takes its time."""
        line = sqlite3.connect(self._vault.catalog, timeout=5, isolation_level=None)
        try:
            line.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            line.close()
            return False
        self._errands.locks += 1
        self._errands.locked = True

        def unlock() -> None:
            line.close()
            self._errands.locked = False

        self._holds.add(step.hold_s, unlock)
        return True

    def _fill(self, step: Step) -> bool:
        self._until_busy()
        fill = partial(self._disk.fill, step.pick)
        fill()
        self._holds.add(step.hold_s, self._disk.empty, meanwhile=fill)
        return True

    def _pause(self, step: Step) -> bool:
        self._until(lambda: self._errands.has_room, None)
        self._errands.start("pause", "--why", "chaos")
        # Else the resumption may be quicker, where both wait for the catalog.
        self._until(lambda: not self._errands, None)
        self._holds.add(step.hold_s, partial(self._errands.start, "resume", insist=True))
        return True

    def _run_command(self, step: Step) -> bool:
        sid = self._sids[int(step.pick * len(self._sids))]
        words = {
            Deed.STATUS: ("status", "--json"),
            Deed.REPORT: ("report", "--json"),
            Deed.EXPLAIN: ("explain", sid),
            Deed.RETRY_FAILED: ("retry", "--failed"),
            Deed.RETRY_ABSENT: ("retry", "--absent", "--reason", "too-short"),
            Deed.ENQUEUE_AGAIN: ("enqueue", "cdr", self._taken[0].name),
        }
        self._until(lambda: self._errands.has_room, None)
        self._errands.start(*words[step.deed])
        return True

    def _worker(self, pick: float) -> int | None:
        """Return a worker that has calls in hand, or else any; None where there is none."""
        self._until_busy()
        self._until(lambda: bool(self._crew.workers()), _ANY_TARGET_S)
        found = sorted(self._crew.held()) or self._crew.workers()
        return found[int(pick * len(found))] if found else None

    def _until_busy(self) -> None:
        """Wait for somebody to have work in hand; where nothing is left, take more calls in."""
        if not self._until(lambda: bool(self._crew.held()), _TARGET_S) and self._is_drained():
            self._take_in()
            self._until(lambda: bool(self._crew.held()), _ANY_TARGET_S)

    def _is_drained(self) -> bool:
        return self._crew.supervisor is None and self._is_settled()

    def _is_settled(self) -> bool:
        now = time.monotonic()
        if now - self._counted_at > _COUNT_S:
            self._counted_at = now
            self._unsettled = self._watch.unsettled()
        return self._unsettled == 0

    def _until(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Keep everything going until a condition holds (True) or the time is over (False)."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            self._holds.tend()
            self._errands.tend()
            self._crew.tend(wanted=not self._is_settled())
            self._watch.tend()
            if condition():
                return True
            now = time.monotonic()
            if end is not None and now >= end:
                return False
            if now >= self._deadline:
                raise OutOfTimeError
            time.sleep(_LOOK_S)
