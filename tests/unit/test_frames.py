"""How a recording goes on: whole ones are never called damaged, holes and cuts are found."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.audio import AudioFacts, AudioKind, NotAudioError, look_at_head
from archive.flags import CUT, DAMAGED, NOT_AUDIO, SHORTER_THAN_HEADER
from archive.frames import (
    FREE_FORMAT,
    STRIDE,
    WINDOW,
    Walk,
    _walk,
    sample,
    walk,
)
from archive.mpeg import parse_frame
from archive.tags import PADDING_MOST, id3_length
from sandbox import audio as sandbox_audio
from tests.unit.sounds import MUSIC, TELEPHONE, chunks, frame, wav

HEAD: Final = 2**16
WIDEBAND: Final = b"\xff\xf3\x88\xc0"
LOUD: Final = b"\xff\xfb\xe8\x40"  # 1440 bytes a frame: the longest but for padding
BEST: Final = b"\xff\xfb\xa0\x00"  # as MUSIC, at 160 kbit/s: 522 bytes a frame
RATES: Final = [bytes((0xFF, 0xFB, index << 4, 0)) for index in range(1, 15)]

ID3V1: Final = b"TAG".ljust(128, b" ")
ID3V2: Final = b"ID3\x03\0\0\0\0\x02\x01" + bytes(257)
ID3V2_FOOTED: Final = b"ID3\x04\0\x10\0\0\x02\x01" + b"t".ljust(257) + b"3DI\x04\0\x10\0\0\x02\x01"
APE: Final = b"APETAGEX" + struct.pack("<IIIIQ", 2000, 64, 1, 0xA0000000, 0) + b"i".ljust(32)
APE_V2: Final = APE + b"APETAGEX" + struct.pack("<IIIIQ", 2000, 64, 1, 0x80000000, 0)
APE_V1: Final = b"i".ljust(32) + b"APETAGEX" + struct.pack("<IIIIQ", 1000, 64, 1, 0, 0)
LYRICS_1: Final = b"LYRICSBEGIN la la la LYRICSEND"
LYRICS_2: Final = b"LYRICSBEGIN" + b"LYR00003la " + b"000022LYRICS200"

at_start = st.lists(st.sampled_from([ID3V2, ID3V2_FOOTED]), max_size=2).map(b"".join)
at_end = st.lists(
    st.sampled_from(
        [ID3V1, b"TAG+".ljust(227, b" ") + ID3V1, ID3V2_FOOTED, APE_V1, APE_V2, LYRICS_1, LYRICS_2]
    ),
    max_size=3,
).map(b"".join)
plain = st.sampled_from([b"\0", b"\x55", b"\xff", b"\x01\xff\xe0"])
# What looks like headers to whoever searches for them; in a broken stream nothing tells it apart.
deceptive = st.sampled_from([b"\xff\xfb\x90\x00", b"\xff\xf3\x48\xc4\xff\xe3"])


@st.composite
def frames(
    draw: st.DrawFn,
    least: int = 3,
    most: int = 300,
    filling: st.SearchStrategy[bytes] = plain,
) -> list[bytes]:
    """Frames of one stream, of one bit rate or of several, with and without padding."""
    header = draw(st.sampled_from([TELEPHONE, MUSIC, WIDEBAND, LOUD]))
    bit_rates = draw(st.lists(st.integers(1, 14), min_size=1, max_size=5))
    is_constant = draw(st.booleans())
    fill = draw(filling)
    made = []
    for number in range(draw(st.integers(least, most))):
        rate = header[2] >> 4 if is_constant else bit_rates[number % len(bit_rates)]
        third = header[2] & 0x0C | rate << 4 | (number % 3 == 0) << 1
        word = bytes((header[0], header[1], third, header[3]))
        parsed = parse_frame(word)
        assert parsed is not None
        made.append((word + fill * parsed.length)[: parsed.length])
    return made


def sampled(body: bytes) -> AudioFacts:
    """Look at a body in memory, and see that a file of it says the same of its damage."""
    facts = sample(look_at_head(body[:HEAD], len(body)), body)
    assert facts.damage == sampled_file(body).damage
    return facts


def sampled_file(body: bytes) -> AudioFacts:
    """Look at a body in a part file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        return sample(look_at_head(body[:HEAD], len(body)), Path(file.name))


def walked(body: bytes) -> Walk:
    """Walk a file of these bytes."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        return walk(Path(file.name))


def seconds_of(made: list[bytes]) -> float:
    """Return how long these frames last."""
    first = parse_frame(made[0])
    assert first is not None
    return len(made) * first.samples / first.sample_rate


# --- Whole recordings -----------------------------------------------------------------------------


@given(
    before=at_start,
    made=frames(filling=plain | deceptive),
    after=at_end,
    padding=st.integers(0, PADDING_MOST).map(bytes) | st.sampled_from([b"\n", b"\r\n"]),
)
def test_a_whole_mp3_is_never_called_damaged(
    before: bytes, made: list[bytes], after: bytes, padding: bytes
) -> None:
    """Whatever its rates, its filling, the tags around it and the zeros behind it."""
    body = before + b"".join(made) + padding + after
    found = walked(body)
    assert (found.damage, found.stray_bytes, found.broken_at) == ("", 0, None)
    assert len(made) == found.frames
    assert pytest.approx(seconds_of(made)) == found.seconds
    assert sampled(body).damage == ""


@pytest.mark.parametrize("kind", ["mp3", "wav"])
@pytest.mark.parametrize("length", [3, 77, 5_000, 100_000])
def test_recordings_of_the_stand_in_are_whole(kind: str, length: int) -> None:
    """Both formats, from a tenth of a second to tens of minutes, larger than the walk's blocks."""
    made = getattr(sandbox_audio, kind)("seed", 7, length)
    body = made.whole()
    found = walked(body)
    assert (found.kind, found.damage) == (kind, "")
    assert pytest.approx(made.seconds) == found.seconds
    facts = sampled(body)
    assert facts.damage == ""
    assert pytest.approx(made.seconds, abs=0.01) == facts.header_seconds


def test_the_tag_in_the_middle_of_a_joined_recording_is_no_damage() -> None:
    """Nor is another sample rate behind it; each part lasts as its own rate says."""
    part, other = [frame(MUSIC)] * 100, [frame(TELEPHONE)] * 100
    for tag in (ID3V1, ID3V2, APE_V2):
        body = b"".join([*part, tag, *part, tag, *other])
        found = walked(body)
        assert (found.damage, found.frames) == ("", 300)
        assert pytest.approx(2 * seconds_of(part) + seconds_of(other)) == found.seconds
        assert sampled(body).damage == ""


def test_what_the_head_could_not_tell_is_put_right() -> None:
    """Behind a long tag, after three equal frames of many, and with a tag at the end."""
    tag = b"ID3\x04\0\0\0\x06\0\0".ljust(98_314, b"\0")
    facts = AudioFacts(AudioKind.MP3, 2, 44_100, 128_000, 50 * 417 / 16_000)
    assert facts == sampled(tag + frame(MUSIC) * 50)
    assert facts == sampled(frame(MUSIC) * 50 + APE_V2 + ID3V1)
    silence_first = frame(MUSIC) * 10 + (frame(BEST) + frame(MUSIC)) * 50
    assert look_at_head(silence_first[:HEAD], len(silence_first)).bit_rate == 128_000
    assert AudioFacts(AudioKind.MP3, 2, 44_100, None, None) == sampled(silence_first)
    assert pytest.approx(110 * 1152 / 44_100) == walked(silence_first).seconds


def test_a_tag_that_leaves_one_header_of_the_head_hides_nothing() -> None:
    """The head ends within the first frame, so that one alone has to be believed at first."""
    tag = b"ID3\x04\0\0\0\x03\x7f\0".ljust(HEAD - 118, b"\0")
    body = tag + frame(MUSIC) * 50
    assert id3_length(body) == HEAD - 118
    assert AudioFacts(AudioKind.MP3, 2, 44_100, 128_000, 50 * 417 / 16_000) == sampled(body)
    assert sampled(tag + frame(MUSIC) + b"\x55" * 5000).damage == DAMAGED


def test_a_tag_that_no_frame_follows_is_no_audio() -> None:
    """It was believed as long as only the head was known."""
    body = b"ID3\x04\0\0\0\x06\0\0".ljust(98_314, b"\0") + b"\x55" * 5000
    facts = look_at_head(body[:HEAD], len(body))
    with pytest.raises(NotAudioError):
        sample(facts, body)
    assert Walk(kind=None, damage=NOT_AUDIO) == walked(body)


def test_samples_behind_a_large_chunk_are_found() -> None:
    """Their length is known once more than the head is looked at."""
    pcm = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    body = chunks((b"fmt ", pcm), (b"JUNK", bytes(100_000)), (b"data", bytes(16_000)))
    assert AudioFacts(AudioKind.WAV, 1, 8000, 128_000, 1.0) == sampled(body)
    assert Walk(kind=AudioKind.WAV, seconds=1.0) == walked(body)
    assert sampled(body[:-1]).damage == walked(body[:-1]).damage == SHORTER_THAN_HEADER


def test_a_free_bit_rate_is_said_and_is_no_damage() -> None:
    """Its frames are not followed, so its length is not known."""
    body = b"\xff\xfb\x00\x00".ljust(1044, b"\x01") * 100
    assert Walk(kind=AudioKind.MP3, unsupported=FREE_FORMAT) == walked(body)
    assert sampled(body).damage == ""


@pytest.mark.parametrize("body", [b"", b"<html></html>", bytes(5000), wav(b"")])
def test_what_is_no_audio_is_said(body: bytes) -> None:
    """An empty file, a page, zeros, and a WAV without a sample."""
    assert Walk(kind=None, damage=NOT_AUDIO) == walked(body)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It is for the caller to say what that means."""
    with pytest.raises(FileNotFoundError):
        walk(tmp_path / "none.mp3")


def test_a_file_that_becomes_shorter_meanwhile_is_an_error() -> None:
    """It is no damage of the recording, and nothing that is waited for."""
    body = frame(MUSIC) * 100
    with pytest.raises(OSError, match="shorter while"):
        _walk(lambda at, length: body[at : at + length], len(body) + 5000)


# --- Damage ---------------------------------------------------------------------------------------


@given(made=frames(least=60), data=st.data())
def test_a_hole_of_a_frames_length_is_always_found_by_the_walk(
    made: list[bytes], data: st.DataObject
) -> None:
    """Zeros over at least one header; where it broke is told, and how much is no frame."""
    body = bytearray(b"".join(made))
    longest = max(len(each) for each in made) + 3
    starts = sum(len(each) for each in made[:4])  # the first three prove that it is an MP3
    size = data.draw(st.integers(longest, len(body) - starts - 4 * longest), label="size")
    at = data.draw(st.integers(starts, len(body) - 4 * longest - size), label="at")
    body[at : at + size] = bytes(size)
    found = walked(bytes(body))
    assert found.damage == DAMAGED
    assert found.broken_at is not None
    assert at - 4 < found.broken_at < at + longest
    assert 0 < found.stray_bytes < size + 2 * longest


def test_what_is_left_beside_a_hole_is_counted() -> None:
    """Ten frames of a hundred are zeros: ninety are heard, and the ten frames' bytes are stray."""
    made = frame(MUSIC) * 100
    body = made[: 40 * 417] + bytes(10 * 417) + made[50 * 417 :]
    expected = Walk(
        kind=AudioKind.MP3,
        seconds=90 * 1152 / 44_100,
        frames=90,
        damage=DAMAGED,
        broken_at=40 * 417,
        stray_bytes=10 * 417,
    )
    assert expected == msgspec.structs.replace(walked(body), seconds=expected.seconds)
    assert pytest.approx(expected.seconds) == walked(body).seconds


@given(made=frames(least=20), more=st.binary(min_size=5, max_size=3000), data=st.data())
def test_what_is_put_in_or_taken_out_is_found_by_the_walk(
    made: list[bytes], more: bytes, data: st.DataObject
) -> None:
    """Bytes that are no frames, or some of a frame's: nothing stands where it should any more."""
    place = data.draw(st.integers(3, len(made) - 10), label="place")
    before, after = b"".join(made[:place]), b"".join(made[place:])
    stray = b"\x01" + more
    found = walked(before + stray + after)
    assert (DAMAGED, len(before)) == (found.damage, found.broken_at)
    cut = data.draw(st.integers(5, len(made[place]) - 5), label="cut")
    assert walked(before + after[cut:]).damage == DAMAGED


@given(made=frames(least=10), data=st.data())
def test_a_cut_is_found_at_the_end_of_every_body(made: list[bytes], data: st.DataObject) -> None:
    """Within the last frame, be its header whole or not; the frames before it are counted."""
    whole = b"".join(made)
    left = whole[: len(whole) - data.draw(st.integers(1, len(made[-1]) - 1), label="missing")]
    found = walked(left)
    assert (found.damage, found.frames) == (CUT, len(made) - 1)
    assert sampled(left).damage == CUT
    assert sampled(left + ID3V1).damage == CUT


@given(
    before=frames(most=60, filling=plain | deceptive),
    noise=st.binary(max_size=5000),
    zeros=st.integers(0, 30_000),
    after=frames(most=60, filling=plain | deceptive),
)
def test_arbitrary_damage_raises_nothing_and_the_sample_never_says_more_than_the_walk(
    before: list[bytes], noise: bytes, zeros: int, after: list[bytes]
) -> None:
    """What the sample calls damaged the walk calls so too, and in the same words."""
    body = b"".join([*before, noise, bytes(zeros), *after])
    assert sampled_file(body).damage in {"", walked(body).damage}
    facts = sample(look_at_head(body[:HEAD], len(body)), body)
    assert facts.damage in {"", walked(body).damage}


@given(start=st.sampled_from([b"", ID3V2, frame(MUSIC) * 3, wav(b"abcd")]), rest=st.binary())
def test_arbitrary_bytes_can_be_walked(start: bytes, rest: bytes) -> None:
    """No input raises anything."""
    found = walked(start + rest)
    assert found.seconds is None or found.seconds >= 0


@given(size=st.integers(425, 200_000), at=st.integers(0, 799_999))
def test_a_hole_in_a_body_in_memory_of_one_bit_rate_is_always_found(size: int, at: int) -> None:
    """All of its frames are looked at, so that one missing header is enough."""
    body = bytearray(frame(MUSIC) * 2_500)
    at = 2_000 + at % (len(body) - size - PADDING_MOST)
    body[at : at + size] = bytes(size)
    assert sample(look_at_head(bytes(body[:HEAD]), len(body)), bytes(body)).damage == DAMAGED


@pytest.mark.parametrize("is_in_memory", [True, False])
@pytest.mark.parametrize("size", [2_000, 10_000, 30_000, 60_000])
def test_a_hole_is_found_by_a_sample_as_often_as_is_told(
    tmp_path: Path, size: int, *, is_in_memory: bool
) -> None:
    """At ``size + 1024`` places of each stride's, for frames of usual length."""
    body = (frame(MUSIC) + frame(BEST)) * (5 * STRIDE // 939)
    facts = look_at_head(body[:HEAD], len(body))
    found, places = 0, range(STRIDE, 2 * STRIDE, 509)
    path = tmp_path / "a.mp3"
    for at in places:
        broken = body[:at] + bytes(size) + body[at + size :]
        path.write_bytes(broken)
        found += sample(facts, broken if is_in_memory else path).damage == DAMAGED
    assert min(1.0, (size + 1024) / STRIDE) <= found / len(places)


@pytest.mark.parametrize("is_in_memory", [True, False])
def test_a_hole_as_long_as_a_stride_is_seen_for_certain(
    tmp_path: Path, *, is_in_memory: bool
) -> None:
    """Wherever it lies, also with the longest frames there are."""
    lower = b"\xff\xfb\xd8\x40"
    body = (frame(LOUD) + frame(lower)) * (4 * STRIDE // 2592)
    facts = look_at_head(body[:HEAD], len(body))
    path = tmp_path / "a.mp3"
    for at in range(STRIDE, 2 * STRIDE, 997):
        broken = body[:at] + bytes(STRIDE) + body[at + STRIDE :]
        path.write_bytes(broken)
        assert sample(facts, broken if is_in_memory else path).damage == DAMAGED


def test_zeros_at_the_end_are_padding_only_if_they_are_few() -> None:
    """More than a second's worth is a hole that reaches to the end."""
    body = frame(MUSIC) * 200
    assert walked(body + bytes(PADDING_MOST)).damage == ""
    found = walked(body + bytes(PADDING_MOST + 1))
    assert (DAMAGED, len(body), PADDING_MOST + 1) == (
        found.damage,
        found.broken_at,
        found.stray_bytes,
    )
    assert sampled(body + bytes(PADDING_MOST + 1)).damage == DAMAGED


# --- What a header promises -----------------------------------------------------------------------


def encoded(name: bytes, frames: int, size: int) -> bytes:
    """Return a first frame in which the encoder left what it made."""
    if name == b"VBRI":
        return frame(MUSIC, bytes(32) + name + bytes(6) + struct.pack(">II", size, frames))
    flags = (frames > 0) | (size > 0) << 1
    told = b"".join(struct.pack(">I", number) for number in (frames, size) if number)
    return frame(MUSIC, bytes(32) + name + struct.pack(">I", flags) + told)


@pytest.mark.parametrize("name", [b"Xing", b"Info", b"VBRI"])
@pytest.mark.parametrize("is_constant", [True, False])
@pytest.mark.parametrize(("has_frames", "has_size"), [(True, True), (True, False), (False, True)])
def test_less_than_the_encoder_promised_is_seen(
    name: bytes, *, is_constant: bool, has_frames: bool, has_size: bool
) -> None:
    """Frames are missing though none is cut. Where only a count tells so the walk alone sees it."""
    made = [frame(MUSIC) if is_constant else frame(BEST), frame(MUSIC)] * 100
    size = 417 + sum(len(each) for each in made)
    first = encoded(name, 200 * has_frames, size * has_size)
    assert sampled(first + b"".join(made)).damage == walked(first + b"".join(made)).damage == ""
    assert walked(first + b"".join(made)).frames == 200
    left = first + b"".join(made[:100])
    found = walked(left)
    assert (found.damage, found.frames) == (SHORTER_THAN_HEADER, 100)
    seen = SHORTER_THAN_HEADER if is_constant or has_size else ""
    assert seen == sampled(left).damage


@pytest.mark.parametrize("off", [-2, 2])
def test_a_count_that_is_hardly_off_is_no_damage(off: int) -> None:
    """Some encoders count their own frame, and some the one that they were still to write."""
    body = encoded(b"Xing", 200 + off, 201 * 417 + off * 417) + frame(MUSIC) * 200
    assert sampled(body).damage == walked(body).damage == ""


def test_an_encoders_frame_may_have_another_bit_rate() -> None:
    """It is no sound: the recording still has one bit rate."""
    first = frame(BEST, bytes(32) + b"Info" + bytes(4))
    facts = sampled(first + frame(MUSIC) * 100)
    assert (facts.bit_rate, facts.header_seconds) == (128_000, 100 * 417 / 16_000)
    assert walked(first + frame(MUSIC) * 100).frames == 100


def test_the_parts_that_a_look_reads_are_few(tmp_path: Path) -> None:
    """Of ten megabytes in a file less than a tenth is read."""
    assert WINDOW / STRIDE < 0.1
    body = frame(MUSIC) * 25_000
    path = tmp_path / "a.mp3"
    path.write_bytes(body)
    facts = look_at_head(body[:HEAD], len(body))
    before = _bytes_read()
    assert sample(facts, path).damage == ""
    assert _bytes_read() - before < len(body) / 10


def _bytes_read() -> int:
    """Return how many bytes this process has read so far."""
    counts = Path(f"/proc/{os.getpid()}/io").read_text().splitlines()
    return int(counts[0].removeprefix("rchar: "))
