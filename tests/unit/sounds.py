"""Recordings made by hand, frame by frame and chunk by chunk."""

from __future__ import annotations

import io
import struct
import wave
from typing import Final

from archive.mpeg import parse_frame

# MPEG 2.5 layer III, mono, 8 kHz, 32 kbit/s: 288 bytes and 576 samples a frame.
TELEPHONE: Final = b"\xff\xe3\x48\xc4"
# MPEG 1 layer III, stereo, 44.1 kHz, 128 kbit/s: 417 bytes and 1152 samples a frame.
MUSIC: Final = b"\xff\xfb\x90\x00"


def frame(header: bytes, filling: bytes = b"") -> bytes:
    """Return one whole frame."""
    parsed = parse_frame(header)
    assert parsed is not None
    return (header + filling).ljust(parsed.length, b"\x55")


def wav(data: bytes, *, channels: int = 1, width: int = 2, rate: int = 8000) -> bytes:
    """Return a WAV as the standard library writes it."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(data)
    return buffer.getvalue()


def chunks(*parts: tuple[bytes, bytes]) -> bytes:
    """Return a RIFF/WAVE file of the given chunks."""
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in parts
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body
