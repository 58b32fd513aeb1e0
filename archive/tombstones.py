"""Tombstones in a day's manifest of which the catalog does not know.

What is made of them is in `archive.catalog.tombstones`. These functions block.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from archive.call import State
from archive.catalog import tombstones as rows
from archive.layout import MANIFEST
from archive.manifest import BadLineError, tombstones_of
from archive.regular import IrregularError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archive.catalog.database import Database
    from archive.clock import Clock
    from archive.manifest import Line

_CHUNK: Final = 500


def unknown_tombstones(
    database: Database, root: Path, folder: str
) -> Iterator[list[Line | BadLineError]]:
    """Yield, some at a time, what a folder's manifest tells of purged calls and is news.

    A line that cannot be used is among it: whoever writes the manifest anew would lose it.

    Raises:
        CatalogError: the catalog cannot be read.
        OSError: the manifest cannot be read.
    """
    # What is no regular file was written by nobody of ours.
    with suppress(FileNotFoundError, IrregularError):
        told = tombstones_of(root / folder / MANIFEST, folder)
        while chunk := list(islice(told, _CHUNK)):
            bad = [one for one in chunk if isinstance(one, BadLineError)]
            lines = [one for one in chunk if not isinstance(one, BadLineError)]
            with database.read() as tx:
                news = rows.not_known(tx, lines)
            if bad or news:
                yield [*bad, *news]


def take_over(database: Database, root: Path, folder: str, clock: Clock) -> None:
    """Take what a folder's manifest tells of purged calls over into the catalog.

    Raises:
        CatalogError: the catalog cannot be read or written.
        OSError: the manifest cannot be read.
    """
    for chunk in unknown_tombstones(database, root, folder):
        lines = [one for one in chunk if not isinstance(one, BadLineError)]
        with database.write() as tx:
            rows.take_over(tx, lines, folder=folder, now=clock())


def is_purged(database: Database, account: str, sid: str) -> bool:
    """Tell whether the catalog has a call as purged."""
    with database.read() as tx:
        return rows.state_of(tx, account, sid) is State.PURGED
