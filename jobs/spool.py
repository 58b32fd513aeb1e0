"""Where callbacks lie from the moment they are answered until the catalog has them.

A folder of segments: files of JSON lines, one a callback. The newest is appended to, the others are
taken into the catalog and removed. While one group is being flushed the next one gathers, so that
many callbacks share a flush. A crash leaves a half line at most, which was never answered.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import time
from contextlib import suppress
from datetime import datetime  # noqa: TC003 - msgspec reads the types when it decodes
from io import BufferedReader
from typing import TYPE_CHECKING, Final, Self

import msgspec

from archive.errors import StoreError
from archive.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SEGMENT: Final = re.compile(r"(\d{12})\.jsonl")
_LOCK: Final = ".lock"
_UNUSABLE: Final = "unusable.jsonl"
_MOST_UNUSABLE: Final = 8 * 2**20
_LONGEST_LINE: Final = 2**20
_LOCK_S: Final = 5.0
_NAP_S: Final = 0.1


class Kept(msgspec.Struct, frozen=True):
    """A callback as it came in; ``fields`` is never a secret, and is not trusted."""

    received_at: datetime
    account: str
    fields: dict[str, str]


_Item = tuple[bytes, "asyncio.Future[None]"]
_decoder: Final = msgspec.json.Decoder(Kept)


class Spool:
    """The spool of one process; nobody else may have it open. Use ``await Spool.open``.

    ``most_bytes`` is how much may lie in it before no more is taken.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._pending: list[_Item] = []
        self._flushing: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self._lock = _locked(folder)
        found = _segments(folder)
        self._number = max(map(_number, found), default=0) + 1
        self._bytes = sum(path.stat().st_size for path in found)
        self._descriptor: int | None = None
        self._size = 0
        if self._bytes:
            self._came.set()

    @classmethod
    async def open(cls, folder: Path, *, most_bytes: int) -> Self:
        """Open the spool, or begin one.

        Raises:
            StoreError: the folder cannot be written to, or another process has the spool.
        """
        return await asyncio.to_thread(lambda: cls(folder, most_bytes=most_bytes))

    @property
    def size(self) -> int:
        """How many bytes lie in the spool."""
        return self._bytes

    async def keep(self, kept: Kept) -> None:
        """Keep a callback; it is on disk when this returns.

        Raises:
            StoreError: it cannot be: the disk refuses, or too much lies here already.
        """
        line = msgspec.json.encode(kept) + b"\n"
        if self._bytes + len(line) > self._most_bytes:
            raise StoreError(
                f"{self._bytes:,} bytes of callbacks wait in {self.folder}, as many as may",
                hint="the catalog has not taken them in: see the log; [web] spool sets the bound",
            )
        self._bytes += len(line)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((line, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        await asyncio.shield(done)

    async def _flush(self) -> None:
        while self._pending:
            group, self._pending = self._pending, []
            try:
                await asyncio.to_thread(self._write, b"".join(line for line, _ in group))
            except OSError as error:
                words = error.strerror or type(error).__name__
                self._bytes -= sum(len(line) for line, _ in group)
                for _, done in group:
                    if not done.done():
                        done.set_exception(StoreError(f"writing to {self.folder}: {words}"))
                continue
            self._came.set()
            for _, done in group:
                if not done.done():
                    done.set_result(None)

    def _write(self, lines: bytes) -> None:
        """Append to the newest segment and flush it; blocks.

        Raises:
            OSError: it cannot be written; nothing of it is left behind.
        """
        descriptor = self._begun()
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fdatasync(descriptor)
        except OSError:
            # What stands there half would spoil the line after it. After a failed flush nobody
            # knows what is on disk, so that segment is not written to again.
            with suppress(OSError):
                os.ftruncate(descriptor, self._size)
            self._end_segment()
            raise
        self._size += len(lines)

    def _begun(self) -> int:
        if self._descriptor is None:
            path = self._path(self._number)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._descriptor = os.open(path, flags, 0o600)
            self._size = 0
            _flush_folder(self.folder)
        return self._descriptor

    def _end_segment(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._number += 1

    async def something(self) -> None:
        """Wait until something is there to be taken."""
        await self._came.wait()

    async def take(self) -> list[Path]:
        """Return the segments that can be taken, the oldest first; the newest is ended for that."""
        while self._flushing is not None and not self._flushing.done():
            await asyncio.wait({self._flushing})
        # Between here and the next await nobody writes.
        self._came.clear()
        self._end_segment()
        ended = self._number
        found = await asyncio.to_thread(_segments, self.folder)
        return [segment for segment in found if _number(segment) < ended]

    async def remove(self, segment: Path) -> None:
        """Remove a segment that was taken in.

        Raises:
            StoreError: it cannot be removed; it is taken in once more, which changes nothing.
        """
        try:
            size = await asyncio.to_thread(_remove, segment)
        except OSError as error:
            raise StoreError(f"removing {segment}: {error.strerror}") from error
        self._bytes = max(0, self._bytes - size)

    def set_aside(self, lines: list[bytes]) -> None:
        """Keep what is no callback after all for a person to look at, as far as there is room.

        Raises:
            OSError: it cannot be written.
        """
        path = self.folder / _UNUSABLE
        with path.open("ab") as file:
            for line in lines:
                if file.tell() + len(line) < _MOST_UNUSABLE:
                    file.write(line.rstrip(b"\n") + b"\n")
            # The segment that they come from is removed next.
            file.flush()
            os.fsync(file.fileno())

    async def close(self) -> None:
        """Flush what was asked for, and let the spool go."""
        if self._flushing is not None:
            await asyncio.wait({self._flushing})
        self._end_segment()
        os.close(self._lock)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:012d}.jsonl"


def lines_of(segment: Path) -> Iterator[Kept | bytes]:
    """Yield the callbacks of a segment, and as bytes what is none.

    Raises:
        OSError: it cannot be read.
    """
    with BufferedReader(open_regular(segment)) as file:
        while line := file.readline(_LONGEST_LINE):
            try:
                yield _decoder.decode(line)
            except (msgspec.DecodeError, ValueError):
                yield line


def _locked(folder: Path) -> int:
    """Take the folder for this process; return the descriptor that holds it.

    Raises:
        StoreError: another process has it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(
            f"opening the spool {folder}: {error.strerror}",
            hint="check that it belongs to the user callvault runs as",
        ) from error
    until = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # One that is being restarted may still be ending.
            if time.monotonic() > until:
                os.close(lock)
                raise StoreError(
                    f"another process receives callbacks into {folder}",
                    hint="is 'callvault web' or 'callvault run' running already?",
                ) from None
            time.sleep(_NAP_S)
        else:
            return lock


def _segments(folder: Path) -> list[Path]:
    """Return all segments, the oldest first."""
    return sorted(path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))


def waiting_bytes(folder: Path) -> int:
    """Return how many bytes lie in a spool, whoever has it open; 0 where there is none."""
    try:
        return sum(path.stat().st_size for path in _segments(folder))
    except OSError:  # one was taken in meanwhile, or there is no folder
        return 0


def _number(segment: Path) -> int:
    return int(segment.name.partition(".")[0])


def _remove(segment: Path) -> int:
    size = segment.stat().st_size
    segment.unlink()
    return size


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
