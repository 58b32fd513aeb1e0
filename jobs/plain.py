"""Exports packed with gzip, or that come through a pipe, as a plain file that can be read twice.

Told by the bytes, not by the name. What is unpacked goes to a temporary file, block by block, with
a bound on how much may come out: what an archive says of its own size is not believed.
"""

from __future__ import annotations

import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from archive.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN: Final = "-"
MOST_BYTES: Final = 16 * 2**30
_BLOCK: Final = 1 << 18
_GZIP: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS


class Plain:
    """A plain file, and in ``damage`` why it is not all of what was packed; empty if it is."""

    def __init__(self, path: Path, damage: str = "") -> None:
        self.path = path
        self.damage = damage


@contextmanager
def plain_file(path: Path, *, stdin: IO[bytes], most: int = MOST_BYTES) -> Iterator[Plain]:
    """Give a file that can be read twice: the export itself, or a temporary copy of it, unpacked.

    ``-`` is ``stdin``. The copy is removed at the end.

    Raises:
        InputError: more than ``most`` bytes come out.
        OSError: the export cannot be read, or the copy not written.
    """
    if str(path) != STDIN and (path.is_dir() or (path.is_file() and not _is_gzip(path))):
        yield Plain(path)
        return
    with tempfile.NamedTemporaryFile(prefix="callvault-") as copy:
        if str(path) == STDIN:
            damage = _copy(stdin, copy, path, most)
        else:
            with path.open("rb") as packed:
                damage = _copy(packed, copy, path, most)
        copy.flush()
        yield Plain(Path(copy.name), damage)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def _copy(source: IO[bytes], copy: IO[bytes], path: Path, most: int) -> str:
    """Copy what can be had, unpacked; return what is wrong with the rest."""
    block = source.read(_BLOCK)
    if not block.startswith(_GZIP):
        while block:
            _write(copy, block, path, most)
            block = source.read(_BLOCK)
        return ""
    unpacker = zlib.decompressobj(_GZIP_BITS)
    try:
        while block:
            _write(copy, unpacker.decompress(block, _BLOCK), path, most)
            block = unpacker.unconsumed_tail
            if unpacker.eof and (
                block := unpacker.unused_data.lstrip(b"\x00") or source.read(_BLOCK)
            ):
                unpacker = zlib.decompressobj(_GZIP_BITS)  # archives put one after the other
            block = block or source.read(_BLOCK)
        _write(copy, unpacker.flush(), path, most)
    except zlib.error as error:
        return f"the gzip archive is damaged ({error})"
    return "" if unpacker.eof else "the gzip archive ends in the middle"


def _write(copy: IO[bytes], block: bytes, path: Path, most: int) -> None:
    if copy.tell() + len(block) > most:
        raise InputError(
            f"{path} holds more than {most:,} bytes. Nothing was read from it.",
            hint="If it is an export, unpack it and split it into smaller files.",
        )
    copy.write(block)
