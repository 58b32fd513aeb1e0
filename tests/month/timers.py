"""What the timers start, and when: read from the units as they are installed."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS: Final = Path(__file__).parents[2] / "deploy" / "systemd"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CALENDAR: Final = re.compile(r"(?:(\w{3}) )?\*-\*-\* (\d\d):(\d\d):00")


class Timer(msgspec.Struct, frozen=True):
    """A unit's commands, their hour, and the one day of the week if it is not all of them."""

    unit: str
    at: time
    weekday: int | None
    commands: tuple[tuple[str, ...], ...]

    def is_for(self, day: datetime) -> bool:
        """Tell whether it fires on that day."""
        return self.weekday is None or self.weekday == day.weekday()


def timers(folder: Path = UNITS) -> list[Timer]:
    """Return all timers of a folder of units, in the order of their hours."""
    return sorted(_read(folder), key=lambda timer: timer.at)


def _read(folder: Path) -> Iterator[Timer]:
    for file in folder.glob("*.timer"):
        (calendar,) = _values(file, "OnCalendar")
        found = _CALENDAR.fullmatch(calendar)
        assert found, f"{file.name}: a calendar that is not understood here: {calendar}"
        day, hour, minute = found.groups()
        lines = _values(file.with_suffix(".service"), "ExecStart")
        yield Timer(
            unit=file.stem,
            at=time(int(hour), int(minute)),
            weekday=_DAYS.index(day) if day else None,
            commands=tuple(_arguments(line) for line in lines),
        )


def _arguments(line: str) -> tuple[str, ...]:
    """Return what follows the program and its settings file."""
    words = shlex.split(line)
    at = words.index("--config")
    return tuple(words[at + 2 :])


def _values(file: Path, key: str) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [value for name, _, value in (line.partition("=") for line in lines) if name == key]
