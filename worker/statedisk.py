"""The disk under the catalog, the embedded queue and the spool, told of when it has no room.

It is looked at by whoever tells: what is full there keeps the catalog from being told of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from archive.catalog.troubles import STATE_DISK, Trouble
from archive.errors import FatalError
from archive.tree import free_bytes as free_below
from worker.places import host_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from worker.settings import Settings

LEAST: Final = 2**20
"""Bytes below which nothing is sure to be written any more: some pages of the catalog's WAL."""
PATIENCE_S: Final = 15.0
"""How long a drain waits for room: as long as a process that could not write begins nothing."""
_log = structlog.get_logger()


class Full(msgspec.Struct, frozen=True):
    """A place whose disk has no room, and how many bytes it has."""

    place: str
    free: int

    @property
    def words(self) -> str:
        """What is wrong."""
        return (
            f"the disk of {self.place} is full ({self.free // 1024:,} KiB are free): neither "
            "catalog nor queue can be written"
        )

    @property
    def remedy(self) -> str:
        """What to do."""
        return f"make room, see what takes it: du -xh --max-depth=2 {self.place} | sort -h | tail"

    def trouble(self, settings: Settings, now: datetime) -> Trouble:
        """Return it as what this host meets now; since when, nobody could note."""
        return Trouble(host_name(settings), STATE_DISK, f"{self.words}; {self.remedy}", now)

    def error(self) -> FatalError:
        """Return the error with which a drain ends for it."""
        return FatalError(self.words, hint=f"{self.remedy}; then run it again: nothing is lost")


def free_bytes(path: Path) -> int | None:
    """Return the free bytes of the disk that a path is on, or will be; None if nobody knows."""
    try:
        return free_below(path)
    except OSError:
        return None


def places_of(settings: Settings) -> tuple[Path, ...]:
    """Return the folders of the catalog, if it is in a file, and of queue and spool, if used."""
    file, state = settings.catalog_file, settings.queue.state
    catalog = () if file is None else (file.parent,)
    return (*catalog, state) if state.is_dir() and state not in catalog else catalog


def least_free(
    places: Iterable[Path], free: Callable[[Path], int | None] = free_bytes
) -> Full | None:
    """Return the place with the least room; None where none tells."""
    told = [Full(str(place), room) for place in places if (room := free(place)) is not None]
    return min(told, key=lambda one: one.free, default=None)


def full_disk(settings: Settings, free: Callable[[Path], int | None] = free_bytes) -> Full | None:
    """Return the place that has no room; None where all have some."""
    tightest = least_free(places_of(settings), free)
    return tightest if tightest is not None and tightest.free < LEAST else None


def met_here(settings: Settings, now: datetime) -> tuple[Trouble, ...]:
    """Return what can only be seen by looking, since it may keep everybody from noting it."""
    full = full_disk(settings)
    return () if full is None else (full.trouble(settings, now),)


class Lookout:
    """Looks at the disk again and again, for the log too; ``clock`` tells seconds."""

    def __init__(self, look: Callable[[], Full | None], clock: Callable[[], float]) -> None:
        self._look = look
        self._clock = clock
        self._since: float | None = None
        self.full: Full | None = None

    @property
    def words(self) -> str:
        """What is wrong with it; empty where nothing is."""
        return "" if self.full is None else self.full.words

    def look(self) -> FatalError | None:
        """Look once more; return why nobody need wait any longer, once it is full for that long."""
        self.full = self._look()
        if self.full is None:
            if self._since is not None:
                _log.warning("catalog and queue have room again")
            self._since = None
            return None
        if self._since is None:
            self._since = self._clock()
            _log.error("nothing can be noted any more", error=self.words, hint=self.full.remedy)
        return self.full.error() if self._clock() - self._since >= PATIENCE_S else None
