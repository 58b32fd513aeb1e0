"""Tells audio from its bytes, as far as the first 64 KiB of a recording show it.

The failure this exists for is an error page with status 200 that is saved as an MP3. So a file's
name and its declared type count for nothing: an MP3 has to show frames that follow each other as
their headers say, a WAV the chunks that tell what its samples are. How a recording goes on is
looked at in `archive.frames`.
"""

from __future__ import annotations

import codecs
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from archive.flags import SHORTER_THAN_HEADER
from archive.mpeg import HEADER, encoder_header, free_format, parse_frame
from archive.riff import read_wav, starts_as_wav
from archive.tags import audio_start

if TYPE_CHECKING:
    from archive.mpeg import Frame
    from archive.tags import Read

Reason: TypeAlias = Literal["empty", "truncated", "html", "xml", "json", "text", "unknown"]


class NotAudioError(ValueError):
    """The bytes are no whole recording; ``reason`` is a word of `Reason`.

    ``truncated``: it begins as audio and ends before it has shown any.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"not audio: {reason}")
        self.reason: Reason = reason


class AudioKind(StrEnum):
    """The two formats that the provider records in; the value is the file name's extension."""

    MP3 = "mp3"
    WAV = "wav"


class AudioFacts(msgspec.Struct, frozen=True):
    """What the beginning of a recording promises, and the damage that was seen further in.

    ``sample_rate`` is in Hz, ``bit_rate`` in bits per second (None where it varies from frame to
    frame and no header says its mean), ``header_seconds`` the promised length (None where nothing
    does). ``channels`` and ``sample_rate`` are 0 where a tag longer than the head hides the first
    frame. ``damage`` is one of `archive.flags.DAMAGES`, empty where none was seen.
    """

    kind: AudioKind
    channels: int
    sample_rate: int
    bit_rate: int | None
    header_seconds: float | None
    damage: str = ""


def look_at_head(head: bytes, total_bytes: int) -> AudioFacts:
    """Return what the beginning of a recording says of it.

    ``head`` is the whole body or its first 64 KiB (less shows less), ``total_bytes`` the length of
    the whole body.

    Raises:
        NotAudioError: the body is empty, a text of some kind, nothing known, or too short to tell.
    """
    if not head or total_bytes <= 0:
        raise NotAudioError("empty")
    total_bytes = max(total_bytes, len(head))

    def read(at: int, length: int) -> bytes:
        return head[at : at + length]

    if starts_as_wav(head):
        return look_at_wav(read, total_bytes)
    start = audio_start(read)
    frame = parse_frame(head, start)
    if frame is None and (free := free_format(head, start)):
        return AudioFacts(AudioKind.MP3, free.channels, free.sample_rate, None, None)
    if start or frame:
        return _look_at_mp3(head, total_bytes, start, frame)
    raise NotAudioError(_kind_of_text(head))


def look_at_wav(read: Read, total: int) -> AudioFacts:
    """Return what the chunks of a WAV say of it, as far as ``read`` shows them.

    Raises:
        NotAudioError: it ends before its first sample, or its samples are of no known kind.
    """
    wav = read_wav(read, total)
    if wav is None:
        raise NotAudioError("truncated")
    form = wav.format
    if form is None:
        raise NotAudioError("unknown")
    seconds = None if wav.samples is None else wav.samples / form.bytes_per_second
    if seconds is not None and wav.there < form.block:
        raise NotAudioError("truncated" if wav.missing else "empty")
    damage = SHORTER_THAN_HEADER if wav.missing else ""
    bit_rate = form.bytes_per_second * 8
    return AudioFacts(AudioKind.WAV, form.channels, form.sample_rate, bit_rate, seconds, damage)


# --- MP3 ------------------------------------------------------------------------------------------

_FRAMES_LOOKED_AT: Final = 3
_TAGS_AFTER_AUDIO: Final = (b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN")


def _look_at_mp3(head: bytes, total: int, start: int, first: Frame | None) -> AudioFacts:
    if start + HEADER > total:
        raise NotAudioError("truncated")
    if first is None:
        # The tag hides the first frame. Nothing but audio begins with one: the tag is believed
        # here, and the frames are looked at when the whole body is.
        if start + HEADER > len(head):
            return AudioFacts(AudioKind.MP3, 0, 0, None, None)
        raise NotAudioError("unknown")
    frames = _first_frames(head, total, start, first)
    told = encoder_header(head[start : start + first.length], first)
    if told is not None and told.frames:
        promised = told.frames * first.samples / first.sample_rate
        mean = round(told.size * 8 / promised) if told.size else None
        return AudioFacts(AudioKind.MP3, first.channels, first.sample_rate, mean, promised)
    # The encoder's own frame may have another bit rate than those of sound.
    sound = frames[1:] if told is not None and len(frames) > 1 else frames
    rates = {frame.bit_rate for frame in sound}
    bit_rate = rates.pop() if len(rates) == 1 else None
    seconds = (total - start) * 8 / bit_rate if bit_rate else None
    return AudioFacts(AudioKind.MP3, first.channels, first.sample_rate, bit_rate, seconds)


def _first_frames(head: bytes, total: int, start: int, first: Frame) -> list[Frame]:
    """Return up to three frames, each of which stands where the one before says.

    Eleven set bits are found anywhere in random bytes; one header alone proves nothing, unless its
    frame is the whole file, a known tag follows it, or a tag before it fills the head.
    """
    frames = [first]
    at = start + first.length
    while len(frames) < _FRAMES_LOOKED_AT and at < total:
        if at + HEADER > min(len(head), total):
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
