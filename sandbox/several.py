"""Calls with more than one recording.

The API tells of the first one only; the others stand in the RecordingUrls of the dashboard's
export. All are ready, and deleted, together. The further ones are named ``_2`` and ``_3``, are
shorter than the first and share no byte with it but by chance.
"""

import re
from dataclasses import dataclass
from hashlib import shake_128

from sandbox import audio as sound
from sandbox.audio import Audio
from sandbox.calls import Call, Provider

MOST_RECORDINGS = 3
"""How many recordings a call may have."""

PART_STRIDE = 1 << 48
"""What lies between the indexes of two recordings of a call; larger than any call's index."""

_WORD_BYTES = 4
_WORD = 1 << 8 * _WORD_BYTES
_FURTHER = re.compile(r"(.+)_([23])\.([a-z0-9]+)")
_FIRST_FOREIGN = "_1"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a call: ``place`` 0 is the one the API tells of."""

    call: Call
    place: int
    name: str

    @property
    def index(self) -> int:
        """Give the index of its sound."""
        return self.place * PART_STRIDE + self.call.index


def of_call(provider: Provider, call: Call) -> tuple[Recording, ...]:
    """Give all recordings of a call, the API's first."""
    if call.object_name is None:
        return ()
    count = _count(provider, call.index)
    return tuple(Recording(call, place, _name(call.object_name, place)) for place in range(count))


def find(provider: Provider, name: str) -> Recording | None:
    """Give the recording with an object name; None where none has it."""
    if call := provider.call_of_object(name):
        return Recording(call, 0, name)
    match = _FURTHER.fullmatch(name)
    if match is None:
        return None
    stem, number, extension = match.groups()
    for first in (f"{stem}.{extension}", f"{stem}{_FIRST_FOREIGN}.{extension}"):
        call = provider.call_of_object(first)
        recordings = of_call(provider, call) if call else ()
        if int(number) <= len(recordings):
            return recordings[int(number) - 1]
    return None


def audio(provider: Provider, index: int) -> Audio | None:
    """Give the sound of a recording by its index; None where nothing was recorded."""
    place, call = divmod(index, PART_STRIDE)
    first = provider.audio(call)
    if first is None or not place:
        return first
    seconds = max(1, int(first.seconds) // (place + 1))
    size = provider.recording_bytes
    if first.media_type == "audio/wav":
        rate = sound.WAV_SAMPLE_RATE
        samples = seconds * rate if size is None else sound.wav_frames_for_bytes(size)
        return sound.wav(provider.seed, index, samples)
    by_time = sound.mp3_frames_for_seconds(seconds)
    frames = by_time if size is None else sound.mp3_frames_for_bytes(size)
    return sound.mp3(provider.seed, index, frames)


def _count(provider: Provider, index: int) -> int:
    if not provider.several:
        return 1
    raw = shake_128(f"{provider.seed}/several/{index}".encode()).digest(2 * _WORD_BYTES)
    chance, many = (int.from_bytes(raw[at : at + _WORD_BYTES], "big") for at in (0, _WORD_BYTES))
    return 2 + many % (MOST_RECORDINGS - 1) if chance < provider.several * _WORD else 1


def _name(first: str, place: int) -> str:
    if not place:
        return first
    stem, _, extension = first.rpartition(".")
    return f"{stem.removesuffix(_FIRST_FOREIGN)}_{place + 1}.{extension}"
