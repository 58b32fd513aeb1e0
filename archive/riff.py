"""The chunks of a WAV: what its samples are, how many it promises, and how many are there.

Facts of the format: Microsoft's RIFF/WAVE, and RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088) for
files of 4 GiB and more, whose sizes stand in a chunk of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from archive.tags import Read

_NAMES: Final = (b"RIFF", b"RF64", b"BW64")
_RIFF_HEADER: Final = 12
_CHUNK_HEADER: Final = 8
_FMT_LENGTH: Final = 16
_FMT_LENGTH_EXTENSIBLE: Final = 40
_DS64_SIZES: Final = 16
_PCM, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
# Where a ds64 chunk tells the size. A writer that cannot go back to fill it in leaves this, or 0.
_IN_DS64: Final = 0xFFFFFFFF
_WRAPS: Final = 2**32
_CHUNKS_MOST: Final = 1000


class WavFormat(msgspec.Struct, frozen=True):
    """How the samples are written; ``sample_bytes`` are of one sample of one channel."""

    channels: int
    sample_rate: int
    sample_bytes: int

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.sample_bytes

    @property
    def bytes_per_second(self) -> int:
        """Bytes of a second of all channels."""
        return self.sample_rate * self.block


class Wav(msgspec.Struct, frozen=True):
    """What the chunks say.

    ``format`` is None where there is none that is known. ``samples`` are the promised bytes of
    samples, None where they begin after what could be read; ``there`` are those that are there.
    ``missing`` are the bytes that samples or file promise and that are not there.
    """

    format: WavFormat | None
    samples: int | None = None
    there: int = 0
    missing: int = 0


class _Sizes(msgspec.Struct, frozen=True):
    """The sizes of file and samples in bytes, as the header has them."""

    file: int
    data: int


def starts_as_wav(head: bytes) -> bool:
    """Tell a WAV by its first 12 bytes, or by as many of them as there are."""
    return any(name.startswith(head[:4]) for name in _NAMES) and b"WAVE".startswith(head[8:12])


def read_wav(read: Read, total: int) -> Wav | None:
    """Return what the chunks say; None where the file ends before its samples begin."""
    file = _little(read(4, 4))
    form: WavFormat | None = None
    large: _Sizes | None = None
    at = _RIFF_HEADER
    for _ in range(_CHUNKS_MOST):
        head = read(at, _CHUNK_HEADER)
        if len(head) < _CHUNK_HEADER:
            return None if at + _CHUNK_HEADER > total else Wav(form)
        name, size, body = head[:4], _little(head[4:]), at + _CHUNK_HEADER
        if name == b"data":
            return _samples(form, _sizes(file, size, large, total), body, total)
        if body + size > total:
            return None
        if name == b"fmt ":
            form = _wav_format(read(body, min(size, _FMT_LENGTH_EXTENSIBLE)))
        elif name == b"ds64":
            told = read(body, _DS64_SIZES)
            large = _Sizes(_little(told[:8]), _little(told[8:]))
        at = body + size + size % 2
    return Wav(None)


def _sizes(file: int, data: int, large: _Sizes | None, total: int) -> _Sizes:
    """Return the sizes that hold, 0 for one that nothing tells."""
    if large is not None:
        file = large.file if file == _IN_DS64 else file
        data = large.data if data == _IN_DS64 else data
    elif total >= _WRAPS:
        # 32 bits cannot tell; writers leave the rest of a division, or the most there is.
        return _Sizes(0, 0)
    return _Sizes(0 if file == _IN_DS64 else file, 0 if data == _IN_DS64 else data)


def _samples(form: WavFormat | None, told: _Sizes, body: int, total: int) -> Wav:
    there = total - body
    samples = told.data or there
    # Some writers count the byte that fills up an odd chunk, and do not write it.
    file_missing = _CHUNK_HEADER + told.file - samples % 2 - total if told.file else 0
    return Wav(form, samples, min(samples, there), max(samples - there, file_missing, 0))


def _wav_format(fmt: bytes) -> WavFormat | None:
    """Read a format chunk; None where it is none of PCM, A-law, mu-law, or makes no sense."""
    if len(fmt) < _FMT_LENGTH:
        return None
    tag, channels, rate = _little(fmt[:2]), _little(fmt[2:4]), _little(fmt[4:8])
    if tag == _EXTENSIBLE and len(fmt) >= _FMT_LENGTH_EXTENSIBLE:
        tag = _little(fmt[24:26])  # the subformat's GUID begins with the format it stands for
    sample_bytes = (_little(fmt[14:16]) + 7) // 8
    if tag not in (_PCM, _A_LAW, _MU_LAW) or not (channels and rate and sample_bytes):
        return None
    return WavFormat(channels, rate, sample_bytes)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
