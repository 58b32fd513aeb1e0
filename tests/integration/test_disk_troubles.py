"""What a disk can do in the middle: no false row, nothing left over, and it ends by itself."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.layout import PARTS, QUARANTINE
from archive.store import Pending, Store
from tests.integration.workers import RECORDING, SIDS, Held, open_yard, run_batch
from tests.unit.recordings import place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path, PurePosixPath

    from tests.integration.workers import Yard

STEPS = ("_write", "_flush", "_clear", "_describe", "_place", "_flush_folder")
ERRORS = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.EROFS: "disk-refuses",
    errno.EACCES: "disk-refuses",
    errno.EIO: "disk-refuses",
}


class Failing(Store):
    """A store on a disk that begins to fail at one of the steps of publishing, after some calls."""

    def __init__(self, root: Path, *, step: str = "", error: int = 0, after: int = 0) -> None:
        self._step = ""
        super().__init__(root)
        self._step = step
        self._error = error
        self._after = after

    def mend(self) -> None:
        """Let it work again."""
        self._step = ""

    def _meet(self, step: str) -> None:
        if step != self._step:
            return
        self._after -= 1
        if self._after < 0:
            raise OSError(self._error, os.strerror(self._error))

    def _write(self, pending: Pending) -> None:
        super()._write(pending)
        self._meet("_write")

    def _flush(self, pending: Pending) -> None:
        self._meet("_flush")
        super()._flush(pending)

    def _clear(self, pending: Pending) -> set[Path]:
        self._meet("_clear")
        return super()._clear(pending)

    def _describe(self, pending: Pending) -> None:
        self._meet("_describe")
        super()._describe(pending)

    def _place(self, pending: Pending) -> set[Path]:
        self._meet("_place")
        return super()._place(pending)

    def _flush_folder(self, folder: Path) -> None:
        self._meet("_flush_folder")
        super()._flush_folder(folder)

    def probe(self, lease: str) -> None:
        """Meet what a disk does that refuses all."""
        super().probe(lease)
        self._meet("probe")


async def rows_without_bytes(yard: Yard) -> list[PurePosixPath | str]:
    """Return the recordings that the catalog has and the disk has not, or not whole."""
    found = [str(path) for (path,) in await yard.rows("SELECT path FROM recordings")]
    return [path for path in found if (yard.root / path).read_bytes() != RECORDING]


def left_over(root: Path) -> list[str]:
    """Return the part files."""
    return sorted(path.name for path in (root / PARTS).iterdir())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", ERRORS)
async def test_a_disk_that_fails_in_the_middle_pauses_its_host(
    tmp_path: Path, step: str, error: int
) -> None:
    """Whatever step meets it: what is archived is there, no part is left, and no call pays.

    When the pause may be probed and the disk works, the rest is archived and the pause is over.
    """
    async with open_yard(tmp_path) as yard:
        fetcher = Held()
        fetcher.go.set()
        store = Failing(yard.root, step=step, error=error, after=2)
        parts = await yard.worker("one", fetcher, store=lambda _: store)

        await run_batch(parts)

        assert await yard.held() == [ERRORS[error]]
        states = await yard.states()
        assert states.get("expected", 0) > 0
        assert sum(states.values()) == len(SIDS)
        assert await rows_without_bytes(yard) == []
        assert left_over(yard.root) == []
        assert await yard.rows("SELECT SUM(tries), SUM(refreshes) FROM calls") == [(0, 0)]

        store.mend()
        await run_batch(parts)
        assert await yard.held() == [ERRORS[error]], "not before its time"
        yard.now += timedelta(minutes=2)
        await run_batch(parts)

        assert await yard.held() == []
        assert await yard.states() == {"archived": len(SIDS)}
        assert await rows_without_bytes(yard) == []
        assert left_over(yard.root) == []


async def test_a_pause_lasts_until_a_recording_is_on_disk(tmp_path: Path) -> None:
    """That there is room is not enough (a quota): each probe that fails counts, and none lifts."""
    async with open_yard(tmp_path) as yard:
        fetcher = Held()
        fetcher.go.set()
        store = Failing(yard.root, step="_write", error=errno.EDQUOT)
        parts = await yard.worker("one", fetcher, store=lambda _: store)
        for strikes in (1, 2, 3):
            await run_batch(parts)
            assert await yard.rows("SELECT reason, strikes FROM pauses") == [("disk-full", strikes)]
            yard.now += timedelta(hours=1)
        store.mend()
        await run_batch(parts)
        assert await yard.held() == []
        assert await yard.states() == {"archived": len(SIDS)}


async def test_a_disk_that_refuses_everything_costs_the_provider_nothing(tmp_path: Path) -> None:
    """While it does, a probe ends before the provider is asked for anything."""
    async with open_yard(tmp_path) as yard:
        fetcher = Held()
        fetcher.go.set()
        store = Failing(yard.root, step="_write", error=errno.EROFS)
        parts = await yard.worker("one", fetcher, store=lambda _: store)
        await run_batch(parts)
        fetcher.begun.clear()
        store._step = "probe"
        yard.now += timedelta(hours=1)

        await run_batch(parts)

        assert not fetcher.begun.is_set()
        assert await yard.rows("SELECT reason, strikes FROM pauses") == [("disk-refuses", 2)]
        assert left_over(yard.root) == []


@contextmanager
def bounded_files(size: int) -> Iterator[None]:
    """Let no file of this process grow larger: the kernel refuses the rest of a write."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


class Roomy(Store):
    """A store on a disk with as much room as a test says."""

    free = 0

    def free_bytes(self) -> int:
        """Tell."""
        return self.free


async def test_below_min_free_nothing_is_asked_until_there_is_room(tmp_path: Path) -> None:
    """The host pauses, says how much is missing, and goes on by itself."""
    async with open_yard(tmp_path) as yard:
        fetcher = Held()
        fetcher.go.set()
        store = Roomy(yard.root)
        parts = await yard.worker("one", fetcher, store=lambda _: store, min_free=100 * 2**20)

        store.free = 99 * 2**20
        await run_batch(parts)
        assert await yard.rows("SELECT scope, reason, detail FROM pauses") == [
            ("host:host", "disk-full", "99 MiB are free, less than min_free (100 MiB)")
        ]
        assert not fetcher.begun.is_set()
        yard.now += timedelta(minutes=2)
        await run_batch(parts)
        assert await yard.held() == ["disk-full"]

        store.free = 100 * 2**20
        yard.now += timedelta(minutes=2)
        await run_batch(parts)
        assert await yard.held() == []
        assert await yard.states() == {"archived": len(SIDS)}


def test_a_quarantine_that_cannot_be_written_keeps_no_half(tmp_path: Path) -> None:
    """What is no recording is kept whole or not at all: half of it would have the whole's name."""
    store = Store(tmp_path)
    folder = tmp_path / QUARANTINE / "main"
    folder.mkdir(parents=True)

    with bounded_files(1000), pytest.raises(OSError, match="File too large"):
        store.quarantine(place(SIDS[0]), b"<html>" * 1000, "html")

    assert list(folder.iterdir()) == []
