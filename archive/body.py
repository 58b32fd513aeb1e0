"""A recording's body on its way in: in memory while it is small, else in its part file; hashed.

Memory does not grow with a recording's size: from 1 MiB on, blocks of that size are hashed and
written in one hop to a thread.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import aiofiles.os
import msgspec

from archive.flushing import begin_to_flush
from archive.verdicts import Symptom

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

BLOCK: Final = 2**20
"""Bytes written at once: 64 KiB writes cost twice the CPU."""
HEAD: Final = 2**16
"""How much of a recording's beginning is kept for the look at its format."""
_SLOWEST: Final = 1024
"""Bytes a second below which, for ``Bounds.pace``, a download is given up: it would never end."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a recording is taken, and how long it is waited for.

    ``largest`` bytes are the most: by default three days of speech as WAV in two channels.
    ``connect`` is for a connection to be made, the name's lookup, a proxy's answer and TLS
    included; ``stall`` for the next bytes to come; ``pace`` is the stretch of time in which they
    must not come too slowly. ``rests`` are those before a download is gone on with that was
    interrupted, the first one after bytes have come.
    """

    largest: int = 8 * 2**30
    connect: timedelta = timedelta(seconds=45)
    stall: timedelta = timedelta(minutes=1)
    pace: timedelta = timedelta(seconds=30)
    rests: tuple[timedelta, ...] = (
        timedelta(0),
        timedelta(seconds=1),
        timedelta(seconds=5),
        timedelta(seconds=15),
    )


USUAL: Final = Bounds()


class FetchTroubleError(Exception):
    """A fetch that brought no whole body: what was seen, without the URL's query.

    ``retry_after`` is what the host asked for, if it did.
    """

    def __init__(self, symptom: Symptom, detail: str, retry_after: timedelta | None = None) -> None:
        super().__init__(f"{symptom}: {detail}")
        self.symptom = symptom
        self.detail = detail
        self.retry_after = retry_after


class Body:
    """What has come of a recording so far; ``promised`` is its whole length, where that is told.

    ``part`` is the file that a large one is written to, made here: one that is there already is
    somebody else's.
    """

    def __init__(self, part: Path, largest: int) -> None:
        self.part = part
        self._largest = largest
        self._begin()

    def _begin(self) -> None:
        self.size = 0
        self.promised: int | None = None
        self.head = b""
        self._block = bytearray()
        self._file: FileIO | None = None
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._wants_md5 = True
        self._hop: asyncio.Future[None] | None = None

    @property
    def is_on_disk(self) -> bool:
        """Whether it is too large to stay in memory."""
        return self._file is not None

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was taken in, in hexadecimal digits; whole after `finish`."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """The MD5 of a body that is on disk, if `promise` was told that it is wanted."""
        return self._md5.hexdigest()

    def promise(self, length: int | None, *, wants_md5: bool = True) -> None:
        """Note how long it will be, and whether its MD5 will be asked for, before any of it comes.

        Raises:
            FetchTroubleError: longer than any recording.
        """
        self.promised = length
        self._wants_md5 = wants_md5
        self._check_bound(length or 0)

    async def add(self, chunk: bytes) -> None:
        """Take in what came next.

        Raises:
            FetchTroubleError: it is longer than any recording.
            OSError: the part file cannot be written.
        """
        self.size += len(chunk)
        self._check_bound(self.size)
        self._block += chunk
        if len(self._block) >= BLOCK:
            await self._spill()

    async def finish(self) -> bytes | None:
        """Return the whole body if it was small; None if it is in its part file.

        Raises:
            FetchTroubleError: it is empty, or not as long as promised.
            OSError: the part file cannot be written.
        """
        if self.size == 0:
            raise FetchTroubleError(Symptom.BODY_EMPTY, "the body is empty")
        if self.promised is not None and self.size != self.promised:
            detail = f"{self.size} of {self.promised} bytes"
            raise FetchTroubleError(Symptom.BODY_SHORT, detail)
        if self._file is not None:
            await self._spill()
            self._file.close()
            return None
        body = bytes(self._block)
        self.head = body[:HEAD]
        # A MiB is hashed in less time than a hop to a thread is worth; its MD5 is seldom asked for.
        self._sha256.update(body)
        return body

    async def start_over(self) -> None:
        """Forget what came: all of it is sent once more."""
        await self.discard()
        self._begin()

    async def discard(self) -> None:
        """Remove the part file, if it is ours."""
        if self._hop is not None:
            # A thread may be writing still: nothing may be closed under its hands.
            await asyncio.wait({self._hop})
        if self._file is not None:
            self._file.close()
            with suppress(OSError):  # what cannot be removed now is swept later
                await aiofiles.os.remove(self.part)

    async def _spill(self) -> None:
        piece = bytes(self._block)
        self._block.clear()
        self.head = self.head or piece[:HEAD]
        self._hop = asyncio.ensure_future(asyncio.to_thread(self._write, piece))
        await asyncio.shield(self._hop)

    def _write(self, piece: bytes) -> None:
        """Hash and write a block; blocks."""
        if self._file is None:
            self._file = self.part.open("xb", buffering=0)
        self._sha256.update(piece)
        if self._wants_md5:
            self._md5.update(piece)
        view = memoryview(piece)
        start = self._file.tell()
        while view:
            # A disk with little room left takes a part first and refuses the rest.
            view = view[self._file.write(view) :]
        begin_to_flush(self._file.fileno(), start, len(piece))

    def _check_bound(self, size: int) -> None:
        if size > self._largest:
            raise FetchTroubleError(Symptom.BODY_ENDLESS, f"more than {self._largest} bytes")


class Pace:
    """Watches that a download does not drip. ``clock`` tells seconds."""

    def __init__(self, clock: Callable[[], float], every: timedelta = USUAL.pace) -> None:
        self._clock = clock
        self._every_s = every.total_seconds()
        self._since = self._clock()
        self._size = 0

    def add(self, size: int) -> None:
        """Count bytes that came.

        Raises:
            FetchTroubleError: too few came in the last stretch of time.
        """
        self._size += size
        took = self._clock() - self._since
        if took < self._every_s:
            return
        if self._size < _SLOWEST * took:
            raise FetchTroubleError(Symptom.FETCH_SLOW, f"{self._size} bytes in {took:.0f} s")
        self._since, self._size = self._clock(), 0
