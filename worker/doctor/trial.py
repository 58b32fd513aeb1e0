"""Trying with a few small files what publishing a recording needs of a disk."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from archive.layout import PARTS
from archive.placing import rename_new
from worker.doctor.check import Found, failed, passed, warned

_SLOW_MS: Final = 50.0
_SMALL: Final = b"\0" * 4096
_LARGE: Final = b"\0" * 2**20
_FLUSHES: Final = 7


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a few small files in the archive's root showed.

    ``links`` and ``one_device`` say whether a file can be linked from the folder of parts into its
    place, and ``renames`` whether it can be renamed without overwriting, which also does; ``apart``
    whether names that differ in their case are two.
    """

    small_ms: float
    large_ms: float
    links: bool
    one_device: bool
    apart: bool
    renames: bool = False


def try_out(root: Path) -> Trial | None:
    """Try with a few small files what publishing needs; leave none behind. Blocks.

    Returns None where there is no root yet.
    """
    if not root.is_dir():
        return None
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=root) as made:
        folder = Path(made)
        small, large = _flushes(folder)
        (folder / "case").touch()
        (folder / "linked").touch()
        parts = root / PARTS
        begun = parts if parts.is_dir() else folder
        return Trial(
            small_ms=small,
            large_ms=large,
            links=_can_link(folder),
            one_device=begun.stat().st_dev == folder.stat().st_dev,
            apart=not (folder / "CASE").exists(),
            renames=_can_rename(folder),
        )


def try_flushes(folder: Path) -> tuple[float, float] | None:
    """Return how many milliseconds a flush takes in a folder; None if it is not there. Blocks."""
    if not folder.is_dir():
        return None
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as made:
        return _flushes(Path(made))


def _flushes(folder: Path) -> tuple[float, float]:
    """Return the milliseconds of a small and of a large write with its flush: medians."""
    small = median(_flush(folder / f"small{n}", _SMALL) for n in range(_FLUSHES))
    return small, median(_flush(folder / f"large{n}", _LARGE) for n in range(3))


def _flush(file: Path, content: bytes) -> float:
    began = time.perf_counter()
    with file.open("wb", buffering=0) as opened:
        opened.write(content)
        os.fsync(opened.fileno())
    return (time.perf_counter() - began) * 1000


def _can_link(folder: Path) -> bool:
    try:
        (folder / "again").hardlink_to(folder / "linked")
    except OSError:
        return False
    return (folder / "again").samefile(folder / "linked")


def _can_rename(folder: Path) -> bool:
    try:
        (folder / "before").touch()
        rename_new(folder / "before", folder / "after")
    except OSError:
        return False
    return (folder / "after").exists()


def judge_flush(small_ms: float, large_ms: float, where: str) -> Found:
    """Tell whether writes come to the disk quickly: every recording waits for some of them."""
    said = f"{where}: {small_ms:.1f} ms for 4 KiB, {large_ms:.1f} ms for 1 MiB"
    if max(small_ms, large_ms) > _SLOW_MS:
        return warned(
            f"{said}; more than {_SLOW_MS:.0f} ms holds up archiving",
            "see what else writes (iostat -x 5), and use a local SSD rather than network storage",
        )
    return passed(said)


def judge_links(trial: Trial) -> Found:
    """Tell whether recordings can be published: by a hard link, or else by a careful rename."""
    if not trial.one_device:
        return failed(
            f"{PARTS} is on another file system than the archive's root",
            f"make {PARTS} a plain folder of the root, no mount of its own",
        )
    if not trial.links and trial.renames:
        return passed("no hard links, but recordings can be renamed into their places")
    if not trial.links:
        return failed(
            "the file system of [archive] root has no hard links, nor a careful rename",
            "use one that has: ext4, XFS, btrfs, ZFS",
        )
    return passed("recordings can be linked into their places")


def judge_names(trial: Trial) -> Found:
    """Tell whether Sids that differ in their case alone can lie beside each other."""
    if not trial.apart:
        return warned(
            "the file system takes names that differ in their case for the same",
            "use one that tells them apart: ext4, XFS, btrfs, ZFS (without casefold)",
        )
    return passed("names that differ in their case are two files")
