"""What a person sees while files are read: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

import structlog

from worker.screen import bar_console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY_S: Final = 60.0
_DRAWN_S: Final = 0.1
_MB: Final = 1e6
_log = structlog.get_logger()


class Meter:
    """Counts files and bytes, and shows them. Use it as a context manager.

    ``total`` is how many files there will be, None if nobody knows. It is for one thread.
    """

    def __init__(self, doing: str, *, total: int | None, shows_bar: bool) -> None:
        self._doing = doing
        self._total = total
        self._shows_bar = shows_bar
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._began = 0.0
        self._next = 0.0
        self.files = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._next = self._began + (_DRAWN_S if self._shows_bar else _EVERY_S)
        if self._shows_bar:
            self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._show()
            self._bar.stop()

    def add(self, size: int) -> None:
        """Count a file of so many bytes."""
        self.files += 1
        self.bytes += size
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (_DRAWN_S if self._shows_bar else _EVERY_S)
            self._show()

    def _draw(self) -> None:
        from rich import progress  # noqa: PLC0415 - loaded only where it shows something

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.fields[files]}"),
            progress.TextColumn("{task.fields[speed]}"),
            progress.TimeRemainingColumn(compact=True),
            console=bar_console(),
        )
        self._task = self._bar.add_task(self._doing, total=self._total, files="", speed="")
        self._bar.start()

    def _show(self) -> None:
        took = max(0.001, time.monotonic() - self._began)
        if self._bar is None or self._task is None:
            _log.info(self._doing, files=self.files, of=self._total, bytes=self.bytes)
            return
        of = "" if self._total is None else f"/{self._total:,}"
        self._bar.update(
            self._task,
            completed=self.files,
            files=f"{self.files:,}{of} files",
            speed=f"{self.bytes / _MB:,.1f} MB, {self.bytes / _MB / took:,.0f} MB/s",
        )
