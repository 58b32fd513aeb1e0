"""How far an import is: a bar with rows a second and the time left, on a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from worker.screen import bar_console, wants_bar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.progress import Progress, TaskID

T = TypeVar("T")

_SAMPLE: Final = 2**18
_EVERY: Final = 500
_MAGIC: Final = (b"\x1f\x8b", b"PK\x03\x04")
"""How files begin that say nothing of the rows in them: gzip, zip."""


class Importing:
    """Shows rows as they are taken in; without a bar it shows nothing."""

    def __init__(self, bar: Progress | None) -> None:
        self._bar = bar

    def rows(self, rows: Iterable[T], file: str) -> Iterator[T]:
        """Pass on the rows of a file, and show how many there were."""
        if self._bar is None:
            yield from rows
            return
        task = self._bar.add_task(_name(file), total=rows_in(Path(file)))
        count = 0
        for row in rows:
            yield row
            count += 1
            if count % _EVERY == 0:
                self._bar.update(task, completed=count)
        self._end(task, count)

    def _end(self, task: TaskID, count: int) -> None:
        assert self._bar is not None
        self._bar.update(task, completed=count, total=count)


@contextmanager
def importing(*, wanted: bool | None) -> Iterator[Importing]:
    """Show a bar while this lasts; by default (None) on a terminal only."""
    if not wants_bar(wanted):
        yield Importing(None)
        return
    from rich import progress  # noqa: PLC0415 - loaded only where it shows something

    class Speed(progress.ProgressColumn):
        """Rows a second."""

        def render(self, task: progress.Task) -> str:
            return f"{task.speed or 0:,.0f} rows/s"

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.TextColumn("{task.completed:,.0f} rows"),
        Speed(),
        progress.TimeRemainingColumn(compact=True),
        console=bar_console(),
    )
    with bar:
        yield Importing(bar)


def rows_in(path: Path) -> int | None:
    """Return about how many rows a file has, by its first ones; None where that tells nothing."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            return None
        with path.open("rb") as file:
            sample = file.read(_SAMPLE)
    except (OSError, ValueError):
        return None  # reading it says what is wrong with it
    lines = sample.count(b"\n")
    if not lines or sample.startswith(_MAGIC):
        return None
    return max(1, round(size * lines / len(sample)))


def _name(file: str) -> str:
    name = Path(file).name[-32:]
    return name if name.isprintable() else ascii(name)
