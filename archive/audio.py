"""Tells audio from its bytes, as far as the first 64 KiB of a recording show it.

The failure this exists for is an error page with status 200 that is saved as an MP3. So a file's
name and its declared type count for nothing: an MP3 has to show frames that follow each other as
their headers say, a WAV has to be as long as it promises.

Facts of the formats: ISO/IEC 11172-3 and 13818-3 (MPEG audio frames), id3.org (ID3v2 tags), the
Xing, Info and VBRI headers as LAME and Fraunhofer encoders write them, and Microsoft's RIFF/WAVE.
"""

from __future__ import annotations

import codecs
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import msgspec

Reason: TypeAlias = Literal["empty", "truncated", "html", "xml", "json", "text", "unknown"]


class NotAudioError(ValueError):
    """The bytes are no whole recording; ``reason`` is a word of `Reason`.

    ``truncated``: it begins as audio but is shorter than its beginning promises.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"not audio: {reason}")
        self.reason: Reason = reason


class AudioKind(StrEnum):
    """The two formats that the provider records in; the value is the file name's extension."""

    MP3 = "mp3"
    WAV = "wav"


class AudioFacts(msgspec.Struct, frozen=True):
    """What the beginning of a recording promises.

    ``sample_rate`` is in Hz, ``bit_rate`` in bits per second (None where it varies from frame to
    frame and no header says its mean), ``header_seconds`` the promised length (None where nothing
    does). ``channels`` and ``sample_rate`` are 0 where a tag longer than the head hides the first
    frame.
    """

    kind: AudioKind
    channels: int
    sample_rate: int
    bit_rate: int | None
    header_seconds: float | None


def look_at_head(head: bytes, total_bytes: int) -> AudioFacts:
    """Return what the beginning of a recording says of it.

    ``head`` is the whole body or its first 64 KiB (less shows less), ``total_bytes`` the length of
    the whole body.

    Raises:
        NotAudioError: the body is empty, cut, a text of some kind, or nothing known.
    """
    if not head or total_bytes <= 0:
        raise NotAudioError("empty")
    total_bytes = max(total_bytes, len(head))
    if _starts_as_wav(head):
        return _look_at_wav(head, total_bytes)
    start = id3_length(head)
    frame = parse_frame(head, start)
    if start or frame:
        return _look_at_mp3(head, total_bytes, start, frame)
    raise NotAudioError(_kind_of_text(head))


# --- MP3 ------------------------------------------------------------------------------------------

_FRAME_HEADER: Final = 4
_FRAMES_LOOKED_AT: Final = 3
_MPEG_1: Final = 3
_LAYER_III: Final = 1
_MONO: Final = 3
_RESERVED_EMPHASIS: Final = 2
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
_ID3_HEADER: Final = 10
_ID3_VERSIONS: Final = (2, 3, 4)
_ID3_FOOTER_FLAG: Final = 0x10
_TAGS_AFTER_AUDIO: Final = (b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN")
_VBRI_AT: Final = 36


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


def parse_frame(data: bytes, offset: int = 0) -> Frame | None:
    """Return the layer III frame header (MPEG 1, 2 or 2.5) at ``offset``, or None."""
    word = data[offset : offset + _FRAME_HEADER]
    if len(word) < _FRAME_HEADER or word[0] != 0xFF or word[1] < 0xE0:  # noqa: PLR2004
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
    padding = word[2] >> 1 & 1
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
        side_info_end=_FRAME_HEADER + checksum + side_info,
    )


def id3_length(head: bytes) -> int:
    """Return the length in bytes of the ID3v2 tag a file begins with, 0 without one."""
    tag = head[:_ID3_HEADER]
    if len(tag) < _ID3_HEADER or tag[:3] != b"ID3" or tag[3] not in _ID3_VERSIONS:
        return 0
    if max(tag[6:]) > 0x7F:  # noqa: PLR2004 (each byte of the size carries seven bits)
        return 0
    size = tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9]
    return _ID3_HEADER + size + (_ID3_HEADER if tag[5] & _ID3_FOOTER_FLAG else 0)


def _look_at_mp3(head: bytes, total: int, start: int, first: Frame | None) -> AudioFacts:
    if start + _FRAME_HEADER > total:
        raise NotAudioError("truncated")
    if first is None:
        # The tag hides the first frame. Nothing but audio begins with one: the tag is believed
        # here, and the frames are looked at when the whole file is.
        if start + _FRAME_HEADER > len(head):
            return AudioFacts(AudioKind.MP3, 0, 0, None, None)
        raise NotAudioError("unknown")
    frames = _first_frames(head, total, start, first)
    audio_bytes = total - start
    counted = _encoder_header(head[start : start + first.length], first)
    if counted is not None:
        frame_count, promised_bytes = counted
        seconds = frame_count * first.samples / first.sample_rate
        mean = round(promised_bytes * 8 / seconds) if promised_bytes else None
        return AudioFacts(AudioKind.MP3, first.channels, first.sample_rate, mean, seconds)
    is_constant = all(frame.bit_rate == first.bit_rate for frame in frames)
    return AudioFacts(
        AudioKind.MP3,
        first.channels,
        first.sample_rate,
        first.bit_rate if is_constant else None,
        audio_bytes * 8 / first.bit_rate if is_constant else None,
    )


def _first_frames(head: bytes, total: int, start: int, first: Frame) -> list[Frame]:
    """Return up to three frames, each of which stands where the one before says.

    Eleven set bits are found anywhere in random bytes; one header alone proves nothing, unless its
    frame is the whole file, a known tag follows it, or a tag before it fills the head.
    """
    frames = [first]
    at = start + first.length
    while len(frames) < _FRAMES_LOOKED_AT and at < total:
        if at + _FRAME_HEADER > min(len(head), total):
            if len(frames) > 1 or (start and len(head) < total):
                break
            # Short of a second header: the body ends there, or the caller showed too little of it.
            raise NotAudioError("truncated" if len(head) == total else "unknown")
        frame = parse_frame(head, at)
        if frame is None or not frame.goes_with(first):
            if head.startswith(_TAGS_AFTER_AUDIO, at):
                break
            raise NotAudioError("unknown")
        frames.append(frame)
        at += frame.length
    if len(frames) == 1 and at > total:
        raise NotAudioError("truncated")
    return frames


def _encoder_header(frame: bytes, header: Frame) -> tuple[int, int | None] | None:
    """Return the count of frames, and of bytes if given, that the encoder left in its first frame.

    Xing (variable rate) and Info (constant) stand after the side information, VBRI at a fixed
    place.
    """
    at = header.side_info_end
    if frame[at : at + 4] in (b"Xing", b"Info"):
        flags, frames, size = (_big(frame, at + offset) for offset in (4, 8, 12))
        has_frames, has_size = flags & 1, flags & 2
        return (frames, size if has_size and size else None) if has_frames and frames else None
    if frame[_VBRI_AT : _VBRI_AT + 4] == b"VBRI":
        size, frames = _big(frame, _VBRI_AT + 10), _big(frame, _VBRI_AT + 14)
        return (frames, size or None) if frames else None
    return None


def _big(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


# --- WAV ------------------------------------------------------------------------------------------

_RIFF_HEADER: Final = 12
_CHUNK_HEADER: Final = 8
_FMT_LENGTH: Final = 16
_FMT_LENGTH_EXTENSIBLE: Final = 40
_PCM, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
# A writer that cannot go back to fill in the size leaves one of these.
_STREAMING: Final = (0, 0xFFFFFFFF)


class _Format(msgspec.Struct, frozen=True):
    channels: int
    sample_rate: int
    sample_bytes: int  # of one sample of one channel

    @property
    def bytes_per_second(self) -> int:
        return self.channels * self.sample_rate * self.sample_bytes


def _starts_as_wav(head: bytes) -> bool:
    """Tell a WAV by its first 12 bytes, or by as many of them as there are."""
    return b"RIFF".startswith(head[:4]) and b"WAVE".startswith(head[8:12])


def _look_at_wav(head: bytes, total: int) -> AudioFacts:
    if total < _RIFF_HEADER:
        raise NotAudioError("truncated")
    form: _Format | None = None
    at = _RIFF_HEADER
    while at + _CHUNK_HEADER <= len(head):
        name, size = head[at : at + 4], _little(head, at + 4, 4)
        body = at + _CHUNK_HEADER
        if name == b"data":
            return _wav_facts(form, _data_length(head, body, size, total))
        if body + size > total:
            raise NotAudioError("truncated")
        if name == b"fmt ":
            form = _wav_format(head[body : body + size])
        at = body + size + size % 2
    if at + _CHUNK_HEADER > total:
        raise NotAudioError("truncated")
    # The samples begin after what was shown; their length is not known yet.
    return _wav_facts(form, None)


def _data_length(head: bytes, body: int, promised: int, total: int) -> int:
    """Return the bytes of samples, all of which must be there, as must what the file promises."""
    there = total - body
    length = there if promised in _STREAMING else promised
    file_promised = _little(head, 4, 4)
    # Some writers count the byte that fills up an odd chunk, and do not write it.
    file_missing = _CHUNK_HEADER + file_promised - length % 2 - total
    if length > there or (file_promised not in _STREAMING and file_missing > 0):
        raise NotAudioError("truncated")
    if not length:
        raise NotAudioError("empty")
    return length


def _wav_format(fmt: bytes) -> _Format | None:
    """Read a format chunk; None where it is none of PCM, A-law, mu-law, or makes no sense."""
    if len(fmt) < _FMT_LENGTH:
        return None
    tag, channels, rate = _little(fmt, 0, 2), _little(fmt, 2, 2), _little(fmt, 4, 4)
    if tag == _EXTENSIBLE and len(fmt) >= _FMT_LENGTH_EXTENSIBLE:
        tag = _little(fmt, 24, 2)  # the subformat's GUID begins with the format it stands for
    sample_bytes = (_little(fmt, 14, 2) + 7) // 8
    if tag not in (_PCM, _A_LAW, _MU_LAW) or not (channels and rate and sample_bytes):
        return None
    return _Format(channels, rate, sample_bytes)


def _wav_facts(form: _Format | None, data_bytes: int | None) -> AudioFacts:
    if form is None:
        raise NotAudioError("unknown")
    per_second = form.bytes_per_second
    seconds = None if data_bytes is None else data_bytes / per_second
    return AudioFacts(AudioKind.WAV, form.channels, form.sample_rate, per_second * 8, seconds)


def _little(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


# --- What is no audio -----------------------------------------------------------------------------

_LOOKED_AT_AS_TEXT: Final = 4096
_HTML: Final = (
    *("<!doctype html", "<html", "<head", "<body", "<title", "<script", "<style", "<meta"),
    *("<center", "<h1", "<h2", "<p>", "<div", "<!--"),
)
_ENCODINGS_BY_MARK: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _kind_of_text(head: bytes) -> Reason:
    text = _as_text(head[:_LOOKED_AT_AS_TEXT])
    if text is None:
        return "unknown"
    if text.startswith("<"):
        is_html = text.startswith(_HTML) or "<html" in text or "<!doctype html" in text
        return "html" if is_html else "xml"
    return "json" if text.startswith(("{", "[")) else "text"


def _as_text(data: bytes) -> str | None:
    """Return a text's beginning in lower case, without the white space before it; None if none."""
    mark, encoding = next(
        ((mark, name) for mark, name in _ENCODINGS_BY_MARK if data.startswith(mark)), (b"", "utf-8")
    )
    # An error page in another encoding than it should have is still a page: what counts is that
    # there are no control characters, which other data is full of.
    text = data[len(mark) :].decode(encoding, "replace").lstrip("\ufeff \t\r\n\f\v").lower()
    strange = sum(char == "\ufffd" or (char < " " and char not in "\t\r\n\f") for char in text)
    is_text = strange * 20 <= len(text)
    return text if is_text else None
