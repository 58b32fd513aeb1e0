"""A copy of the catalog while others write to it: whole, checked and on disk, or not there at all.

The copy is made in one step of SQLite's online backup, which is one read transaction: writers go
on meanwhile, and nothing they do begins it anew. These functions block.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog.sqlite import SqliteDatabase
from archive.dayfiles import lives
from archive.errors import CatalogError, InputError, StoreError
from archive.placing import flush_folder

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_ONLY_OWNER: Final = 0o600
_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
_ODD: Final = re.compile(r"[^A-Za-z0-9.]")
_LONGEST: Final = 64
_DIGITS: Final = 8
_SPARE: Final = 16 * 2**20
"""Room beyond the catalog's size: what is written to it until the copy begins."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was made, and former ones that were removed after it."""

    file: str
    bytes: int
    removed: list[str]


def owner_of(catalog: Path, host: str) -> str:
    """Return what the names of a catalog's backups begin with: itself, its host, its place.

    Several hosts, and several catalogs of one, may have their backups in the same folder.
    """
    place = hashlib.sha256(os.fsencode(catalog.resolve())).hexdigest()[:_DIGITS]
    return f"{catalog.stem}-{_ODD.sub('_', host)[:_LONGEST]}-{place}"


def name_of(catalog: Path, host: str, now: datetime) -> str:
    """Return the name of a backup: whose it is, with the time in UTC."""
    return f"{owner_of(catalog, host)}-{now:%Y%m%dT%H%M%SZ}.db"


def is_backup_of(catalog: Path, host: str, name: str) -> bool:
    """Tell whether a file's name is one that `name_of` gave a backup of this catalog."""
    form = rf"{re.escape(owner_of(catalog, host))}-\d{{8}}T\d{{6}}Z\.db"
    return re.fullmatch(form, name, re.ASCII) is not None


def make_backup(
    catalog: Path, target: Path, *, host: str, now: datetime, keep: int | None = None
) -> Copied:
    """Copy the catalog of a host to a new file, or to a new file in a folder.

    ``keep`` is how many backups of ours stay in the folder, the new one among them.

    Raises:
        InputError: the file exists, its folder does not, or files are to be kept of which no name
            tells that they are backups.
        StoreError: there is no room, or the disk refuses.
        CatalogError: the catalog cannot be read, or the copy is damaged.
    """
    folder = target if target.is_dir() else target.parent
    if keep is not None and folder != target:
        raise InputError(
            "--keep is for a folder, where backups have names of ours", hint="name a folder"
        )
    file = folder / name_of(catalog, host, now) if folder == target else target
    _check_target(file)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        _remove_leavings(folder, owner_of(catalog, host) if folder == target else f"{file.name}.")
        _check_room(catalog, folder)
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _ONLY_OWNER))
        _copy(catalog, fresh)
        _flush(fresh)
        _check_target(file)
        fresh.rename(file)
        flush_folder(folder)
        size = file.stat().st_size
        removed = [] if keep is None else _remove_oldest(catalog, host, folder, keep)
    except OSError as error:
        raise StoreError(
            f"writing the backup {file}: {error.strerror}",
            hint="check that its folder can be written to and has room",
        ) from error
    finally:
        _remove(fresh)
    return Copied(file=str(file), bytes=size, removed=removed)


def _check_target(file: Path) -> None:
    if os.path.lexists(file):
        raise InputError(f"{file} exists already", hint="name another file, or a folder")
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent}", hint="make it, or name another")


def _check_room(catalog: Path, folder: Path) -> None:
    files = (catalog.with_name(catalog.name + suffix) for suffix in ("", "-wal"))
    needed = sum(file.stat().st_size for file in files if file.exists()) + _SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"a backup needs {needed:,} bytes in {folder}, and there are {free:,}",
            hint="make room, or name a folder on another disk",
        )


def _copy(catalog: Path, fresh: Path) -> None:
    source = SqliteDatabase(catalog, make=False)
    try:
        with (
            closing(sqlite3.connect(fresh, isolation_level=None)) as copy,
            source.bare("copying") as connection,
        ):
            # Flushed once at the end: what a power cut leaves before that is no backup yet.
            copy.execute("PRAGMA synchronous = OFF")
            connection.backup(copy, pages=-1)
            # One file that can be moved and read anywhere, with no other beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise CatalogError(
                f"the copy of the catalog {catalog} is damaged: {found}",
                hint="look whether the catalog itself is: callvault catalog check",
            )
    finally:
        source.close()


def _remove_oldest(catalog: Path, host: str, folder: Path, keep: int) -> list[str]:
    """Remove all but the newest backups of this catalog; other files are none of our business."""
    ours = sorted(
        path.name
        for path in folder.iterdir()
        if is_backup_of(catalog, host, path.name) and path.is_file() and not path.is_symlink()
    )
    old = ours[: max(0, len(ours) - max(keep, 1))]
    for name in old:
        (folder / name).unlink()
    return old


def _remove_leavings(folder: Path, begin: str) -> None:
    """Remove what a process of this host that was killed has left of such a backup."""
    for left in folder.iterdir():
        if not left.name.startswith(f".{begin}"):
            continue
        pid = left.name.rpartition(".")[2].partition("-")[0]
        if pid.isdecimal() and not lives(int(pid)):
            with suppress(OSError):
                left.unlink()


def _remove(fresh: Path) -> None:
    for suffix in _COMPANIONS:
        with suppress(OSError):
            fresh.with_name(fresh.name + suffix).unlink()


def _flush(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
