"""Walking the archive's folders: sorted, one folder at a time, so that memory stays small."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from archive.errors import StoreError
from archive.layout import CHECKSUMS, PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ACCOUNT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_LEVELS: Final = tuple(re.compile(form, re.ASCII) for form in (r"\d{4}", r"\d{2}", r"\d{2}"))
_HOUR: Final = re.compile(r"\d{2}", re.ASCII)


def check_root(root: Path) -> None:
    """Check that the archive is there.

    Raises:
        StoreError: the root is no archive: there is no such folder, or its disk is not mounted.
    """
    try:
        # Every archive has this folder; an empty mount point has not.
        there = (root / PARTS).is_dir()
    except OSError as error:
        raise StoreError(f"looking into the archive's root {root}: {error.strerror}") from error
    if not there:
        raise StoreError(
            f"there is no archive in {root}: it has no {PARTS} folder",
            hint="check [archive] root, and that its disk is mounted",
        )


def accounts_on_disk(root: Path) -> list[str]:
    """Return the names of the accounts that have a folder."""
    return [path.name for path in _folders(root) if _ACCOUNT.fullmatch(path.name)]


def days_on_disk(root: Path, account: str) -> Iterator[str]:
    """Yield the day folders of an account, below the root."""
    for year in _folders(root / account, _LEVELS[0]):
        for month in _folders(year, _LEVELS[1]):
            for day in _folders(month, _LEVELS[2]):
                yield f"{account}/{year.name}/{month.name}/{day.name}"


def hours_on_disk(root: Path, day: str) -> list[str]:
    """Return the hour folders of a day folder, below the root."""
    return [f"{day}/{path.name}" for path in _folders(root / day, _HOUR)]


def files_of(root: Path, folder: str) -> dict[str, int]:
    """Return name and length in bytes of each file in a folder; none where there is no folder.

    Temporary files of ours, which begin with a dot, are left out.
    """
    found: dict[str, int] = {}
    with suppress(FileNotFoundError, NotADirectoryError):
        for entry in (root / folder).iterdir():
            with suppress(FileNotFoundError):
                if not entry.name.startswith(".") and entry.is_file():
                    found[entry.name] = entry.stat().st_size
    return dict(sorted(found.items()))


def strays(root: Path, account: str, day: str | None = None) -> Iterator[str]:
    """Yield the files that lie where no recording and no list belongs, below the root.

    With ``day`` (a day folder below the root) only those in it. Hour folders' own files are not
    looked at here.
    """
    start = day or account
    yield from _strays(root, start, depth=len(start.split("/")) - 1)


def _strays(root: Path, folder: str, depth: int) -> Iterator[str]:
    """Go down to the hours: ``depth`` is 0 for an account and 3 for a day."""
    try:
        entries = sorted((root / folder).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if not entry.is_dir():
            if not entry.name.startswith(".") and not _is_list(entry.name, depth):
                yield path
        elif depth < len(_LEVELS) and _LEVELS[depth].fullmatch(entry.name):
            yield from _strays(root, path, depth + 1)
        elif depth == len(_LEVELS) and _HOUR.fullmatch(entry.name):
            yield from _below(root, [sub for sub in entry.iterdir() if sub.is_dir()])
        else:
            yield from _below(root, [entry])


def _below(root: Path, folders: list[Path]) -> Iterator[str]:
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                yield str(file.relative_to(root))


def _is_list(name: str, depth: int) -> bool:
    if depth == len(_LEVELS) and name == CHECKSUMS:
        return True
    return depth in {0, len(_LEVELS)} and name.startswith("manifest.") and name.endswith(".jsonl")


def _folders(parent: Path, form: re.Pattern[str] | None = None) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(
            path
            for path in parent.iterdir()
            if (form is None or form.fullmatch(path.name)) and path.is_dir()
        )
    return []


def free_bytes(root: Path) -> int:
    """Return the free bytes of the disk that the recordings are on, or will be.

    Raises:
        OSError: the disk does not tell.
    """
    while not root.exists() and root != root.parent:
        root = root.parent
    return shutil.disk_usage(root).free
