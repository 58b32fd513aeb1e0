"""What a person sees of a run: a progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import structlog

from archive.call import State
from archive.waits import for_provider, for_try
from worker.screen import bar_console

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from archive.catalog.balance import Tally
    from archive.catalog.pauses import Paused


_EVERY_S: Final = 60.0
_MINUTE_S: Final = 60.0
_REST_S: Final = 0.25
_LONGEST_REST_S: Final = 30.0
_SHARE: Final = 9
_MB: Final = 1e6
_log = structlog.get_logger()


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is: all calls, and what was done in this run.

    ``size`` is bytes, ``at_risk`` how many recordings will be deleted before their turn,
    ``in_hours`` how many calls wait for the backfill hours, ``waiting`` says what all wait for.
    """

    tally: Tally
    recordings: int = 0
    size: int = 0
    requests: int = 0
    at_risk: int = 0
    held: tuple[Paused, ...] = ()
    in_hours: int = 0
    waiting: str = ""

    @property
    def settled(self) -> int:
        """How many calls are done with."""
        return self.tally.total - self.tally.unsettled


def rest_after(took_s: float) -> float:
    """Return how many seconds to rest after a look at all calls that took so long.

    Counting millions takes a while, so it is done a tenth of the time at most. But what took a
    minute may have waited for a server that was cut off, or in a machine that stood still: no rest
    is so long that a drain whose calls are all settled seems to hang.
    """
    return max(_REST_S, min(_SHARE * took_s, _LONGEST_REST_S))


class Progress(Protocol):
    """Shows how far a run is."""

    @property
    def wants_quiet(self) -> bool:
        """Whether log lines would spoil it."""
        ...

    def begin(self) -> None:
        """Begin to show."""
        ...

    def update(self, state: RunState) -> None:
        """Show the present state."""
        ...

    def end(self) -> None:
        """Stop showing."""
        ...


class LogProgress:
    """A line in the log once a minute while something happens.

    ``clock`` tells seconds; ``tell`` gets the event and its fields, the log if it is None.
    """

    wants_quiet = False

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[..., object] | None = None,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._next = 0.0
        self._at = 0.0
        self._shown: RunState | None = None

    def begin(self) -> None:
        """Begin to show."""
        self._next = self._clock() + 1

    def update(self, state: RunState) -> None:
        """Log, if it is time and anything has changed."""
        now = self._clock()
        if now < self._next or state == self._shown:
            return
        per_minute = 0
        if self._shown is not None and now > self._at:
            more = state.settled - self._shown.settled
            per_minute = round(max(0, more) * _MINUTE_S / (now - self._at))
        self._next = now + _EVERY_S
        self._shown, self._at = state, now
        (self._tell or _log.info)("progress", **_fields(state, per_minute))

    def end(self) -> None:
        """Stop showing."""


class BarProgress:
    """A bar for a terminal."""

    wants_quiet = True

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._began = 0.0

    def begin(self) -> None:
        """Draw the bar."""
        from rich import progress  # noqa: PLC0415 - loaded only where it shows something

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.fields[settled]}"),
            progress.TextColumn("{task.fields[speed]}"),
            progress.TimeRemainingColumn(compact=True),
            progress.TextColumn("{task.fields[note]}"),
            console=bar_console(),
        )
        self._task = self._bar.add_task("archiving", total=None, settled="", speed="", note="")
        self._bar.start()
        self._began = time.monotonic()

    def update(self, state: RunState) -> None:
        """Draw the present state."""
        if self._bar is None or self._task is None:
            return
        took = max(0.001, time.monotonic() - self._began)
        tally = state.tally
        self._bar.update(
            self._task,
            total=tally.total,
            completed=state.settled,
            settled=f"{state.settled:,}/{tally.total:,} settled",
            speed=f"{state.size / _MB:,.1f} MB, {state.recordings / took:,.0f}/s",
            note=_note(state),
        )

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.stop()


def _note(state: RunState) -> str:
    if state.held:
        return f"paused: {state.held[0].reason}"
    for calls, what in (
        (for_try(state.tally.waits), "a further try"),
        (for_provider(state.tally.waits), "the provider"),
        (state.in_hours, "the backfill hours"),
    ):
        if calls:
            return f"{calls:,} wait for {what}"
    return ""


def _fields(state: RunState, per_minute: int) -> dict[str, object]:
    tally = state.tally
    return {
        "settled": state.settled,
        "per_minute": per_minute,
        "calls": tally.total,
        "waiting_for_provider": for_provider(tally.waits),
        "archived": tally.states[State.ARCHIVED],
        "at_risk": state.at_risk,
        "recordings_of_run": state.recordings,
        "bytes_of_run": state.size,
        "requests_of_run": state.requests,
        **({"waiting": state.waiting} if state.waiting else {}),
        **({"paused": ", ".join(sorted({p.reason for p in state.held}))} if state.held else {}),
    }
