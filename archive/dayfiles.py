"""The files of a day folder: ``SHA256SUMS`` and ``manifest.jsonl``, written anew, never added to.

These functions block: call them in a thread. Readers see the old file or the new one, never a part.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Final

from archive.layout import CHECKSUMS, MANIFEST
from archive.placing import flush_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

_BUFFER: Final = 2**20
HERE: Final = hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:8]
"""This machine, in the names of temporary files: on shared storage others may have our numbers."""


def write_checksums(root: Path, folder: str, recordings: Iterable[tuple[str, str]]) -> None:
    """Write a day's ``SHA256SUMS`` so that ``sha256sum -c`` accepts it within the folder.

    Where there are no recordings there is no such file: sha256sum takes an empty one for an error.

    Args:
        root: the archive's root.
        folder: the day's folder below it.
        recordings: path below the root and SHA-256 of each.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    lines = (f"{sha256}  {path.removeprefix(folder + '/')}\n" for path, sha256 in recordings)
    encoded = (line.encode("ascii") for line in lines)
    target = root / folder / CHECKSUMS
    first = next(encoded, None)
    if first is not None:
        write_whole(target, chain([first], encoded))
    elif target.exists():
        target.unlink()
        flush_folder(target.parent)


def write_manifest(root: Path, folder: str, lines: Iterable[bytes]) -> None:
    """Write a folder's ``manifest.jsonl``; the folder is made if there is none yet.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    _make(root, root / folder)
    write_whole(root / folder / MANIFEST, lines)


def set_aside_manifest(root: Path, folder: str, now: datetime) -> str | None:
    """Give a manifest that another catalog wrote a name with the time; return it, None if none.

    It may know of calls that this catalog does not: nothing overwrites it.

    Raises:
        OSError: it cannot be renamed.
    """
    current = root / folder / MANIFEST
    if not current.exists():
        return None
    stem, _, suffix = MANIFEST.partition(".")
    aside = current.with_name(f"{stem}.{now:%Y%m%dT%H%M%S%fZ}.{suffix}")
    current.rename(aside)
    flush_folder(aside.parent)
    return aside.name


def _make(root: Path, folder: Path) -> None:
    """Make a folder with its parents, so that it lasts."""
    missing = [part for part in (folder, *folder.parents) if part != root and not part.exists()]
    if not missing or not folder.is_relative_to(root):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        flush_folder(made.parent)


def write_whole(target: Path, lines: Iterable[bytes]) -> None:
    """Write a file beside its place, flush it and rename it into it.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    _remove_leavings(target)
    temporary = target.with_name(f".{target.name}.{HERE}.{os.getpid()}")
    try:
        with temporary.open("wb", buffering=_BUFFER) as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    flush_folder(target.parent)


def _remove_leavings(target: Path) -> None:
    """Remove what processes that were killed in the middle of this file have left beside it.

    Those of other hosts cannot be asked for: theirs go when they are old.
    """
    for left in target.parent.glob(f".{target.name}.{HERE}.*"):
        pid = left.name.rpartition(".")[2]
        if pid.isdecimal() and not lives(int(pid)):
            with suppress(FileNotFoundError):
                left.unlink()


def lives(pid: int) -> bool:
    """Tell whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
