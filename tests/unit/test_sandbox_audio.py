"""Recordings made of real frames: walked here by hand, and read with the wave module."""

import cmath
import hashlib
import io
import struct
import wave

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import audio
from sandbox.audio import Audio

SMALL_FRAMES = st.integers(1, 400)
MP3 = audio.mp3("seed", 5, 5_000)
WAV = audio.wav("seed", 5, 100_000)


def walk_mp3(data: bytes) -> list[bytes]:
    """Split an MP3 into its frames by the sizes that the headers tell."""
    frames: list[bytes] = []
    place = 0
    while place < len(data):
        (header,) = struct.unpack_from(">I", data, place)
        assert header >> 21 == 0x7FF, f"no frame at {place}"
        assert header >> 17 & 0xF == 0b1101, "MPEG-1, Layer III"
        assert header >> 16 & 1 == 1, "no checksum"
        assert header >> 12 & 0xF == 9, "128 kbps"
        assert header >> 10 & 3 == 0, "44.1 kHz"
        assert header >> 6 & 3 == 3, "mono"
        size = 144 * 128_000 // 44_100 + (header >> 9 & 1)
        frames.append(data[place : place + size])
        place += size
    return frames


def loudness(samples: tuple[int, ...], tone: int) -> float:
    """Give how much of a tone in Hz there is in samples of 8 kHz."""
    turn = -2j * cmath.pi * tone / 8_000
    return abs(sum(sample * cmath.exp(turn * n) for n, sample in enumerate(samples)))


@given(SMALL_FRAMES, st.integers(0, 10**9))
def test_an_mp3_is_whole_frames_and_nothing_else(frames: int, index: int) -> None:
    """Walking the headers meets every frame, the last one complete."""
    made = audio.mp3("seed", index, frames)
    data = made.whole()
    walked = walk_mp3(data)
    assert made.size == len(data)
    assert frames == len(walked)
    assert data == b"".join(walked)


def test_mp3_frames_are_silent() -> None:
    """The side information of every frame is zero: no main data, which decodes as silence."""
    assert {bytes(17)} == {frame[4:21] for frame in walk_mp3(MP3.whole())}


def test_an_mp3_hides_no_false_frame_header() -> None:
    """The byte that begins a frame header occurs at frame headers only."""
    data = MP3.whole()
    expected = 5_000
    assert expected == data.count(b"\xff")


def test_the_padding_bits_hold_the_bit_rate() -> None:
    """Over any length an MP3 has 16,000 bytes a second, less than one byte short."""
    for frames in range(1, 200):
        exact = frames * 1_152 / 44_100 * 16_000
        assert 0 <= exact - audio.mp3_bytes(frames) < 1


@given(st.floats(0.1, 14_400))
def test_an_mp3_lasts_as_long_as_it_should(seconds: float) -> None:
    """The number of frames comes within half a frame of the seconds asked for."""
    lasts = audio.mp3_seconds(audio.mp3_frames_for_seconds(seconds))
    assert seconds == pytest.approx(lasts, abs=0.0131)


@given(st.integers(418, 10**9))
def test_an_mp3_comes_as_close_to_a_size_as_frames_allow(size: int) -> None:
    """Asked for a size, the whole frames end within half a frame of it."""
    assert abs(size - audio.mp3_bytes(audio.mp3_frames_for_bytes(size))) <= 210


def test_a_wav_is_read_by_the_wave_module() -> None:
    """The header says two channels, 8 kHz, 16 bit, and as many samples as there are."""
    with wave.open(io.BytesIO(WAV.whole())) as file:
        read = (file.getnchannels(), file.getframerate(), file.getsampwidth(), file.getnframes())
    expected = (2, 8_000, 2, 100_000)
    assert expected == read
    assert WAV.size == len(WAV.whole()) == 44 + 400_000
    assert WAV.seconds == pytest.approx(12.5)


def test_both_channels_of_a_wav_have_a_tone_of_their_own() -> None:
    """Each channel is loud at its own tone and next to silent at the other's."""
    draw = audio._draw("seed", 5)
    left_tone, right_tone = audio.wav_tones(draw)
    samples = struct.unpack("<16000h", WAV.whole()[44 : 44 + 32_000])
    left, right = samples[0::2], samples[1::2]
    assert loudness(left, left_tone) > 20 * loudness(left, right_tone)
    assert loudness(right, right_tone) > 20 * loudness(right, left_tone)


@given(st.integers(0, 2**64 - 1))
def test_the_tones_always_differ(draw: int) -> None:
    """Left and right never have the same tone, and both can be heard."""
    left, right = audio.wav_tones(draw)
    assert left != right
    assert 200 <= min(left, right) <= max(left, right) < 2_000


@pytest.mark.parametrize("whole", [MP3, WAV], ids=["mp3", "wav"])
@given(places=st.lists(st.integers(0, 420_000), min_size=2, max_size=2).map(sorted))
@settings(max_examples=50)
def test_any_part_is_what_the_whole_has_there(whole: Audio, places: list[int]) -> None:
    """A part made alone has the very bytes of the whole recording."""
    start, stop = places
    assert whole.whole()[start:stop] == b"".join(whole.chunks(start, stop))


@pytest.mark.parametrize("make", [audio.mp3, audio.wav])
def test_every_recording_differs(make: type[Audio]) -> None:
    """No two indexes and no two seeds share a recording."""
    made = [make(seed, index, 200) for seed in ("a", "b") for index in range(200)]  # type: ignore[call-arg,arg-type]
    assert len(made) == len({hashlib.sha256(one.whole()).digest() for one in made})


@pytest.mark.parametrize(("whole", "cycle"), [(MP3, 20_480), (WAV, 32_000)], ids=["mp3", "wav"])
def test_no_part_of_a_recording_is_like_another(whole: Audio, cycle: int) -> None:
    """A part that is lost and one that is doubled do not make up for each other."""
    data = whole.whole()[len(whole.head) :]
    parts = [data[place : place + cycle] for place in range(0, len(data), cycle)]
    assert len(parts) == len(set(parts))


def test_four_hours_are_described_without_being_made() -> None:
    """The end of a four-hour recording is made alone."""
    long = audio.wav("seed", 1, 4 * 3_600 * 8_000)
    expected = 44 + 4 * 3_600 * 32_000
    assert expected == long.size
    expected = 10
    assert expected == len(b"".join(long.chunks(long.size - 10)))
