"""Which day folders' files must be written anew, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from archive.catalog.database import Tx


class ChangedDay(msgspec.Struct, frozen=True):
    """A day folder (below the root), and how often it has changed since it was last written."""

    folder: str
    changes: int


def changed_days(tx: Tx) -> list[ChangedDay]:
    """Return the day folders whose files are behind the catalog."""
    return [ChangedDay(row["folder"], row["changes"]) for row in tx.rows("changed_days")]


def recordings_below(tx: Tx, folder: str) -> list[tuple[str, str]]:
    """Return path (below the root) and SHA-256 of each recording in a folder, sorted by path."""
    found = tx.rows("recordings_below", first=f"{folder}/", last=f"{folder}0")
    return [(row["path"], row["sha256"]) for row in found]


def mark_day(tx: Tx, folder: str) -> None:
    """Note that a day's files must be written anew."""
    tx.run("mark_day", folder=folder)


def day_is_written(tx: Tx, day: ChangedDay) -> bool:
    """Note that a day's files are up to date, unless it changed again meanwhile."""
    return bool(tx.run("day_is_written", folder=day.folder, changes=day.changes))
