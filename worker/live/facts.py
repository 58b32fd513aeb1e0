"""What a live view knows at one moment."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of facts
from typing import Final

import msgspec

from archive.call import UNSETTLED, State
from archive.catalog.pauses import Paused  # noqa: TC001 - the same
from archive.catalog.troubles import Trouble  # noqa: TC001 - the same
from archive.catalog.watch import Backlog, InVain, Worker  # noqa: TC001 - the same
from archive.forecast import Risk, sum_of

MINUTES: Final = 30
"""How many minutes the small curve has."""


class Working(msgspec.Struct, frozen=True):
    """A worker process, and how many recordings it archives a minute; None while not known yet."""

    worker: Worker
    per_minute: float | None


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What happened within the last minute, and the minutes before it.

    ``requests`` (a minute) are counted while the view runs: None until it has. ``limit`` is what
    the provider allows to all accounts together. ``minutes`` are calls archived in each of the last
    minutes that are over, the latest one last.
    """

    recordings: int
    bytes_per_second: float
    requests: float | None
    limit: int
    minutes: tuple[int, ...]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What takes a while to count, and when it was."""

    at: datetime
    states: dict[State, int]
    backlogs: tuple[Backlog, ...]
    risks: tuple[Risk, ...]

    @property
    def known(self) -> int:
        """All calls."""
        return sum(self.states.values())

    @property
    def settled(self) -> int:
        """How many calls wait for nothing any more."""
        return self.known - sum(self.states[state] for state in UNSETTLED)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown. ``at_risk`` says in a sentence what each account will lose.

    ``mistake`` is why the catalog cannot be read just now; the rest is of the last time then.
    """

    at: datetime
    accounts: tuple[str, ...]
    pace: Pace
    counted: Counted
    at_risk: tuple[str, ...]
    workers: tuple[Working, ...]
    pauses: tuple[Paused, ...]
    troubles: tuple[Trouble, ...]
    last: tuple[InVain, ...]
    mistake: str = ""


def document(facts: Facts) -> dict[str, object]:
    """Return the promised fields of ``status --watch --json``."""
    counted, pace = facts.counted, facts.pace
    return {
        "at": facts.at,
        "counted_at": counted.at,
        "known": counted.known,
        **{state.value: counted.states[state] for state in State},
        "recordings_per_minute": pace.recordings,
        "bytes_per_second": round(pace.bytes_per_second),
        "requests_per_minute": None if pace.requests is None else round(pace.requests),
        "archived_by_minute": pace.minutes,
        "waiting": counted.backlogs,
        "at_risk": sum_of(counted.risks),
        "workers": [
            {**msgspec.structs.asdict(one.worker), "recordings_per_minute": one.per_minute}
            for one in facts.workers
        ],
        "pauses": facts.pauses,
        "troubles": facts.troubles,
        "last": facts.last,
        "mistake": facts.mistake or None,
    }
