"""How a recording goes on behind its head: the look at each download, and the full walk.

`sample` is for every download and costs less than a twentieth of it. `walk` follows every frame,
for the check of what is stored. Both see damage that destroys a frame's header or moves it: bytes
that are missing, doubled, overwritten or zeroed over a frame's length. Bytes that are changed
within a frame are no damage to them; the checksum is there for that.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from archive.audio import AudioFacts, AudioKind, NotAudioError, look_at_head, look_at_wav
from archive.flags import CUT, DAMAGED, NOT_AUDIO, SHORTER_THAN_HEADER
from archive.mpeg import (
    HEADER,
    LONGEST,
    EncoderHeader,
    Run,
    Stream,
    encoder_header,
    parse_frame,
)
from archive.regular import open_regular
from archive.riff import read_wav
from archive.tags import (
    PADDING,
    PADDING_MOST,
    audio_end,
    audio_start,
    is_padding,
    tag_length,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archive.tags import Read

WINDOW: Final = 2**12
"""Bytes that are looked at in each place of a sample: two frames at least, ten of most."""
STRIDE: Final = 2**16
"""Bytes from one place of a sample to the next."""

FREE_FORMAT: Final = "free-format"

_HEAD: Final = 2**16
_BLOCK: Final = 2**20
_ROOM: Final = 4 * LONGEST
_FRAMES_OFF: Final = 2
"""Frames by which an encoder's count may be off: some count their own one, some the one to come."""


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording is from its first byte to its last.

    ``seconds`` is the real duration (None where nothing tells it) and ``frames`` what it was
    counted from; a WAV has none. ``damage`` is empty for a whole one, else ``damaged``, ``cut``,
    ``shorter-than-header`` or ``not-audio`` (`archive.flags`). ``broken_at`` is the offset of the
    first byte that is neither frame nor tag, ``stray_bytes`` how many there are. ``unsupported``
    says why frames could not be followed though they are no damage: ``free-format``, or empty.
    """

    kind: AudioKind | None
    seconds: float | None = None
    frames: int = 0
    damage: str = ""
    broken_at: int | None = None
    stray_bytes: int = 0
    unsupported: str = ""


def walk(path: Path) -> Walk:
    """Follow every frame of an MP3, or the chunks of a WAV. Blocks; holds 1 MiB at a time.

    Raises:
        OSError: the file cannot be read.
    """
    with _opened(path) as (read, size):
        return _walk(read, size)


def sample(facts: AudioFacts, body: bytes | Path) -> AudioFacts:
    """Return the facts of a recording's head, put right by a look at the rest of it.

    Every frame of a body in memory is looked at, if all have one bit rate. Otherwise it is `WINDOW`
    bytes in each `STRIDE`, and the end. A hole as long as a stride is seen for certain, one of
    ``n`` bytes at ``n + 1024`` places of each stride's. What looks wrong is followed frame by frame
    before it is called so.

    Raises:
        NotAudioError: the head was all tag, and no frame follows it.
        OSError: the file cannot be read.
    """
    with _opened(body) as (read, size):
        if facts.kind is AudioKind.WAV:
            return facts if facts.header_seconds is not None else look_at_wav(read, size)
        if not facts.sample_rate:
            facts = _facts(read, size)
        return _sample(facts, read, size, body if isinstance(body, bytes) else None)


@contextmanager
def _opened(body: bytes | Path) -> Iterator[tuple[Read, int]]:
    """Give a body's bytes by their offsets, and its length."""
    if isinstance(body, bytes):
        yield (lambda at, length: body[at : at + length]), len(body)
        return
    with open_regular(body) as file:
        handle = file.fileno()
        yield (lambda at, length: os.pread(handle, length, at)), os.fstat(handle).st_size


def _facts(read: Read, size: int) -> AudioFacts:
    """Look at the head, and behind the tag if that is all tag."""
    facts = look_at_head(read(0, _HEAD), size)
    if facts.sample_rate:
        return facts
    start = audio_start(read)
    return look_at_head(read(start, _HEAD), size - start)


class _Span(msgspec.Struct, frozen=True):
    """Where the frames of an MP3 lie, and what the first one is.

    ``told`` is what the encoder left in the first frame, which then is no sound; ``sound`` is where
    that begins. From ``solid`` up to ``end`` there is nothing but padding, or frames that end so.
    """

    start: int
    sound: int
    solid: int
    end: int
    stream: Stream
    told: EncoderHeader | None


def _span(read: Read, size: int) -> _Span | None:
    """Return where the frames lie, None where the first one cannot be followed."""
    start = audio_start(read)
    head = read(start, LONGEST)
    first = parse_frame(head)
    if first is None:
        return None
    told = encoder_header(head, first)
    sound = start + (first.length if told else 0)
    end = audio_end(read, size, start)
    tail = read(max(sound, end - PADDING_MOST), max(0, min(PADDING_MOST, end - sound)))
    solid = end - len(tail) + len(tail.rstrip(PADDING))
    return _Span(start, sound, solid, end, Stream(head[:HEADER]), told)


def _is_short(told: EncoderHeader | None, *, frames: int | None, size: int) -> bool:
    """Tell whether the encoder promised more than so many frames (if known), or more bytes."""
    if told is None:
        return False
    missing = 0 if frames is None else told.frames - frames
    return missing > _FRAMES_OFF or told.size - size > _FRAMES_OFF * LONGEST


# --- The look at each download --------------------------------------------------------------------


def _sample(facts: AudioFacts, read: Read, size: int, body: bytes | None) -> AudioFacts:
    span = _span(read, size)
    if span is None:
        return facts
    stream = span.stream
    if span.told and parse_frame(header := read(span.sound, HEADER)):
        stream = Stream(header)  # the encoder's own frame may have another bit rate
    looks_whole = _looks_whole(span, stream, read, body)
    is_told = span.told is not None and span.told.frames > 0
    seconds, bit_rate = facts.header_seconds, facts.bit_rate
    frames: int | None
    if stream.is_constant:
        bit_rate = stream.first.bit_rate
        there = span.end - span.sound
        seconds = seconds if is_told else there * 8 / bit_rate
        frames = stream.most_frames(there)
    else:
        # Three frames may have promised one bit rate. An encoder's header tells the mean.
        seconds, bit_rate = (seconds, bit_rate) if is_told else (None, None)
        frames = None
    if _is_short(span.told, frames=frames, size=size - span.start):
        looks_whole = False
    damage = "" if looks_whole else _walk(read, size).damage
    return msgspec.structs.replace(facts, bit_rate=bit_rate, header_seconds=seconds, damage=damage)


def _looks_whole(span: _Span, stream: Stream, read: Read, body: bytes | None) -> bool:
    """Tell whether frames follow each other to the end, wherever that is looked at."""
    if body is not None:
        end = stream.end_of_constant(body, span.sound)
        if end >= span.solid:
            return end <= span.end
        if not stream.follow(body, end, 1).frames:
            return False
    last = max(span.sound, span.solid - WINDOW)
    return all(
        _goes_on(stream, read(at, WINDOW)) for at in range(span.sound, last, STRIDE)
    ) and _ends(stream, read(last, span.end - last))


def _goes_on(stream: Stream, data: bytes) -> bool:
    """Tell whether frames follow each other up to the end of bytes from somewhere in between."""
    return any(run.end + HEADER > len(data) for run in _runs(stream, data))


def _ends(stream: Stream, data: bytes) -> bool:
    """Tell whether frames follow each other up to the end of a recording, of padding at most."""
    return any(run.end <= len(data) and is_padding(data[run.end :]) for run in _runs(stream, data))


def _runs(stream: Stream, data: bytes) -> Iterator[Run]:
    """Yield the runs of frames that begin within a frame's length of the beginning."""
    place = data.find(stream.sync, 0, LONGEST + 1)
    while place >= 0:
        yield stream.follow(data, place)
        place = data.find(stream.sync, place + 1, LONGEST + 1)


# --- The full walk --------------------------------------------------------------------------------


def _walk(read: Read, size: int) -> Walk:
    try:
        facts = _facts(read, size)
        if facts.kind is AudioKind.WAV:
            return _walk_wav(read, size)
    except NotAudioError:
        return Walk(kind=None, damage=NOT_AUDIO)
    span = _span(read, size)
    if span is None:
        return Walk(kind=AudioKind.MP3, unsupported=FREE_FORMAT)
    walker = _Walker(read, span)
    at = span.start
    while at < span.end:
        at = walker.step(at)
    return walker.found(size)


def _walk_wav(read: Read, size: int) -> Walk:
    damage = look_at_wav(read, size).damage
    wav = read_wav(read, size)
    assert wav is not None
    assert wav.format is not None
    return Walk(kind=AudioKind.WAV, seconds=wav.there / wav.format.bytes_per_second, damage=damage)


class _Walker:
    """Follows the frames of an MP3, and counts what is none."""

    def __init__(self, read: Read, span: _Span) -> None:
        self._read = read
        self._span = span
        self._block = b""
        self._block_at = 0
        self._stream = span.stream
        # The encoder's own frame is no sound.
        self._frames = -1 if span.told else 0
        self._seconds = span.stream.seconds(self._frames)
        self._stray = 0
        self._broken_at: int | None = None
        self._is_cut = False

    def step(self, at: int) -> int:
        """Go on from an offset as far as frames lead; return how far that is."""
        self._load(at)
        run = self._stream.follow(self._block, at - self._block_at)
        behind = self._block_at + run.end
        is_over = behind > self._span.end
        self._is_cut = self._is_cut or is_over
        self._frames += run.frames - is_over
        self._seconds += self._stream.seconds(run.frames - is_over)
        if is_over:
            return self._span.end
        # Else the next header is in the next block, or there is none.
        is_done = behind == self._span.end or (run.frames and run.end + HEADER > len(self._block))
        return behind if is_done else self._after_gap(behind)

    def _load(self, at: int) -> None:
        """Have what begins at an offset in the block, with room for some frames behind it.

        A block is kept as long as it serves: what is broken in a million places is read once.
        """
        have = self._block_at + len(self._block)
        if have < self._span.end and at + _ROOM >= have:
            length = min(_BLOCK, self._span.end - at)
            self._block = self._read(at, length)
            self._block_at = at
            if len(self._block) < length:
                raise OSError(errno.EIO, "the file became shorter while it was read")

    def _after_gap(self, at: int) -> int:
        """Return where to go on behind what is no frame."""
        if length := tag_length(self._read, at):
            return self._after_tag(min(at + length, self._span.end))
        if self._span.end - at <= PADDING_MOST:
            rest = self._read(at, self._span.end - at)
            if is_padding(rest):
                return self._span.end
            if len(rest) < HEADER and self._stream.sync.startswith(rest[:2]):
                self._is_cut = True
                return self._span.end
        behind = self._resume(at)
        self._stray += behind - at
        self._broken_at = at if self._broken_at is None else self._broken_at
        return behind

    def _after_tag(self, at: int) -> int:
        """Behind a tag another stream may begin, where recordings were put together."""
        header = self._read(at, HEADER)
        frame = parse_frame(header)
        if frame is not None and not frame.goes_with(self._stream.first):
            self._stream = Stream(header)
        return at

    def _resume(self, at: int) -> int:
        """Return where frames begin again, the end if nowhere."""
        end = self._span.end
        while at < end:
            self._load(at)
            is_last = self._block_at + len(self._block) >= end
            # Room for the frames that prove the first one.
            stop = len(self._block) - (0 if is_last else _ROOM)
            found = self._stream.find(self._block, at - self._block_at, stop)
            if found >= 0:
                return self._block_at + found
            at = self._block_at + stop
        return end

    def found(self, size: int) -> Walk:
        """Return what was found, once the end is reached."""
        if self._stray:
            damage = DAMAGED
        elif self._is_cut:
            damage = CUT
        else:
            there = size - self._span.start
            is_short = _is_short(self._span.told, frames=self._frames, size=there)
            damage = SHORTER_THAN_HEADER if is_short else ""
        return Walk(
            kind=AudioKind.MP3,
            seconds=self._seconds,
            frames=self._frames,
            damage=damage,
            broken_at=self._broken_at,
            stray_bytes=self._stray,
        )
