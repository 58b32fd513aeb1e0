"""The facts about every call, worked out from a seed and the call's index.

Nothing is stored per call: ``Provider`` answers for ten million calls as it does for ten, and two
processes with the same settings give the same facts. Start times ascend with the index, which lets
ranges of dates be found by bisection.
"""

import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from sandbox import audio as sound
from sandbox.audio import Audio, AudioFormat
from sandbox.sids import SidCodec

FOLDER = "exotelrecordings"
"""The first part of every recording's path, on both hosts (Exotel, call recordings)."""

HISTORY = timedelta(days=183)
"""How far back the API knows calls: six months (Exotel voice API, Bulk call details)."""


class Kind(StrEnum):
    """What became of a call and of its recording."""

    MP3 = "mp3"
    FOREIGN = "mp3-foreign-name"
    DUAL = "wav-dual"
    LONG = "mp3-long"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    FAILED = "failed"
    CANCELED = "canceled"
    UNANSWERED = "inbound-unanswered"
    TOO_SHORT = "too-short"
    NOT_RECORDED = "not-recorded"


class Mix(StrEnum):
    """Which kinds of calls there are."""

    ALL = "all"
    CLEAN = "clean"


class FormatChoice(StrEnum):
    """Which formats recordings have: as the kind says, or one for all."""

    MIXED = "mixed"
    MP3 = "mp3"
    WAV = "wav"


class Readiness(StrEnum):
    """When a recording becomes available after the call."""

    REALISTIC = "realistic"
    AT_ONCE = "at-once"


RECORDED_KINDS = frozenset({Kind.MP3, Kind.FOREIGN, Kind.DUAL, Kind.LONG})

# Hundredths of all calls; three quarters are recorded.
_SHARES = {
    Kind.MP3: 51,
    Kind.FOREIGN: 10,
    Kind.DUAL: 11,
    Kind.LONG: 3,
    Kind.NO_ANSWER: 8,
    Kind.BUSY: 4,
    Kind.FAILED: 2,
    Kind.CANCELED: 2,
    Kind.UNANSWERED: 4,
    Kind.TOO_SHORT: 3,
    Kind.NOT_RECORDED: 2,
}
_DECK = tuple(kind for kind, share in _SHARES.items() for _ in range(share))
# Sharing no factor with the deck's 100, this stride deals every card once in 100 calls: the shares
# are exact and any 100 neighbours contain all kinds.
_STRIDE = 37

_STATUS = {
    Kind.NO_ANSWER: "no-answer",
    Kind.BUSY: "busy",
    Kind.FAILED: "failed",
    Kind.CANCELED: "canceled",
}
# Seconds from the start to the end of calls without a recording, (least, most).
_UNRECORDED_SECONDS = {
    Kind.NO_ANSWER: (15, 30),
    Kind.BUSY: (2, 6),
    Kind.FAILED: (0, 0),
    Kind.CANCELED: (1, 9),
    Kind.UNANSWERED: (10, 40),
    Kind.TOO_SHORT: (1, 2),
    Kind.NOT_RECORDED: (5, 60),
}
_CONVERSED = RECORDED_KINDS | {Kind.TOO_SHORT, Kind.NOT_RECORDED}
_INBOUND_SHARE = 40
_DIRECTIONS = ("outbound-api", "outbound-dial")

# Minutes from a call's end to its recording, by percentile: (below, least, most).
_DELAYS = ((86, 1, 5), (98, 5, 15), (100, 15, 40))

_SHORTEST, _LONGEST, _LONG = 5, 60, 180
_FOUR_HOURS = 4 * 3_600
_LATE_SHORTEST = 8
_LATE_MARGIN = timedelta(seconds=1)

_WORD = 1 << 32
_DICE = struct.Struct(">8I")
_HUNDRED = 100
# Numbers begin with 5 after the trunk prefix: no subscriber in India has one.
_EXOPHONES = 8
_NUMBERS = 10_000_000
_AGENTS = 400
_FOREIGN_FIRST = 10_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it will stand once everything about it has settled.

    ``duration`` and ``conversation`` are whole seconds. ``object_name`` and ``ready_at`` are None
    where nothing was recorded; ``settled_at`` is when Duration, Price and EndTime become known.
    """

    index: int
    sid: str
    kind: Kind
    status: str
    direction: str
    caller: str
    called: str
    exophone: str
    started_at: datetime
    ended_at: datetime
    duration: int
    conversation: int
    settled_at: datetime
    object_name: str | None
    ready_at: datetime | None

    @property
    def leg_statuses(self) -> tuple[str, str]:
        """Give the statuses of both legs; the second one tells whether anybody answered."""
        if self.kind is Kind.UNANSWERED:
            return "completed", "no-answer"
        return ("completed" if self.conversation else self.status), self.status


class Dice(NamedTuple):
    """Eight independent draws of 32 bits that belong to one call."""

    moment: int
    length: int
    direction: int
    customer: int
    agent: int
    exophone: int
    delay_class: int
    delay: int


@dataclass(frozen=True)
class Provider:
    """The whole stand-in: what calls there were and when, and what their recordings are.

    ``first`` is the start of the first call; ``minute`` is how many real seconds one minute of the
    provider's processing lasts. The last ``late`` calls end just before ``launched`` and are all
    recorded, so that their recordings become ready while somebody watches. ``several`` is the share
    of recorded calls with more than one recording (`sandbox.several`), and ``hours`` the share of
    those whose kind has no length of its own that last up to four hours.
    """

    calls: int
    first: datetime
    span: timedelta
    zone: tzinfo
    launched: datetime
    seed: str = "sandbox"
    account: str = "sandbox1"
    mix: Mix = Mix.ALL
    formats: FormatChoice = FormatChoice.MIXED
    recording_bytes: int | None = None
    ready: Readiness = Readiness.REALISTIC
    minute: float = 60.0
    late: int = 0
    retention: timedelta = timedelta(days=30)
    several: float = 0.0
    hours: float = 0.0

    @cached_property
    def _codec(self) -> SidCodec:
        return SidCodec(self.seed)

    @cached_property
    def _key(self) -> bytes:
        return blake2b(self.seed.encode(), digest_size=32, person=b"call facts").digest()

    @cached_property
    def longest(self) -> timedelta:
        """Give a length that no call exceeds: how far back calls may still be going on."""
        sizes = (self._length(Kind.MP3, 0), self._length(Kind.DUAL, 0))
        most = _FOUR_HOURS if self.hours and self.recording_bytes is None else _LONG
        return timedelta(seconds=max(most, *sizes) + 1)

    def sid(self, index: int) -> str:
        """Give the Sid of the call with this index."""
        return self._codec.sid(index)

    def index_of(self, sid: str) -> int | None:
        """Give the index of a Sid; None where no call has it."""
        index = self._codec.index(sid)
        return index if index is not None and index < self.calls else None

    def call_of_object(self, name: str) -> Call | None:
        """Give the call whose recording has this object name; None where none has."""
        stem, _, extension = name.rpartition(".")
        if extension not in set(AudioFormat):
            return None
        known = self.index_of(stem)
        index = self._foreign_index(stem) if known is None else known
        call = self.call(index) if index is not None else None
        return call if call is not None and call.object_name == name else None

    def call(self, index: int) -> Call:
        """Work out all facts of the call with this index (0 up to the number of calls)."""
        dice = self._dice(index)
        kind = self._kind(index)
        duration = self._duration(index, kind, dice)
        started = self._start(index, dice)
        ended = started + timedelta(seconds=duration)
        recorded = kind in RECORDED_KINDS
        caller, called, exophone, direction = _parties(kind, dice)
        sid = self.sid(index)
        return Call(
            index=index,
            sid=sid,
            kind=kind,
            status=_STATUS.get(kind, "completed"),
            direction=direction,
            caller=caller,
            called=called,
            exophone=exophone,
            started_at=started,
            ended_at=ended,
            duration=duration,
            conversation=duration if kind in _CONVERSED else 0,
            settled_at=ended + self._settling(dice),
            object_name=self._object_name(index, sid, kind, started) if recorded else None,
            ready_at=ended + self._delay(dice) if recorded else None,
        )

    def started_at(self, index: int) -> datetime:
        """Give the start of the call with this index, in whole seconds; ascends with the index."""
        return self._start(index, self._dice(index))

    def between(self, low: datetime, high: datetime) -> range:
        """Give the indexes of the calls that started from ``low`` to ``high``, both included."""
        everything = range(self.calls)
        first = bisect_left(everything, low, key=self.started_at)
        return range(first, max(first, bisect_right(everything, high, key=self.started_at)))

    def audio(self, index: int) -> Audio | None:
        """Give the recording of the call with this index; None where nothing was recorded."""
        kind = self._kind(index)
        if kind not in RECORDED_KINDS:
            return None
        seconds = self._seconds(index, kind, self._dice(index))
        if self._format(kind) is AudioFormat.WAV:
            return sound.wav(self.seed, index, self._wav_frames(seconds))
        return sound.mp3(self.seed, index, self._mp3_frames(seconds))

    def is_available(self, call: Call, now: datetime) -> bool:
        """Tell whether the recording can be fetched: ready, and not yet deleted by retention."""
        return call.ready_at is not None and call.ready_at <= now < self.deleted_at(call)

    def deleted_at(self, call: Call) -> datetime:
        """Give the moment from which on the provider no longer has the call's recording."""
        return call.started_at + self.retention

    def path(self, call: Call, name: str | None = None) -> str:
        """Give the path of the call's recording (or of another one by name) on both hosts."""
        return f"/{FOLDER}/{self.account}/{name or call.object_name}"

    def _dice(self, index: int) -> Dice:
        plain = index.to_bytes(8, "big")
        return Dice(*_DICE.unpack(blake2b(plain, key=self._key, digest_size=32).digest()))

    def _kind(self, index: int) -> Kind:
        if self.mix is Mix.CLEAN:
            return Kind.MP3
        kind = _DECK[(index * _STRIDE + self._key[0]) % len(_DECK)]
        if index < self.calls - self.late or kind in (Kind.FOREIGN, Kind.LONG):
            return kind
        # Late calls are recorded, and in one format: at a fixed size another one would last longer
        # and so have begun before its neighbours.
        return Kind.MP3

    def _start(self, index: int, dice: Dice) -> datetime:
        """Spread the starts evenly, each somewhere in its own share of the span."""
        regular = self.calls - self.late
        if index >= regular:
            seconds = self._duration(index, self._kind(index), dice)
            return self._launch - _LATE_MARGIN - timedelta(seconds=seconds)
        share = index * _WORD + dice.moment
        first, span = self._beginning
        return first + timedelta(seconds=share * span // (regular * _WORD))

    @cached_property
    def _beginning(self) -> tuple[datetime, int]:
        """Give the first start in whole seconds, and the span in seconds."""
        return self.first.replace(microsecond=0), int(self.span.total_seconds())

    @cached_property
    def _launch(self) -> datetime:
        return self.launched.replace(microsecond=0)

    def _duration(self, index: int, kind: Kind, dice: Dice) -> int:
        """Give the whole seconds from start to end; what was recorded lasts as long."""
        if kind in RECORDED_KINDS:
            return self._length(kind, self._seconds(index, kind, dice))
        least, most = _UNRECORDED_SECONDS[kind]
        return least + dice.length * (most - least + 1) // _WORD

    def _length(self, kind: Kind, seconds: int) -> int:
        """Give the length of a recording in whole seconds, at least one."""
        if self._format(kind) is AudioFormat.WAV:
            return max(1, round(self._wav_frames(seconds) / sound.WAV_SAMPLE_RATE))
        return max(1, round(sound.mp3_seconds(self._mp3_frames(seconds))))

    def _seconds(self, index: int, kind: Kind, dice: Dice) -> int:
        """Give how long people spoke, where no fixed size decides: mostly short."""
        place = index - (self.calls - self.late)
        if place >= 0:
            # All late calls end together and starts ascend, so later ones are shorter.
            return _LONGEST - place * (_LONGEST - _LATE_SHORTEST) // self.late
        if kind is Kind.LONG:
            return _LONG
        if (dice.agent ^ dice.delay) < self.hours * _WORD:
            return _LONGEST + dice.length * (_FOUR_HOURS - _LONGEST) // _WORD
        share = dice.length * dice.length // _WORD
        return _SHORTEST + share * (_LONGEST - _SHORTEST + 1) // _WORD

    def _mp3_frames(self, seconds: int) -> int:
        if self.recording_bytes is not None:
            return sound.mp3_frames_for_bytes(self.recording_bytes)
        return sound.mp3_frames_for_seconds(seconds)

    def _wav_frames(self, seconds: int) -> int:
        if self.recording_bytes is not None:
            return sound.wav_frames_for_bytes(self.recording_bytes)
        return seconds * sound.WAV_SAMPLE_RATE

    def _format(self, kind: Kind) -> AudioFormat:
        if self.formats is not FormatChoice.MIXED:
            return AudioFormat(self.formats.value)
        return AudioFormat.WAV if kind is Kind.DUAL else AudioFormat.MP3

    def _object_name(self, index: int, sid: str, kind: Kind, started: datetime) -> str:
        extension = self._format(kind)
        if kind is Kind.FOREIGN:
            return f"{int(started.timestamp())}.{_FOREIGN_FIRST + index}_1.{extension}"
        return f"{sid}.{extension}"

    def _foreign_index(self, stem: str) -> int | None:
        """Read the index out of a name like ``1772118444.76627_1``."""
        counter = stem.partition(".")[2].removesuffix("_1")
        if not (counter.isascii() and counter.isdecimal()):
            return None
        index = int(counter[: len(str(self.calls)) + len(str(_FOREIGN_FIRST))]) - _FOREIGN_FIRST
        return index if 0 <= index < self.calls else None

    def _delay(self, dice: Dice) -> timedelta:
        """Give the time from the call's end to its recording.

        Recordings are ready in 1 to 5 minutes, up to 15 at peak, a few later still.
        """
        if self.ready is Readiness.AT_ONCE:
            return timedelta()
        percentile = dice.delay_class * _HUNDRED // _WORD
        least, most = next((a, b) for below, a, b in _DELAYS if percentile < below)
        return timedelta(seconds=self.minute * (least + dice.delay * (most - least) / _WORD))

    def _settling(self, dice: Dice) -> timedelta:
        """Give the time from the call's end to its final Duration: 2 to 5 minutes."""
        if self.ready is Readiness.AT_ONCE:
            return timedelta()
        return timedelta(seconds=self.minute * (2 + 3 * dice.exophone / _WORD))


def _parties(kind: Kind, dice: Dice) -> tuple[str, str, str, str]:
    """Give caller, called, ExoPhone and direction."""
    customer = f"0555{dice.customer % _NUMBERS:07d}"
    agent = f"05560{dice.agent % _AGENTS:06d}"
    exophone = f"0557000{dice.exophone % _EXOPHONES:04d}"
    if kind is Kind.UNANSWERED or dice.direction % _HUNDRED < _INBOUND_SHARE:
        return customer, exophone, exophone, "inbound"
    return agent, customer, exophone, _DIRECTIONS[dice.direction // _HUNDRED % len(_DIRECTIONS)]
