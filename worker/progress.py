"""What a person sees of a run: a progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from archive.call import State
from worker.screen import bar_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from archive.catalog.balance import Tally
    from archive.catalog.pauses import Paused

_EVERY_S: Final = 60.0
_MB: Final = 1e6
_log = structlog.get_logger()


class Progress(Protocol):
    """Shows how far a run is."""

    @property
    def wants_quiet(self) -> bool:
        """Whether log lines would spoil it."""
        ...

    def begin(self) -> None:
        """Begin to show."""
        ...

    def update(self, tally: Tally, *, recordings: int, size: int, held: Sequence[Paused]) -> None:
        """Show the present state: all calls, and recordings and bytes of this run."""
        ...

    def end(self) -> None:
        """Stop showing."""
        ...


class LogProgress:
    """A line in the log once a minute while something happens."""

    wants_quiet = False

    def __init__(self) -> None:
        self._next = 0.0
        self._shown = ""

    def begin(self) -> None:
        """Begin to show."""
        self._next = time.monotonic() + 1

    def update(self, tally: Tally, *, recordings: int, size: int, held: Sequence[Paused]) -> None:
        """Log, if it is time and anything has changed."""
        fields = _fields(tally, recordings, size, held)
        if time.monotonic() < self._next or str(fields) == self._shown:
            return
        self._next = time.monotonic() + _EVERY_S
        self._shown = str(fields)
        _log.info("progress", **fields)

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

    def update(self, tally: Tally, *, recordings: int, size: int, held: Sequence[Paused]) -> None:
        """Draw the present state."""
        if self._bar is None or self._task is None:
            return
        took = max(0.001, time.monotonic() - self._began)
        settled = tally.total - tally.unsettled
        self._bar.update(
            self._task,
            total=tally.total,
            completed=settled,
            settled=f"{settled:,}/{tally.total:,} settled",
            speed=f"{size / _MB:,.1f} MB, {recordings / took:,.0f}/s",
            note=_note(tally, held),
        )

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.stop()


def _note(tally: Tally, held: Sequence[Paused]) -> str:
    if held:
        return f"paused: {held[0].reason}"
    return f"{tally.waiting:,} wait for the provider" if tally.waiting else ""


def _fields(tally: Tally, recordings: int, size: int, held: Sequence[Paused]) -> dict[str, object]:
    return {
        "settled": tally.total - tally.unsettled,
        "calls": tally.total,
        "waiting_for_provider": tally.waiting,
        "archived": tally.states[State.ARCHIVED],
        "recordings_of_run": recordings,
        "bytes_of_run": size,
        **({"paused": held[0].reason} if held else {}),
    }
