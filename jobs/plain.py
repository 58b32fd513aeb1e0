"""Exports packed with gzip, or that come through a pipe, as a plain file that can be read twice.

Told by the bytes, not by the name. What is unpacked goes to a temporary file, block by block, with
bounds on how much may come out: what an archive says of its own size is not believed. That file has
no name, so nothing of it stays where the process is killed.
"""

from __future__ import annotations

import tempfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from archive.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STDIN: Final = "-"
MOST_BYTES: Final = 16 * 2**30
MOST_RATIO: Final = 300
"""Bytes that may come out of one; exports hold a random Sid a row, and pack to a fifth or so."""
_FREE: Final = 64 * 2**20
"""So much may come out at any ratio."""
_FREE_IN_ALL: Final = 4 * _FREE
"""And so much of all the files in an archive."""
BLOCK: Final = 1 << 18
_GZIP: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS


class Plain:
    """A plain file that can be sought in, and what it is called.

    ``damage`` is why it is not all of what was packed; empty if it is.
    """

    def __init__(self, name: str, stream: IO[bytes], damage: str = "") -> None:
        self.name = name
        self.stream = stream
        self.damage = damage


@contextmanager
def plain_file(
    path: Path, name: str, *, stdin: IO[bytes] | None, most: int = MOST_BYTES
) -> Iterator[Plain]:
    """Give a file that can be read twice: the export itself, or a temporary copy of it, unpacked.

    ``-`` is ``stdin``, None where that is closed; ``name`` is what errors call it.

    Raises:
        InputError: more than ``most`` bytes come out, or far more than went in; or there is no
            standard input.
        OSError: the export cannot be read, or the copy not written.
    """
    if str(path) == STDIN:
        if stdin is None:
            raise InputError(
                "there is no standard input: it is closed.", hint="Name a file, or pipe one in."
            )
        with _copied(stdin, name, most) as plain:
            yield plain
        return
    with path.open("rb") as file:
        if path.is_file() and file.peek(len(_GZIP))[: len(_GZIP)] != _GZIP:
            yield Plain(name, file)
            return
        with _copied(file, name, most) as plain:
            yield plain


def most_of(size: int) -> int:
    """Return how many bytes may come out of an archive of ``size`` bytes in all."""
    return min(MOST_BYTES, _FREE_IN_ALL + MOST_RATIO * size)


class Copy:
    """A nameless temporary file being written, with bounds on what may come out of an archive."""

    def __init__(self, stream: IO[bytes], name: str, most: int) -> None:
        self._stream = stream
        self._name = name
        self._most = most

    def write(self, block: bytes, taken: int | None = None) -> None:
        """Write a block, of an archive of which so far ``taken`` bytes were used.

        Raises:
            InputError: it is too much, or far more than went in.
        """
        size = self._stream.tell() + len(block)
        if taken is not None and size > max(_FREE, MOST_RATIO * taken):
            raise InputError(
                f"{self._name} unpacks to more than {MOST_RATIO} times its size, as no export "
                "does. Nothing was read from it.",
                hint="If it is an export all the same, unpack it first.",
            )
        if size > self._most:
            raise InputError(
                f"{self._name} holds more than {self._most:,} bytes. Nothing was read from it.",
                hint="If it is an export, unpack it and split it into smaller files.",
            )
        self._stream.write(block)


@contextmanager
def _copied(source: IO[bytes], name: str, most: int) -> Iterator[Plain]:
    with tempfile.TemporaryFile(prefix="callvault-") as stream:
        damage = _copy(source, Copy(stream, name, most))
        yield whole_or_some(name, stream, damage)


def whole_or_some(name: str, stream: IO[bytes], damage: str) -> Plain:
    """Return what came out of an archive.

    Raises:
        InputError: nothing did, because it is damaged.
    """
    if damage and not stream.tell():
        raise InputError(
            f"{name}: {damage}.", hint="Export or pack the calls again, and name the file again."
        )
    stream.seek(0)
    return Plain(name, stream, damage)


def _copy(source: IO[bytes], copy: Copy) -> str:
    """Copy what can be had, unpacked; return what is wrong with the rest."""
    block = source.read(BLOCK)
    if not block.startswith(_GZIP):
        while block:
            copy.write(block)
            block = source.read(BLOCK)
        return ""
    unpacker = zlib.decompressobj(_GZIP_BITS)
    taken = len(block)
    try:
        while block:
            copy.write(unpacker.decompress(block, BLOCK), taken)
            block = unpacker.unconsumed_tail
            if unpacker.eof and (block := unpacker.unused_data.lstrip(b"\x00")):
                unpacker = zlib.decompressobj(_GZIP_BITS)  # archives put one after the other
            elif not block and (block := source.read(BLOCK)):
                taken += len(block)
                if unpacker.eof and (block := block.lstrip(b"\x00")):
                    unpacker = zlib.decompressobj(_GZIP_BITS)
        copy.write(unpacker.flush(), taken)
    except zlib.error as error:
        return f"the gzip archive is damaged ({error})"
    return "" if unpacker.eof else "the gzip archive ends in the middle"
