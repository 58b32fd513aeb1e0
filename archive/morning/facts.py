"""What a morning report tells of one day: plain facts, which renderers only lay out.

Nothing here holds a customer's telephone number. ExoPhones are the company's own.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of its fields
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import State
from archive.sources import Brought  # noqa: TC001 - msgspec reads the types of its fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OTHERS: Final = "others"
"""What stands in the place of a name for all that are not named."""
_GROUPS: Final = {
    State.ARCHIVED: "archived",
    State.ABSENT: "without",
    State.EXCLUDED: "without",
    State.PURGED: "without",
    State.EXPECTED: "waiting",
    State.LEASED: "waiting",
    State.LOST: "lost",
    State.FAILED: "failed",
}


class Level(StrEnum):
    """How a day stands; the worst decides."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    ALARM = "alarm"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should know, and the command that helps; ``alarm``: at once."""

    text: str
    command: str = ""
    alarm: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The day in one sentence, and what should be known besides, the worst first."""

    level: Level
    sentence: str
    notes: tuple[Note, ...]

    @property
    def is_clean(self) -> bool:
        """Tell whether nobody need look any further."""
        return self.level is Level.COMPLETE and not self.notes


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Calls by what became of them; ``without`` never had a recording that is wanted."""

    calls: int = 0
    archived: int = 0
    without: int = 0
    waiting: int = 0
    lost: int = 0
    failed: int = 0

    @property
    def settled(self) -> int:
        """How many no longer wait for an answer."""
        return self.calls - self.waiting

    @property
    def share(self) -> float:
        """The share of the calls that have, or should have, a recording."""
        return (self.calls - self.without) / self.calls if self.calls else 0.0


def counts_of(states: Mapping[State, int]) -> Counts:
    """Sum states up."""
    found = dict.fromkeys(_GROUPS.values(), 0)
    for state, calls in states.items():
        found[_GROUPS[state]] += calls
    return Counts(calls=sum(found.values()), **found)


def add_counts(counts: Iterable[Counts]) -> Counts:
    """Add counts up, one figure at a time."""
    total = dict.fromkeys(Counts.__struct_fields__, 0)
    for one in counts:
        for name in total:
            total[name] += getattr(one, name)
    return Counts(**total)


def without_counts(all_of_them: Counts, some: Counts) -> Counts:
    """Return what is left of counts when some are taken out of them."""
    names = Counts.__struct_fields__
    return Counts(**{name: getattr(all_of_them, name) - getattr(some, name) for name in names})


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of an account, or of one of its ExoPhones."""

    account: str
    name: str
    counts: Counts


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that began in one hour of the day."""

    begin: datetime
    counts: Counts


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that have no recording here, and why: what it means, and what can be done about it."""

    account: str
    state: State
    reason: str
    calls: int
    meaning: str
    remedy: str
    command: str
    first: tuple[str, ...]


class Flagged(msgspec.Struct, frozen=True, kw_only=True):
    """Recordings that are kept though something is odd about them."""

    flag: str
    recordings: int
    meaning: str
    command: str
    damage: bool


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How measures lie: how many there are, the least, three percentiles and the most."""

    count: int
    least: int
    p50: int
    p90: int
    p99: int
    most: int


class Bar(msgspec.Struct, frozen=True):
    """How many measures are below an upper bound (None: there is none) and above the one before."""

    below: int | None
    count: int


class Promptness(msgspec.Struct, frozen=True, kw_only=True):
    """How long after a call's end its recording was on disk, in seconds.

    Of calls that became known in time, which are ``timely`` of all ``archived`` ones. ``in_vain``
    is how old calls were at the last look that found no recording yet: the provider's own part.
    """

    archived: int
    timely: int
    on_disk: Spread | None
    bars: tuple[Bar, ...]
    in_vain: Spread | None


class Due(msgspec.Struct, frozen=True):
    """Waiting calls whose recordings the provider deletes on a day."""

    day: str
    calls: int


class Margins(msgspec.Struct, frozen=True, kw_only=True):
    """How many hours before its deletion by the provider each recording was on disk.

    ``due`` are calls that still wait, by the day of their deletion; ``at_risk`` says in a sentence
    for each account what will be deleted before its turn. ``past`` should be deleted by now.
    """

    hours: Spread | None
    bars: tuple[Bar, ...]
    due: tuple[Due, ...]
    past: int
    at_risk: tuple[str, ...]


class Unread(msgspec.Struct, frozen=True):
    """A time whose part of the provider's listing was not read, though it usually is."""

    since: datetime
    until: datetime


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What each source brought of an account's calls of a time, and when it was silent.

    ``unread`` are the times whose calls nobody but other sources told of.
    """

    account: str
    begin: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    brought: tuple[Brought, ...] = msgspec.field(name="sources")
    unread: tuple[Unread, ...] = ()


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What it took: when the day's recordings came, and what was asked of the provider.

    ``requests`` are those from the day's beginning until the report, or noon of the day after, by
    how they ended; ``limit`` is what the provider would have allowed in the busiest hour, of which
    ``busiest`` were used. ``troubles`` are failed downloads and repeated tries, by symptom.
    """

    first: datetime | None
    last: datetime | None
    requests: dict[str, int]
    busiest: int
    limit: int
    troubles: dict[str, int]
    waited_ms: int


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a command that has an end; ``ended`` and ``code`` are None while it goes on.

    Of one that was killed they stay so. ``note`` has its figures or its error.
    """

    host: str
    command: str
    began: datetime
    ended: datetime | None
    code: int | None
    note: str


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A day before: its calls, and what was written to the disk on it (None: not counted then)."""

    day: str
    counts: Counts
    bytes: int | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The same weekday before, as it stands now."""

    day: str
    calls: int
    archived: int
    recordings: int
    bytes: int


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The disk of the archive. ``days_left`` is None where no pace is known."""

    free: int
    min_free: int
    days_left: float | None


class Morning(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is told of a day (``YYYY-MM-DD``), and of how things stand now.

    ``runs`` are those from the day's beginning until noon of the day after, the latest last;
    ``verified`` is the last look at the archive's files, whenever that was.
    """

    day: str
    made_at: datetime
    timezone: str
    verdict: Verdict
    counts: Counts
    recordings: int
    bytes: int
    faults: tuple[str, ...]
    accounts: tuple[Share, ...]
    exophones: tuple[Share, ...]
    hours: tuple[Hour, ...]
    missing: tuple[Reason, ...]
    without: tuple[Reason, ...]
    flagged: tuple[Flagged, ...]
    undated: int
    sources: tuple[Sources, ...]
    promptness: Promptness
    margins: Margins
    work: Work
    runs: tuple[Ran, ...]
    verified: Ran | None
    before: Compared | None
    past: tuple[Past, ...]
    room: Room | None
    paused: str | None
    troubles: tuple[str, ...]
