"""Where the frames of an MP3 begin and end: the tags before and after them.

Sources: id3.org (ID3v1, ID3v2.2 to 2.4, Lyrics3) and wiki.hydrogenaud.io (APEv1, APEv2). Of a tag
at the end only its last bytes tell how long it is, so the end is read backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

Read: TypeAlias = Callable[[int, int], bytes]
"""``read(at, length)`` gives these bytes of a recording, fewer where it ends."""

PADDING: Final = b"\0\r\n"
PADDING_MOST: Final = 2**14
"""Bytes of nothing that recorders and scripts leave behind the last frame. More are a hole: at
128 kbit/s this is a second."""

_ID3_HEADER: Final = 10
_ID3_VERSIONS: Final = (2, 3, 4)
_ID3_FOOTER_FLAG: Final = 0x10
_ID3V1: Final = 128
_ID3V1_MORE: Final = 227
_APE_FOOTER: Final = 32
_APE_HEADER_FLAG: Final = 0x80000000
_LYRICS_1_MOST: Final = 5100 + 20
_LYRICS_2_END: Final = 15
_TAIL: Final = 256
_TAGS_MOST: Final = 16


def id3_length(head: bytes, at: int = 0) -> int:
    """Return the length in bytes of the ID3v2 tag that begins there, 0 without one."""
    tag = head[at : at + _ID3_HEADER]
    if len(tag) < _ID3_HEADER or tag[:3] != b"ID3" or tag[3] not in _ID3_VERSIONS:
        return 0
    return 0 if (size := _synchsafe(tag[6:])) is None else _id3_whole(size, tag[5])


def _id3_whole(size: int, flags: int) -> int:
    return _ID3_HEADER + size + (_ID3_HEADER if flags & _ID3_FOOTER_FLAG else 0)


def _synchsafe(size: bytes) -> int | None:
    """Read a size of ID3v2, each byte of which carries seven bits; None if one carries eight."""
    if max(size) > 0x7F:  # noqa: PLR2004 - seven bits
        return None
    return size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]


def audio_start(read: Read) -> int:
    """Return where the first frame should stand: after ID3v2 tags and the zeros behind them.

    Two tags in a row are seen in practice, and writers that leave more room than they say.
    """
    start = 0
    for _ in range(_TAGS_MOST):
        length = id3_length(read(start, _ID3_HEADER))
        if not length:
            break
        start += length
        room = read(start, PADDING_MOST)
        zeros = len(room) - len(room.lstrip(b"\0"))
        # Nothing but zeros is no room that was left, and is looked at as what it is.
        start += zeros if zeros < len(room) else 0
    return start


def audio_end(read: Read, size: int, start: int) -> int:
    """Return where the tags at a recording's end begin; its size where there are none."""
    end = size
    for _ in range(_TAGS_MOST):
        length = _length_of_tag_before(read, end)
        if not length or end - length < start:
            break
        end -= length
    return end


def tag_length(read: Read, at: int) -> int:
    """Return the length of the tag that stands between or behind frames, 0 if there is none."""
    head = read(at, _APE_FOOTER)
    if head.startswith(b"TAG"):
        return _ID3V1
    if head.startswith(b"APETAGEX") and len(head) == _APE_FOOTER:
        return _APE_FOOTER + _little(head[12:16])
    return id3_length(head)


def _length_of_tag_before(read: Read, end: int) -> int:
    begin = max(0, end - _TAIL)
    tail = read(begin, end - begin)
    if tail[-_ID3V1:].startswith(b"TAG"):
        return _ID3V1
    if tail[-_ID3V1_MORE:].startswith(b"TAG+"):
        return _ID3V1_MORE
    if tail[-_APE_FOOTER:].startswith(b"APETAGEX"):
        footer = tail[-_APE_FOOTER:]
        has_header = _little(footer[20:24]) & _APE_HEADER_FLAG
        return _little(footer[12:16]) + (_APE_FOOTER if has_header else 0)
    if tail[-_ID3_HEADER:].startswith(b"3DI"):
        size = _synchsafe(tail[-4:])
        return 0 if size is None else _id3_whole(size, _ID3_FOOTER_FLAG)
    return _length_of_lyrics_before(read, end, tail)


def _length_of_lyrics_before(read: Read, end: int, tail: bytes) -> int:
    digits = tail[-_LYRICS_2_END:-9]
    if tail.endswith(b"LYRICS200") and digits.isdigit():
        return int(digits) + _LYRICS_2_END
    if tail.endswith(b"LYRICSEND"):
        begin = max(0, end - _LYRICS_1_MOST)
        found = read(begin, end - begin).rfind(b"LYRICSBEGIN")
        return 0 if found < 0 else end - begin - found
    return 0


def is_padding(data: bytes) -> bool:
    """Tell whether these last bytes of a recording are nothing: few, zeros or ends of lines."""
    return len(data) <= PADDING_MOST and not data.strip(PADDING)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
