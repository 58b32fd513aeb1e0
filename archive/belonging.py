"""Whether a catalog and the archive belong together: the one place where commands open a catalog.

A catalog that is gone, or was begun anew, would say of a full archive that all is well. So nobody
who only looks makes one, and nobody makes one beside recordings: that is for ``callvault rebuild``,
or for who restores a backup.
"""

from __future__ import annotations

from enum import Enum, auto
from itertools import islice
from typing import TYPE_CHECKING, Final

from archive.catalog.balance import knows_calls
from archive.catalog.database import file_of, is_on_a_server, name_of, open_database
from archive.errors import LostCatalogError, NoCatalogError
from archive.layout import CHECKSUMS, SUFFIXES
from archive.timings import LOCK_S
from archive.tree import accounts_on_disk, days_on_disk, files_of, hours_on_disk

if TYPE_CHECKING:
    from pathlib import Path

    from archive.catalog.database import Database

_DAYS: Final = 20
"""So many days of each account are looked at: any that was archived has its lists or recordings."""
_NAMED: Final = 5
"""So many accounts are told by their names."""
_OURS: Final = tuple(f".{suffix}" for suffix in (*SUFFIXES, "json"))


class Wanted(Enum):
    """What a catalog is opened for: to look at what it knows, or to make calls known and work."""

    LOOK = auto()
    WORK = auto()


def open_catalog(
    where: str | Path,
    root: Path,
    wanted: Wanted,
    *,
    patience_s: float = LOCK_S,
    for_import: bool = False,
) -> Database:
    """Open the catalog of an archive; who works makes one where there is none and no recordings.

    Raises:
        LostCatalogError: there is none, or it knows of no call, and the root holds an archive.
        NoCatalogError: there is none yet, and who looks makes none.
        CatalogError: it cannot be opened, or is no catalog.
    """
    try:
        database = open_database(where, patience_s=patience_s, for_import=for_import, make=False)
    except NoCatalogError:
        if (lost := lost_beside(root, where, made=False)) is not None:
            raise lost from None
        if wanted is Wanted.LOOK:
            raise
        return open_database(where, patience_s=patience_s, for_import=for_import)
    try:
        lost = None if _knows_calls(database) else lost_beside(root, where, made=True)
    except BaseException:
        database.close()
        raise
    if lost is not None:
        database.close()
        raise lost
    return database


def _knows_calls(database: Database) -> bool:
    with database.read() as tx:
        return knows_calls(tx)


def lost_beside(root: Path, where: str | Path, *, made: bool) -> LostCatalogError | None:
    """Return what to say of a catalog that is not there, or is empty, if the root holds an archive.

    Reads a few folders; whoever may not read them finds none.
    """
    accounts = [name for name in _accounts(root) if _has_archive(root, name)]
    if not accounts:
        return None
    name = name_of(where)
    what = f"the catalog {name} knows no calls" if made else f"there is no catalog {name}"
    if not made and _is_empty_file(where):
        what = f"the catalog {name} is an empty file"
    of = "account" if len(accounts) == 1 else "accounts"
    named = ", ".join(accounts[:_NAMED])
    more = f" and {len(accounts) - _NAMED} more" if len(accounts) > _NAMED else ""
    return LostCatalogError(
        f"{what}, but {root} holds an archive of the {of} {named}{more}: the catalog is lost",
        hint="see that its disk is mounted; else restore a backup of it, or make a new one of the "
        "archive's files by: callvault rebuild (docs/how-to/restore.md)",
    )


def _is_empty_file(where: str | Path) -> bool:
    if is_on_a_server(where):
        return False
    try:
        return file_of(where).stat().st_size == 0
    except OSError:
        return False


def _accounts(root: Path) -> list[str]:
    try:
        return accounts_on_disk(root)
    except OSError:
        return []


def _has_archive(root: Path, account: str) -> bool:
    try:
        return any(_is_ours(root, day) for day in islice(days_on_disk(root, account), _DAYS))
    except OSError:
        return False


def _is_ours(root: Path, day: str) -> bool:
    """Tell whether a day has lists, recordings or sidecars; a folder of that name alone is none."""
    if any(name == CHECKSUMS or name.startswith("manifest.") for name in files_of(root, day)):
        return True
    return any(
        name.endswith(_OURS) for hour in hours_on_disk(root, day) for name in files_of(root, hour)
    )
