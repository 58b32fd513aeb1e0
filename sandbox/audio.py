"""Recordings made of real audio frames, generated on the fly from a seed and an index.

Two shapes the provider is known to deliver: MP3 at 128 kbps (about 1 MB a minute) and dual-channel
WAV, 8 kHz, 16 bit (about 2 MB a minute; left is the agent or first party, right the customer).

Both are one repeated cycle with a stamp in it (the call's index and the cycle's number), so that
any part of any recording can be made alone, a four-hour recording needs no memory, and no two
parts are alike: a client that loses, doubles or swaps a part is found out by the checksum.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import shake_128

CHUNK_BYTES = 256 * 1024

# MPEG-1 Layer III, 128 kbps, 44.1 kHz, mono: a frame holds 1152 samples and on average
# 144 * 128000 / 44100 = 20480 / 49 bytes. The padding bit adds the missing byte where due, so
# after 49 frames the bit rate is exact and everything begins anew.
MP3_SAMPLE_RATE = 44_100
MP3_FRAME_SAMPLES = 1_152
MP3_CYCLE_FRAMES = 49
MP3_CYCLE_BYTES = 20_480
_MP3_HEADER = bytes.fromhex("fffb90c0")
_MP3_HEADER_PADDED = bytes.fromhex("fffb92c0")
# Side information of a mono frame. All zero means: no main data, which decodes as silence, and
# what follows in the frame is ancillary data that decoders skip.
_MP3_SIDE_INFO = bytes(17)
_MP3_OVERHEAD = len(_MP3_HEADER) + len(_MP3_SIDE_INFO)

WAV_SAMPLE_RATE = 8_000
WAV_CHANNELS = 2
WAV_SAMPLE_BYTES = 2
WAV_FRAME_BYTES = WAV_CHANNELS * WAV_SAMPLE_BYTES
WAV_HEADER_BYTES = 44
WAV_CYCLE_BYTES = WAV_SAMPLE_RATE * WAV_FRAME_BYTES  # one second
# Tones are multiples of 50 Hz, so that a tone repeats after 160 samples and joins without a gap.
_TONE_STEP = 50
_TONE_SAMPLES = WAV_SAMPLE_RATE // _TONE_STEP
_LOWEST_TONE = 4  # * 50 Hz
_TONES = 24
_QUIETEST = 6_000
_LOUDNESSES = 4_096

_POOL_BYTES = 1 << 20
# The filler never contains FF, so that no false frame header hides in it.
_NO_SYNC = bytes(range(255)) + b"\x00"


class AudioFormat(StrEnum):
    """The two formats of recordings, by the extension of their object names."""

    MP3 = "mp3"
    WAV = "wav"


@dataclass(frozen=True)
class Audio:
    """The bytes of one recording, made on demand.

    ``size`` is in bytes, ``seconds`` the exact length of what is heard. ``stamp_at`` says where in
    each cycle the 32 characters stand that make it unlike every other.
    """

    index: int
    media_type: str
    size: int
    seconds: float
    head: bytes
    cycle: bytes
    stamp_at: int

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``stop`` (end: None) in chunks of about 256 KiB."""
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop:
            until = min(stop, start + CHUNK_BYTES)
            yield self._part(start, until)
            start = until

    def whole(self) -> bytes:
        """Give all bytes at once; for recordings that are known to be small."""
        return self._part(0, self.size)

    def _part(self, start: int, stop: int) -> bytes:
        """Make the bytes from ``start`` to ``stop`` out of the cycles they lie in."""
        before, width = len(self.head), len(self.cycle)
        first = max(0, start - before) // width
        last = max(0, stop - before - 1) // width
        origin = before + first * width
        pieces: list[bytes] = []
        if start < before:
            pieces.append(self.head)
            origin = 0
        for number in range(first, last + 1):
            pieces += (self._before_stamp, self._stamp(number), self._after_stamp)
        return b"".join(pieces)[start - origin : stop - origin]

    def _stamp(self, number: int) -> bytes:
        return b"%016x%016x" % (self.index, number)

    @cached_property
    def _before_stamp(self) -> bytes:
        return self.cycle[: self.stamp_at]

    @cached_property
    def _after_stamp(self) -> bytes:
        return self.cycle[self.stamp_at + len(self._stamp(0)) :]


def mp3_bytes(frames: int) -> int:
    """Give the size in bytes of so many MP3 frames."""
    return frames * MP3_CYCLE_BYTES // MP3_CYCLE_FRAMES


def mp3_frames_for_seconds(seconds: float) -> int:
    """Give the number of frames whose length comes closest; at least one."""
    return max(1, round(seconds * MP3_SAMPLE_RATE / MP3_FRAME_SAMPLES))


def mp3_frames_for_bytes(size: int) -> int:
    """Give the number of whole frames whose size in bytes comes closest; at least one."""
    return max(1, round(size * MP3_CYCLE_FRAMES / MP3_CYCLE_BYTES))


def mp3_seconds(frames: int) -> float:
    """Give the length in seconds of so many MP3 frames."""
    return frames * MP3_FRAME_SAMPLES / MP3_SAMPLE_RATE


def wav_frames_for_bytes(size: int) -> int:
    """Give the number of sample pairs whose file comes closest to a size in bytes; at least one."""
    return max(1, round((size - WAV_HEADER_BYTES) / WAV_FRAME_BYTES))


def mp3(seed: str, index: int, frames: int) -> Audio:
    """Make a silent MP3 of so many frames; its filler follows from seed and index."""
    pool = _filler_pool(seed)
    offset = _draw(seed, index) % (_POOL_BYTES - MP3_CYCLE_BYTES)
    cycle = bytearray(pool[offset : offset + MP3_CYCLE_BYTES])
    for start, head in _mp3_heads():
        cycle[start : start + _MP3_OVERHEAD] = head
    return Audio(
        index=index,
        media_type="audio/mpeg",
        size=mp3_bytes(frames),
        seconds=mp3_seconds(frames),
        head=b"",
        cycle=bytes(cycle),
        stamp_at=_MP3_OVERHEAD,
    )


def wav(seed: str, index: int, frames: int) -> Audio:
    """Make a dual-channel WAV of so many sample pairs: a tone of its own on each channel."""
    data_bytes = frames * WAV_FRAME_BYTES
    return Audio(
        index=index,
        media_type="audio/wav",
        size=WAV_HEADER_BYTES + data_bytes,
        seconds=frames / WAV_SAMPLE_RATE,
        head=_wav_header(data_bytes),
        cycle=_tones(_draw(seed, index)) * _TONE_STEP,
        stamp_at=0,
    )


def _draw(seed: str, index: int) -> int:
    """Draw 64 bits for the sound of one recording."""
    return int.from_bytes(shake_128(f"{seed}/audio/{index}".encode()).digest(8), "big")


@lru_cache(maxsize=4)
def _filler_pool(seed: str) -> bytes:
    """Make the filler that all MP3 recordings of a seed take their share of."""
    return shake_128(f"{seed}/filler".encode()).digest(_POOL_BYTES).translate(_NO_SYNC)


@lru_cache(maxsize=1)
def _mp3_heads() -> tuple[tuple[int, bytes], ...]:
    """Give what each of the 49 frames begins with, and where in the cycle it stands."""
    heads: list[tuple[int, bytes]] = []
    for number in range(MP3_CYCLE_FRAMES):
        start, size = mp3_bytes(number), mp3_bytes(number + 1) - mp3_bytes(number)
        is_padded = size > MP3_CYCLE_BYTES // MP3_CYCLE_FRAMES
        heads.append((start, (_MP3_HEADER_PADDED if is_padded else _MP3_HEADER) + _MP3_SIDE_INFO))
    return tuple(heads)


def _wav_header(data_bytes: int) -> bytes:
    """Write the RIFF header of 16 bit PCM, followed by so many bytes of samples."""
    rate = WAV_SAMPLE_RATE * WAV_FRAME_BYTES
    fields = (1, WAV_CHANNELS, WAV_SAMPLE_RATE, rate, WAV_FRAME_BYTES, 8 * WAV_SAMPLE_BYTES)
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, *fields)
    riff = struct.pack("<4sI4s", b"RIFF", WAV_HEADER_BYTES - 8 + data_bytes, b"WAVE")
    return riff + layout + struct.pack("<4sI", b"data", data_bytes)


def wav_tones(draw: int) -> tuple[int, int]:
    """Give the tones in Hz (left, right) that follow from a draw; they always differ."""
    left = draw % _TONES
    right = (left + 1 + draw // _TONES % (_TONES - 1)) % _TONES
    return (_LOWEST_TONE + left) * _TONE_STEP, (_LOWEST_TONE + right) * _TONE_STEP


def _tones(draw: int) -> bytes:
    """Give 20 ms of interleaved samples, in which both tones come round to where they began."""
    left, right = wav_tones(draw)
    loudness = draw >> 32
    samples: list[int] = []
    for moment in range(_TONE_SAMPLES):
        for tone, level in ((left, loudness), (right, loudness // _LOUDNESSES)):
            height = _QUIETEST + level % _LOUDNESSES
            turn = 2 * math.pi * tone * moment / WAV_SAMPLE_RATE
            samples.append(round(height * math.sin(turn)))
    return struct.pack(f"<{len(samples)}h", *samples)
