"""A process as a service: when it is ready, how it is, that it moves, and that it ends."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from archive.call import State
from worker.notify import Notifier
from worker.pulse import Facts, is_well

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from worker.progress import Progress, RunState

_STATUS_S: Final = 5.0
"""Between two lines for ``systemctl status``."""
_LONGEST_LOOK_S: Final = 5.0
_LOOKS: Final = 10
"""How often is looked within the time after which the manager would act."""
_RATE_S: Final = 60.0
_ALWAYS_SHOWN: Final = (State.ARCHIVED, State.ABSENT)
_SHOWN: Final = (*_ALWAYS_SHOWN, State.LOST, State.FAILED, State.EXCLUDED, State.PURGED)


class Service:
    """What the service manager learns of this process, of all parts that run in it.

    ``clock`` tells seconds.
    """

    def __init__(
        self, notifier: Notifier | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._notifier = notifier or Notifier()
        self._clock = clock
        self._awaited: set[str] = set()
        self._is_ready = False
        self._parts: list[Callable[[], Facts]] = []
        self._well: list[bool] = []
        self._said = ""
        self._next = 0.0

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Service:
        """Return a service of whoever started this process, if that is a service manager."""
        return cls(Notifier.of(environment, pid=os.getpid()))

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to tell."""
        return self._notifier.is_heard

    def expect(self, part: str) -> None:
        """Not be ready before this part is."""
        self._awaited.add(part)

    def has(self, part: str) -> None:
        """Note that a part is ready; the last one that was expected makes the service so."""
        self._awaited.discard(part)
        if not self._awaited and not self._is_ready:
            self._is_ready = True
            self._notifier.ready()

    def watch(self, facts: Callable[[], Facts]) -> None:
        """Feed the watchdog only while this part is well, too."""
        self._parts.append(facts)
        self._well.append(False)

    def say(self, text: str, *, at_once: bool = False) -> None:
        """Show how it is, if that has changed and it is time for it."""
        if text == self._said or (self._clock() < self._next and not at_once):
            return
        self._said, self._next = text, self._clock() + _STATUS_S
        self._notifier.status(text)

    def look(self) -> None:
        """Look at all parts, and feed the watchdog once each was well since it was last fed.

        All since then, not all at one look: parts move at times of their own.
        """
        for number, facts in enumerate(self._parts):
            self._well[number] |= is_well(facts())
        if all(self._well):
            self._notifier.feed()
            self._well = [False] * len(self._parts)

    @asynccontextmanager
    async def running(self, stopping: asyncio.Event) -> AsyncIterator[None]:
        """Feed the watchdog meanwhile, and tell of the end when ``stopping`` comes."""
        tasks = [asyncio.create_task(self._tell_of_stop(stopping))]
        if self._notifier.watchdog_s is not None:
            # The manager ends what hangs by SIGABRT: then the log tells where that was.
            faulthandler.enable()
            every_s = min(_LONGEST_LOOK_S, self._notifier.watchdog_s / _LOOKS)
            tasks.append(asyncio.create_task(self._keep_looking(every_s)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_of_stop(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._notifier.stopping()

    async def _keep_looking(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            self.look()


class StatusProgress:
    """Shows a run's progress as the service's status, and hands it on to another one.

    ``trouble`` tells what the leader meets, empty for nothing.
    """

    def __init__(
        self,
        service: Service,
        other: Progress,
        *,
        trouble: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._other = other
        self._trouble = trouble
        self._clock = clock
        self._counts: deque[tuple[float, int]] = deque()

    @property
    def wants_quiet(self) -> bool:
        """Whether log lines would spoil the other one."""
        return self._other.wants_quiet

    def begin(self) -> None:
        """Begin to show."""
        self._other.begin()

    def update(self, state: RunState) -> None:
        """Show the present state."""
        self._other.update(state)
        if self._service.is_heard:
            per_minute = self._rate(state.recordings)
            self._service.say(standing(state, per_minute, self._trouble()))

    def end(self) -> None:
        """Stop showing."""
        self._other.end()

    def _rate(self, recordings: int) -> int:
        """Return the recordings a minute, of the last minute or what there is of it."""
        now = self._clock()
        self._counts.append((now, recordings))
        while len(self._counts) > 1 and now - self._counts[0][0] > _RATE_S:
            self._counts.popleft()
        began, before = self._counts[0]
        return round((recordings - before) / max(now - began, 1.0) * 60)


def standing(state: RunState, per_minute: int, trouble: str = "") -> str:
    """Say in one line where the calls stand, what they wait for, and what holds work up."""
    tally, held = state.tally, state.held
    shown = [one for one in _SHOWN if tally.states[one] or one in _ALWAYS_SHOWN]
    counts = [f"{tally.total:,} known"]
    counts += [f"{tally.states[one]:,} {one}" for one in shown]
    counts.append(f"{tally.unsettled:,} to do")
    text = f"{', '.join(counts)}; {per_minute:,} recordings/min"
    if state.waiting:
        text += f"; waiting: {state.waiting}"
    if held:
        # The detail is the provider's or the disk's words: those are for `status`.
        text += f"; PAUSED: {', '.join(f'{one.scope}: {one.reason}' for one in held)}"
    return f"{text}; TROUBLE: {trouble}" if trouble else text
