"""Files that processes which were killed have left: never a recording, a sidecar or a list.

Which names and ages make a leaving is decided by pure functions. These functions block.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from archive.layout import PARTS, QUARANTINE
from archive.tree import accounts_on_disk, days_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_AGE: Final = timedelta(days=1)
"""Younger ones may be another host's, whose processes cannot be asked for."""
_TEMPORARY: Final = re.compile(
    r"\.(?:SHA256SUMS|manifest\.jsonl|.+\.json)(?:\.[0-9a-f]{8})?\.(\d+)"
    r"|\..+\.[a-z-]+\.(\d+)\.\d+",
    re.ASCII,
)
_PROBE: Final = re.compile(r"probe\.(\d+)\.part", re.ASCII)
_REJECTED: Final = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?\.csv", re.ASCII)


def writer_of(name: str) -> int | None:
    """Return the process that was writing a file under this temporary name; None of others."""
    match = _TEMPORARY.fullmatch(name) or _PROBE.fullmatch(name)
    return int(next(group for group in match.groups() if group)) if match else None


def is_left(name: str, changed: datetime, now: datetime, lives: Callable[[int], bool]) -> bool:
    """Tell whether a file of this name was left by a process that is no more."""
    writer = writer_of(name)
    return writer is not None and now - changed > _AGE and not lives(writer)


def left_below(root: Path, now: datetime, lives: Callable[[int], bool]) -> Iterator[Path]:
    """Yield the temporary files below the archive's root that nobody writes any more."""
    folders = [root / PARTS]
    for account in accounts_on_disk(root):
        folders += [root / QUARANTINE / account, root / account]
    yield from _left_in(folders, now, lives)
    for account in accounts_on_disk(root):
        for day in days_on_disk(root, account):
            hours = [path for path in (root / day).iterdir() if path.is_dir()]
            yield from _left_in([root / day, *hours], now, lives)


def old_rejected(folder: Path, before: datetime) -> Iterator[Path]:
    """Yield files of rejected rows, under names of ours, that were written before a moment."""
    for path in _files(folder):
        if _REJECTED.fullmatch(path.name) and _changed(path) < before:
            yield path


def remove(files: Iterable[Path]) -> int:
    """Remove files; return how many are gone by it."""
    gone = 0
    for file in files:
        with suppress(OSError):  # another run was quicker, or the disk lets nothing be removed
            file.unlink()
            gone += 1
    return gone


def _left_in(
    folders: Iterable[Path], now: datetime, lives: Callable[[int], bool]
) -> Iterator[Path]:
    for folder in folders:
        for path in _files(folder):
            if is_left(path.name, _changed(path), now, lives):
                yield path


def _files(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(path for path in folder.iterdir() if path.is_file())
    return []


def _changed(path: Path) -> datetime:
    with suppress(FileNotFoundError):
        return datetime.fromtimestamp(path.stat(follow_symlinks=False).st_mtime, UTC)
    return datetime.max.replace(tzinfo=UTC)
