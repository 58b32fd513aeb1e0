"""What counts as audio, and what a recording's beginning says of it."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.audio import (
    AudioFacts,
    AudioKind,
    NotAudioError,
    look_at_head,
)
from archive.flags import SHORTER_THAN_HEADER
from archive.mpeg import parse_frame
from archive.tags import id3_length
from tests.unit.sounds import MUSIC, TELEPHONE, chunks, frame, wav

HEAD = 64 * 1024
WAV_HEADER = 44


def look(body: bytes) -> AudioFacts:
    """Look at a whole body as a download would."""
    return look_at_head(body[:HEAD], len(body))


def reason_of(body: bytes, total: int | None = None) -> str:
    """Return the reason why a body is refused."""
    with pytest.raises(NotAudioError) as caught:
        look_at_head(body[:HEAD], len(body) if total is None else total)
    return caught.value.reason


@pytest.mark.parametrize(
    ("header", "bit_rate", "sample_rate", "channels", "length", "samples"),
    [
        (TELEPHONE, 32_000, 8_000, 1, 288, 576),
        (MUSIC, 128_000, 44_100, 2, 417, 1152),
        (b"\xff\xfb\x92\x00", 128_000, 44_100, 2, 418, 1152),
        (b"\xff\xf3\x88\xc0", 64_000, 16_000, 1, 288, 576),
        (b"\xff\xfb\xe8\x40", 320_000, 32_000, 2, 1440, 1152),
    ],
)
def test_a_frame_header_is_read_by_the_tables_of_the_standard(
    header: bytes, bit_rate: int, sample_rate: int, channels: int, length: int, samples: int
) -> None:
    """Versions 1, 2 and 2.5, padding and both channel counts give the standard's frame lengths."""
    found = parse_frame(b"junk" + header, 4)
    assert found is not None
    assert (bit_rate, sample_rate, channels) == (
        found.bit_rate,
        found.sample_rate,
        found.channels,
    )
    assert (length, samples) == (found.length, found.samples)


@pytest.mark.parametrize(
    "header",
    [
        b"\xff\xfb\x00\x00",  # free bit rate
        b"\xff\xfb\xf0\x00",  # forbidden bit rate
        b"\xff\xfb\x9c\x00",  # reserved sample rate
        b"\xff\xeb\x90\x00",  # reserved version
        b"\xff\xfd\x90\x00",  # layer II
        b"\xff\xfb\x90\x02",  # reserved emphasis
        b"\xff\xdb\x90\x00",  # ten set bits
        b"\xff\xfb\x90",
    ],
)
def test_what_the_standard_forbids_is_no_frame(header: bytes) -> None:
    """Reserved and forbidden values, other layers and a cut header are no layer III frame."""
    assert parse_frame(header) is None


@given(
    header=st.sampled_from([TELEPHONE, MUSIC, b"\xff\xf3\x88\xc0"]),
    count=st.integers(2, 400),
    tag=st.integers(0, 300),
)
def test_frames_in_a_row_are_an_mp3(header: bytes, count: int, tag: int) -> None:
    """Length, rate and channels come out right for any number of frames, with and without a tag."""
    one = parse_frame(header)
    assert one is not None
    id3 = b"ID3\x03\0\0" + bytes([0, 0, tag >> 7, tag & 0x7F]) + b"\0" * tag if tag else b""
    facts = look(id3 + frame(header) * count)
    assert (AudioKind.MP3, one.channels, one.sample_rate, one.bit_rate) == (
        facts.kind,
        facts.channels,
        facts.sample_rate,
        facts.bit_rate,
    )
    assert pytest.approx(count * one.length * 8 / one.bit_rate) == facts.header_seconds


def test_one_frame_alone_is_an_mp3_only_as_a_whole_file() -> None:
    """A single frame proves itself by being exactly the file, or by the tag that follows it."""
    assert look(frame(TELEPHONE)).kind == AudioKind.MP3
    assert look(frame(TELEPHONE) + b"TAG".ljust(128, b"\0")).kind == AudioKind.MP3
    assert reason_of(frame(TELEPHONE)[:-1]) == "truncated"
    assert reason_of(frame(TELEPHONE) + b"\x55\x55") == "truncated"
    assert reason_of(frame(TELEPHONE) + b"\x55" * 500) == "unknown"
    assert reason_of(frame(TELEPHONE)[:100], total=5000) == "unknown"


def test_a_later_frame_must_stand_where_it_should_and_be_of_the_same_stream() -> None:
    """Two frames and then something else, or a frame of another sample rate, are no MP3."""
    assert reason_of(frame(MUSIC) * 2 + b"\x55" * 500) == "unknown"
    assert reason_of(frame(MUSIC) + frame(TELEPHONE) * 3) == "unknown"


def test_a_recording_cut_after_its_second_header_is_left_to_the_full_walk() -> None:
    """The head shows two frames that agree; where the last one ends is not seen here."""
    assert look((frame(MUSIC) * 2)[:-1]).kind == AudioKind.MP3


def test_bit_rates_that_differ_promise_no_length() -> None:
    """A variable bit rate without an encoder's header: neither mean nor length is made up."""
    facts = look(frame(MUSIC) + frame(b"\xff\xfb\xa0\x00") + frame(MUSIC))
    assert (facts.bit_rate, facts.header_seconds) == (None, None)


@pytest.mark.parametrize(("name", "offset"), [(b"Xing", 32), (b"Info", 32), (b"VBRI", 32)])
def test_the_encoders_count_of_frames_gives_the_length(name: bytes, offset: int) -> None:
    """1000 frames of 1152 samples at 44.1 kHz are 26.12 s, whatever the file's size."""
    if name == b"VBRI":
        header = name + bytes(6) + struct.pack(">II", 500_000, 1000)
    else:
        header = name + struct.pack(">III", 3, 1000, 500_000)
    facts = look(frame(MUSIC, bytes(offset) + header) + frame(MUSIC) * 5)
    seconds = 1000 * 1152 / 44_100
    assert pytest.approx(seconds) == facts.header_seconds
    assert round(500_000 * 8 / seconds) == facts.bit_rate


@pytest.mark.parametrize("header", [b"Xing" + struct.pack(">II", 2, 99), b"VBRI" + bytes(14)])
def test_an_encoders_header_without_a_count_is_passed_over(header: bytes) -> None:
    """Then the bit rate and the size give the length."""
    facts = look(frame(MUSIC, bytes(32) + header) + frame(MUSIC) * 5)
    assert pytest.approx(6 * 417 * 8 / 128_000) == facts.header_seconds


def test_a_tag_longer_than_the_head_is_believed_and_its_details_left_open() -> None:
    """Nothing but audio begins with an ID3 tag; the full walk looks behind it."""
    tag = b"ID3\x04\0\0\0\x06\0\0"
    assert id3_length(tag) == 98_314
    body = tag.ljust(98_314, b"\0") + frame(MUSIC) * 3
    assert AudioFacts(AudioKind.MP3, 0, 0, None, None) == look(body)
    assert reason_of(body[:90_000]) == "truncated"
    assert reason_of(body[:98_316]) == "truncated"


@pytest.mark.parametrize("room", [1, 500, 16_000])
def test_two_tags_and_room_behind_them_are_passed_over(room: int) -> None:
    """Taggers put a second tag before the first, and leave more zeros than they say."""
    tag = b"ID3\x03\0\0\0\0\0\x04abcd"
    facts = look(tag + tag + bytes(room) + frame(MUSIC) * 3)
    assert (facts.kind, facts.channels, facts.sample_rate) == (AudioKind.MP3, 2, 44_100)


@pytest.mark.parametrize("length", [300, 1044, 4000])
def test_a_free_bit_rate_is_audio_whose_frames_are_not_followed(length: int) -> None:
    """Frames that stand equally far apart, padded or not; no header tells how far that is."""
    plain, padded = (
        header.ljust(length + more, b"\1")
        for more, header in enumerate((b"\xff\xfb\x00\x00", b"\xff\xfb\x02\x00"))
    )
    facts = look(plain + padded + plain + plain)
    assert AudioFacts(AudioKind.MP3, 2, 44_100, None, None) == facts
    assert reason_of(plain + plain) == "unknown"


def test_a_tag_with_no_frame_behind_it_is_no_audio() -> None:
    """A tag that the head shows whole has to be followed by a frame; a footer belongs to it."""
    assert reason_of(b"ID3\x04\0\0\0\0\0\x04abcd" + b"\x55" * 500) == "unknown"
    footed = b"ID3\x04\0\x10\0\0\0\x04abcd" + b"3DI\x04\0\x10\0\0\0\x04"
    assert look(footed + frame(MUSIC) * 3).kind == AudioKind.MP3


@given(
    data=st.binary(min_size=24, max_size=600),
    channels=st.integers(1, 2),
    width=st.integers(1, 4),
    rate=st.sampled_from([8000, 16_000, 44_100]),
)
def test_a_whole_wav_is_recognised_with_the_right_numbers(
    data: bytes, channels: int, width: int, rate: int
) -> None:
    """Channels, rate, bit rate and seconds are those the file was written with."""
    data = data[: len(data) // 24 * 24]
    facts = look(wav(data, channels=channels, width=width, rate=rate))
    assert (AudioKind.WAV, channels, rate) == (facts.kind, facts.channels, facts.sample_rate)
    assert channels * width * rate * 8 == facts.bit_rate
    assert pytest.approx(len(data) / (channels * width * rate)) == facts.header_seconds


@given(data=st.binary(min_size=2, max_size=400), cut=st.integers(min_value=1))
def test_a_cut_of_a_wav_is_seen_however_little_is_missing(data: bytes, cut: int) -> None:
    """What ends before its first sample is no recording; what ends after it is one, and flagged."""
    whole = wav(data[: len(data) // 2 * 2])
    left = whole[: 1 + cut % (len(whole) - 1)]
    if len(left) < WAV_HEADER + 2:
        assert reason_of(left) == "truncated"
    else:
        assert look(left).damage == SHORTER_THAN_HEADER
        assert look(whole) == msgspec.structs.replace(look(left), damage="")


def test_a_cut_behind_the_head_is_seen_by_the_length() -> None:
    """The total length counts: the head of a cut recording looks like that of a whole one."""
    whole = wav(bytes(1_000_000))
    assert look(whole).damage == ""
    assert look_at_head(whole[:HEAD], len(whole) - 1).damage == SHORTER_THAN_HEADER


def test_a_cut_in_a_chunk_after_the_samples_is_seen() -> None:
    """The samples are whole, but the file promises more."""
    pcm = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    whole = chunks((b"fmt ", pcm), (b"data", bytes(100)), (b"LIST", bytes(20)))
    assert look(whole).damage == ""
    assert look(whole[:-1]).damage == SHORTER_THAN_HEADER


def large_wav(data: bytes, *, name: bytes = b"RF64", promised: int | None = None) -> bytes:
    """Return a WAV in the form of those above 4 GiB, whose sizes stand in a chunk of their own."""
    size = len(data) if promised is None else promised
    pcm = struct.pack("<HHIIHH", 1, 2, 8000, 32_000, 4, 16)
    body = struct.pack("<4s4sIQQQI", b"WAVE", b"ds64", 28, 72 + size, size, size // 4, 0)
    body += struct.pack("<4sI", b"fmt ", 16) + pcm + struct.pack("<4sI", b"data", 0xFFFFFFFF)
    return struct.pack("<4sI", name, 0xFFFFFFFF) + body + data


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_the_wav_for_more_than_4_gib_is_one(name: bytes) -> None:
    """RF64 and BW64: the sizes are those of the ds64 chunk, and are held against what is there."""
    expected = AudioFacts(AudioKind.WAV, 2, 8000, 256_000, 1.0)
    assert expected == look(large_wav(bytes(32_000), name=name))
    assert look(large_wav(bytes(31_999), promised=32_000)).damage == SHORTER_THAN_HEADER


@pytest.mark.parametrize("of", [5 * 2**30, 6 * 2**30])
def test_a_length_of_more_than_32_bits_is_right(of: int) -> None:
    """In a ds64 chunk, and where a writer without one let the 32 bits run over."""
    head = large_wav(b"", promised=of)
    assert of / 32_000 == look_at_head(head, len(head) + of).header_seconds
    assert look_at_head(head, len(head) + of).damage == ""
    assert look_at_head(head, len(head) + of - 1).damage == SHORTER_THAN_HEADER
    plain = bytearray(wav(b"", channels=2))
    struct.pack_into("<I", plain, 4, (36 + of) % 2**32)
    struct.pack_into("<I", plain, 40, of % 2**32)
    expected = AudioFacts(AudioKind.WAV, 2, 8000, 256_000, of / 32_000)
    assert expected == look_at_head(bytes(plain), 44 + of)


def test_a_wav_of_endless_chunks_is_unknown() -> None:
    """A thousand chunks are looked at, not millions."""
    assert reason_of(b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 5000) == "unknown"


@pytest.mark.parametrize("tag", [1, 6, 7])
@pytest.mark.parametrize("is_extensible", [False, True])
def test_the_codecs_of_telephony_are_taken(tag: int, *, is_extensible: bool) -> None:
    """PCM, A-law and mu-law, plainly and in the extensible form, stereo of 8 bits: 16,000 B/s."""
    fmt = struct.pack("<HHIIHH", 0xFFFE if is_extensible else tag, 2, 8000, 16_000, 2, 8)
    if is_extensible:
        fmt += struct.pack("<HHIH", 22, 8, 3, tag) + bytes(14)
    facts = look(chunks((b"LIST", b"odd"), (b"fmt ", fmt), (b"data", bytes(32_000))))
    assert AudioFacts(AudioKind.WAV, 2, 8000, 128_000, 2.0) == facts


@pytest.mark.parametrize("placeholder", [0, 0xFFFFFFFF])
def test_a_streamed_wav_is_as_long_as_what_is_there(placeholder: int) -> None:
    """A writer to a pipe cannot fill in the sizes: the samples go on to the end."""
    body = bytearray(wav(bytes(16_000)))
    struct.pack_into("<I", body, 4, placeholder)
    struct.pack_into("<I", body, 40, placeholder)
    assert look(bytes(body)).header_seconds == 1.0
    assert reason_of(bytes(body[:44])) == "empty"


@pytest.mark.parametrize(
    "fmt",
    [
        struct.pack("<HHIIHH", 0x55, 1, 8000, 16_000, 2, 16),
        struct.pack("<HHIIHH", 1, 0, 8000, 16_000, 2, 16),
        struct.pack("<HHIIHH", 1, 1, 0, 16_000, 2, 16),
        struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 0),
        b"short",
    ],
)
def test_a_wav_whose_format_makes_no_sense_is_unknown(fmt: bytes) -> None:
    """Other codecs, no channels, no rate, no sample size, and a format chunk too short."""
    assert reason_of(chunks((b"fmt ", fmt), (b"data", bytes(100)))) == "unknown"


def test_samples_that_begin_after_the_head_promise_no_length() -> None:
    """A large chunk before the samples hides them: the format is known, the length is not."""
    pcm = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    body = chunks((b"fmt ", pcm), (b"JUNK", bytes(100_000)), (b"data", bytes(100)))
    assert AudioFacts(AudioKind.WAV, 1, 8000, 128_000, None) == look(body)
    hidden = chunks((b"JUNK", bytes(100_000)), (b"fmt ", pcm), (b"data", bytes(100)))
    assert reason_of(hidden) == "unknown"


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("empty", b""),
        ("html", b"<!DOCTYPE html><html><body>Sorry</body></html>"),
        ("html", b"\xef\xbb\xbf \r\n\t<HTML><head>"),
        ("html", b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0//EN'>"),
        ("html", "\ufeff<html><body>Fehler</body></html>".encode("utf-16-le")),
        ("html", "<html><body>Un problème est arrivé</body></html>".encode("cp1252")),
        ("xml", b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code></Error>"),
        ("xml", b"\n<Error><Code>NoSuchKey</Code></Error>"),
        ("json", b'{"RestException": {"Status": 403, "Message": "..."}}'),
        ("json", b"\xef\xbb\xbf\n[1, 2]"),
        ("text", b"Not found"),
        ("text", b"ID3 tags are missing from this recording"),
        ("text", b"RIFFs and WAVEs"),
        ("text", b" \r\n"),
        ("unknown", bytes(1000)),
        ("unknown", b"\x1f\x8b\x08\x00" + bytes(range(256))),
        ("unknown", b"\xff\xfb"),
    ],
)
def test_what_is_served_in_place_of_a_recording_is_told_apart(expected: str, body: bytes) -> None:
    """Error pages of every kind, with byte order marks and white space before them."""
    assert expected == reason_of(body)


@given(head=st.binary(max_size=300), total=st.integers(-1, 10_000))
def test_arbitrary_bytes_are_refused_or_recognised(head: bytes, total: int) -> None:
    """No input raises anything but NotAudioError."""
    _looked_at(head, total)


@given(
    start=st.sampled_from(
        [b"ID3\x03", b"RIFF\0\0\0\0WAVE", wav(b"")[:36], wav(b"ab"), TELEPHONE, frame(MUSIC)]
    ),
    rest=st.binary(max_size=600),
    total=st.integers(0, 10_000),
)
def test_audio_that_goes_on_as_noise_is_refused_or_recognised(
    start: bytes, rest: bytes, total: int
) -> None:
    """The same where the bytes begin as audio does."""
    _looked_at(start + rest, total)


def _looked_at(head: bytes, total: int) -> None:
    try:
        facts = look_at_head(head, total)
    except NotAudioError as error:
        assert error.reason  # noqa: PT017 (either outcome is right)
    else:
        assert facts.header_seconds is None or facts.header_seconds >= 0
