"""Frames of MPEG audio, layer III: their headers, and how they follow each other.

Sources: ISO/IEC 11172-3 and 13818-3 (and Fraunhofer's MPEG 2.5 for the rates below), and the Xing,
Info and VBRI headers as LAME and Fraunhofer encoders write them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

HEADER: Final = 4
"""Bytes of a frame's header."""
LONGEST: Final = 1441
"""Bytes of the longest frame there is: 320 kbit/s at 32 kHz, padded."""

_MPEG_1: Final = 3
_LAYER_III: Final = 1
_MONO: Final = 3
_RESERVED_EMPHASIS: Final = 2
_PROOF: Final = 3
# Layer III, in kbit/s, by the header's index; index 0 ("free") and 15 (forbidden) are not taken.
_KBITS_MPEG_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_KBITS_MPEG_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
# By the header's version bits: MPEG 2.5, reserved, 2, 1.
_SAMPLE_RATES: Final = (
    (11_025, 12_000, 8_000, 0),
    (0, 0, 0, 0),
    (22_050, 24_000, 16_000, 0),
    (44_100, 48_000, 32_000, 0),
)
_VBRI_AT: Final = 36
_FREE_LONGEST: Final = 4608
_PADDING_BIT: Final = 0x02
_CHANGING_BITS: Final = 0x03  # of the third byte within a stream of one bit rate: padding, private


class Frame(msgspec.Struct, frozen=True):
    """One MPEG layer III frame's header.

    ``length`` is the whole frame's in bytes, ``samples`` per channel, ``bit_rate`` in bits per
    second, ``sample_rate`` in Hz. ``side_info_end`` is the offset after header, checksum and side
    information, where an encoder's Xing or Info header stands in the first frame.
    """

    version_bits: int
    bit_rate: int
    sample_rate: int
    channels: int
    length: int
    samples: int
    side_info_end: int

    def goes_with(self, other: Frame) -> bool:
        """Tell whether both can be of one stream: neither version nor sample rate may change."""
        return self.version_bits == other.version_bits and self.sample_rate == other.sample_rate


class EncoderHeader(msgspec.Struct, frozen=True):
    """What the encoder left in its first frame: the frames and bytes to follow, 0 if not told.

    The bytes are from this frame on, itself included; the frames are those after it.
    """

    frames: int
    size: int


def parse_frame(data: bytes, offset: int = 0) -> Frame | None:
    """Return the layer III frame header (MPEG 1, 2 or 2.5) at ``offset``, or None."""
    word = data[offset : offset + HEADER]
    if len(word) < HEADER or word[0] != 0xFF or word[1] < 0xE0:  # noqa: PLR2004
        return None
    return _frame(word)


@lru_cache(maxsize=1024)  # a stream has a handful of different headers in thousands of frames
def _frame(word: bytes) -> Frame | None:
    version = word[1] >> 3 & 3
    sample_rate = _SAMPLE_RATES[version][word[2] >> 2 & 3]
    is_mpeg_1 = version == _MPEG_1
    kbits = (_KBITS_MPEG_1 if is_mpeg_1 else _KBITS_MPEG_2)[word[2] >> 4]
    is_layer_3 = word[1] >> 1 & 3 == _LAYER_III
    if not (is_layer_3 and sample_rate and kbits) or word[3] & 3 == _RESERVED_EMPHASIS:
        return None
    samples = 1152 if is_mpeg_1 else 576
    padding = 1 if word[2] & _PADDING_BIT else 0
    channels = 1 if word[3] >> 6 == _MONO else 2
    checksum = 0 if word[1] & 1 else 2
    # Half the side information for one channel or MPEG 2, with one byte between them.
    side_info = {(True, 2): 32, (True, 1): 17, (False, 2): 17, (False, 1): 9}[is_mpeg_1, channels]
    return Frame(
        version_bits=version,
        bit_rate=kbits * 1000,
        sample_rate=sample_rate,
        channels=channels,
        length=samples // 8 * kbits * 1000 // sample_rate + padding,
        samples=samples,
        side_info_end=HEADER + checksum + side_info,
    )


def free_format(data: bytes, at: int) -> Frame | None:
    """Return the header of a frame whose bit rate is "free", with ``bit_rate`` and ``length`` 0.

    No header tells the length of such a frame. Two more that stand equally far apart show that it
    is one; how they go on is not followed.
    """
    word = data[at : at + HEADER]
    if len(word) < HEADER or word[2] >> 4:
        return None
    like = parse_frame(bytes((word[0], word[1], word[2] | 0x10, word[3])))
    if like is None:
        return None
    place = data.find(word[:2], at + HEADER, at + _FREE_LONGEST)
    while place > 0:
        step = place - at
        after = (place + step + more for more in (-1, 0, 1))
        if _is_like(data, place, word) and any(_is_like(data, there, word) for there in after):
            return msgspec.structs.replace(like, bit_rate=0, length=0)
        place = data.find(word[:2], place + 1, at + _FREE_LONGEST)
    return None


def _is_like(data: bytes, at: int, word: bytes) -> bool:
    other = data[at : at + HEADER]
    if len(other) < HEADER or other[:2] != word[:2]:
        return False
    return not (other[2] ^ word[2]) & ~_CHANGING_BITS


def encoder_header(frame: bytes, header: Frame) -> EncoderHeader | None:
    """Return what the encoder left in its first frame, None if that is a frame of sound.

    Xing (variable rate) and Info (constant) stand after the side information, VBRI at a fixed
    place.
    """
    at = header.side_info_end
    if frame[at : at + 4] in (b"Xing", b"Info"):
        flags, frames, size = (_big(frame, at + offset) for offset in (4, 8, 12))
        if not flags & 1:
            return EncoderHeader(0, frames if flags & 2 else 0)
        return EncoderHeader(frames, size if flags & 2 else 0)
    if frame[_VBRI_AT : _VBRI_AT + 4] == b"VBRI":
        return EncoderHeader(_big(frame, _VBRI_AT + 14), _big(frame, _VBRI_AT + 10))
    return None


def _big(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


class Run(NamedTuple):
    """Frames in a row: where the last one ends, and how many there are."""

    end: int
    frames: int


class Stream:
    """The frames of one stream, all of which have the version and sample rate of the first."""

    def __init__(self, header: bytes) -> None:
        first = parse_frame(header)
        assert first is not None
        self.first = first
        self.sync = header[:2]
        """What each frame begins with: version, layer and checksum never change within a stream."""
        self._word = header
        self._lengths: dict[bytes, int] = {}
        self._bit_rates: set[int] = set()

    @property
    def is_constant(self) -> bool:
        """Whether all frames that were followed so far have one bit rate."""
        return len(self._bit_rates) <= 1

    def seconds(self, frames: int) -> float:
        """Return how long so many frames last."""
        return frames * self.first.samples / self.first.sample_rate

    def most_frames(self, size: int) -> int:
        """Return how many frames of the first one's bit rate so many bytes can hold at most."""
        first = self.first
        return size // (first.samples // 8 * first.bit_rate // first.sample_rate)

    def follow(self, data: bytes, at: int, most: int = -1) -> Run:
        """Follow frames from ``at``, each to where its header says that the next one stands.

        The end may lie behind the data's. ``most`` bounds the count; below 0 there is no bound.
        """
        lengths, end, count = self._lengths, len(data), 0
        while at < end and count != most:
            word = data[at : at + HEADER]
            length = lengths.get(word) or self._learn(word)
            if not length:
                break
            at += length
            count += 1
        return Run(at, count)

    def _learn(self, word: bytes) -> int:
        """Return the length of a frame by its header, 0 if it is none of this stream."""
        frame = parse_frame(word)
        if frame is None or not frame.goes_with(self.first):
            return 0
        self._bit_rates.add(frame.bit_rate)
        self._lengths[word] = frame.length
        return frame.length

    def end_of_constant(self, data: bytes, at: int) -> int:
        """Follow frames of the first one's bit rate; return where they end.

        The same as `follow` and five times as fast, for whole frames of one bit rate only.
        """
        found = _constant_run(self._word[:3]).match(data, at)
        return at if found is None else found.end()

    def find(self, data: bytes, at: int, stop: int) -> int:
        """Return where frames begin, from ``at`` up to ``stop``; -1 if nowhere.

        A header alone is found anywhere in noise: three frames prove it, or fewer that end with
        the data.
        """
        place = data.find(self.sync, at, stop)
        while place >= 0:
            run = self.follow(data, place, _PROOF)
            if run.frames == _PROOF or (run.frames and run.end == len(data)):
                return place
            place = data.find(self.sync, place + 1, stop)
        return -1


@lru_cache(maxsize=64)
def _constant_run(head: bytes) -> re.Pattern[bytes]:
    """Return a pattern of frames in a row that differ from this header in padding bits only."""
    frames = []
    for padding in (0, _PADDING_BIT):
        third = head[2] & ~_CHANGING_BITS | padding
        frame = parse_frame(bytes((head[0], head[1], third, 0)))
        assert frame is not None
        # Either value of the private bit, an emphasis that is not the reserved one, the rest.
        thirds = b"".join(b"\\x%02x" % value for value in (third, third | 1))
        emphasis = b"".join(b"\\x%02x" % value for value in range(256) if value & 3 == 2)  # noqa: PLR2004
        frames.append(b"[%s][^%s].{%d}" % (thirds, emphasis, frame.length - HEADER))
    sync = b"".join(b"\\x%02x" % value for value in head[:2])
    # Possessive: a run of frames is never given back, so that nothing has to be remembered of it.
    return re.compile(b"(?:%s(?:%s|%s))++" % (sync, *frames), re.DOTALL)
