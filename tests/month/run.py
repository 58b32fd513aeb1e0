"""The month as it passes: each night its timers fire, and each morning the report is read."""

from __future__ import annotations

import json
from contextlib import ExitStack, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from archive.errors import Exit
from tests.month.clock import Clock, midnight
from tests.month.house import ZONE, House, Ran
from tests.month.sink import Sink
from tests.month.timers import Timer, timers
from tests.month.troubles import TROUBLES, Trouble
from tests.provider import running_provider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ZONE: Final = ZoneInfo(ZONE)
_DAY: Final = timedelta(days=1)
_AGAIN: Final = timedelta(minutes=15)
"""``RestartSec`` of the units, for what ended with 5 or by a signal."""
_TRIES: Final = 2


class Night(msgspec.Struct, frozen=True):
    """What a night's timers did; ``day`` is the day that they archived."""

    day: str
    trouble: Trouble | None
    ran: tuple[Ran, ...]

    @property
    def report(self) -> str:
        """What the morning's report said."""
        return next((ran.out for ran in reversed(self.ran) if "report" in ran.words), "")

    @property
    def odd_codes(self) -> frozenset[int]:
        """Exit codes that nothing of this night explains."""
        allowed = self.trouble.codes if self.trouble else frozenset()
        return frozenset(ran.code for ran in self.ran) - allowed - {Exit.COMPLETE}


class Month(msgspec.Struct, frozen=True):
    """All nights, what the catalog says in the end, and what was sent."""

    nights: tuple[Night, ...]
    status: Ran
    sent: tuple[tuple[str, str], ...]

    @property
    def balance(self) -> dict[str, Any]:
        """What ``status --json`` said in the end."""
        return dict(json.loads(self.status.out))


def run(folder: Path, cc: str, *, nights: int, calls: int, tell: Callable[[Night], None]) -> Month:
    """Let so many nights pass, each after a day of so many calls."""
    # Back where all nights lie in the past: then no day is one that has not come yet.
    first = midnight(nights + 2, _ZONE)
    with ExitStack() as stack:
        clock = stack.enter_context(Clock(folder, cc, first))
        sink = stack.enter_context(Sink())
        options = ("--calls", str(nights * calls), "--span", f"{nights}d", "--bytes", "20KB")
        provider = stack.enter_context(
            running_provider(
                *options,
                *("--start", first.isoformat(), "--rate-limit", "0", "--ready", "at-once"),
                environment=clock.environment,
            )
        )
        house = House(folder, provider, clock, sink)
        units = timers()
        passed = []
        for number in range(1, nights + 1):
            trouble = TROUBLES.get(number)
            day = first + number * _DAY
            house.yesterday = f"{day - _DAY:%Y-%m-%d}"
            with trouble.happens(house) if trouble else nullcontext():
                night = _night(house, clock, units, day, trouble)
            passed.append(night)
            tell(night)
        return Month(
            nights=tuple(passed),
            status=house.run("status", ("status", "--json")),
            sent=tuple(sink.posted),
        )


def _night(
    house: House, clock: Clock, units: list[Timer], day: datetime, trouble: Trouble | None
) -> Night:
    ran: list[Ran] = []
    for timer in units:
        begins = day + timedelta(hours=timer.at.hour, minutes=timer.at.minute)
        clock.move(begins)
        if timer.is_for(day) and not house.is_off:
            ran += _unit(house, clock, timer)
    return Night((day - _DAY).strftime("%Y-%m-%d"), trouble, tuple(ran))


def _unit(house: House, clock: Clock, timer: Timer) -> list[Ran]:
    """Run a unit's commands, one if the one before it went well; again if a later try may help."""
    ran: list[Ran] = []
    for _ in range(_TRIES):
        for words in timer.commands:
            ran.append(house.run(timer.unit, words))
            if ran[-1].code:
                break
        if ran[-1].code != Exit.WORK_REMAINS and ran[-1].code >= 0:
            break
        clock.move(clock.now(_ZONE) + _AGAIN)
    return ran
