"""Which root a recording's file lies in, and where roots are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from archive.clock import from_ms, to_ms
from archive.errors import StoreError
from archive.roots import Root, missing_at, which_root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from archive.catalog.database import Tx
    from archive.roots import RootFiles

_NEWEST: Final = 20


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a root is, or was when it was last used there."""

    host: str
    path: str
    seen_at: datetime


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A root with what the catalog has in it."""

    number: int
    mark: str
    recordings: int
    bytes: int
    places: tuple[Place, ...] = ()


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """A recording's file: its root's number, and its path below that."""

    account: str
    sid: str
    object_name: str
    path: str
    sha256: str
    bytes: int
    root: int


def find_root(tx: Tx, files: RootFiles, *, host: str, shared: bool) -> int | None:
    """Return the number of the root at a path of this host, None for one that is new.

    Raises:
        StoreError: it is none that the catalog knows, and should be one.
    """
    found = _find(tx, files, host=host, shared=shared)
    return None if found is None else found.number


def register(
    tx: Tx, files: RootFiles, *, host: str, shared: bool, fresh_mark: str, now: datetime
) -> int:
    """Return the number of the root at a path of this host; a new one gets the next.

    It is given its mark, and where it is is noted.

    Raises:
        StoreError: it is none that the catalog knows, and should be one; or it is not there.
    """
    # One at a time, or two hosts that see the same new root would give it two marks.
    tx.run("hold_roots")
    root = _find(tx, files, host=host, shared=shared)
    if root is not None and root.has_recordings:
        files.check_begun()
    mark = files.mark()
    if root is None:
        mark = mark or fresh_mark
        number = int(tx.rows("add_root", mark=mark)[0]["number"])
        tx.run("mark_all_days_of_root", root=number)
    else:
        # A root that has nothing takes the mark of the folder that it is now.
        mark = root.mark if root.mark and not mark else mark or fresh_mark
        number = root.number
        tx.run("mark_root", number=number, mark=mark)
    if files.mark() != mark:
        files.give(mark)
    tx.run("note_place", host=host, path=str(files.path), root=number, seen_ms=to_ms(now))
    return number


def missing(tx: Tx, files: RootFiles, *, host: str) -> str:
    """Return why a host's root, with recordings that the catalog knows, is not in its place.

    It is empty where it is there, or where there is none to be missed; see `missing_at`. Reads the
    mark, and looks for a few recordings where there is none.
    """
    try:
        mark = files.mark()
    except StoreError as error:
        mark, unread = "unread", error.message
    else:
        unread = ""
    holds = partial(_holds, tx, files)
    found = missing_at(_known(tx), mark=mark, host=host, path=str(files.path), holds=holds)
    return (unread or found) if found else ""


def _holds(tx: Tx, files: RootFiles, root: Root) -> bool:
    rows = tx.rows("newest_of_root", root=root.number, most=_NEWEST)
    return files.holds_any(row["path"] for row in rows)


def _find(tx: Tx, files: RootFiles, *, host: str, shared: bool) -> Root | None:
    return which_root(
        _known(tx),
        mark=files.mark(),
        host=host,
        path=str(files.path),
        shared=shared,
        holds=partial(_holds, tx, files),
    )


def _known(tx: Tx) -> list[Root]:
    places: dict[int, list[tuple[str, str]]] = {}
    for row in tx.rows("places_of_roots"):
        places.setdefault(row["root"], []).append((row["host"], row["path"]))
    return [
        Root(
            number=row["number"],
            mark=row["mark"],
            places=tuple(places.get(row["number"], ())),
            has_recordings=bool(tx.value("some_of_root", root=row["number"])),
        )
        for row in tx.rows("all_roots")
    ]


def has_recordings(tx: Tx, root: int) -> bool:
    """Tell whether the catalog has a recording in a root."""
    return bool(tx.value("some_of_root", root=root))


def held(tx: Tx) -> list[Held]:
    """Return all roots with what is in them, and where they are."""
    amounts = {row["root"]: row for row in tx.rows("amounts_of_roots")}
    where = places(tx)
    return [
        Held(
            number=row["number"],
            mark=row["mark"],
            recordings=amounts[row["number"]]["recordings"] if row["number"] in amounts else 0,
            bytes=amounts[row["number"]]["bytes"] if row["number"] in amounts else 0,
            places=where.get(row["number"], ()),
        )
        for row in tx.rows("all_roots")
    ]


def places(tx: Tx) -> dict[int, tuple[Place, ...]]:
    """Return where each root is."""
    found: dict[int, tuple[Place, ...]] = {}
    for row in tx.rows("places_of_roots"):
        place = Place(host=row["host"], path=row["path"], seen_at=from_ms(row["seen_ms"]))
        found[row["root"]] = (*found.get(row["root"], ()), place)
    return found


def locate(tx: Tx, sid: str) -> list[Located]:
    """Return the recordings of a Sid, of whichever account."""
    return [
        Located(**{name: row[name] for name in Located.__struct_fields__})
        for row in tx.rows("located", sid=sid)
    ]


def page_of(tx: Tx, root: int, after: str, most: int) -> list[tuple[str, int]]:
    """Return paths and lengths of a root's recordings, behind a path."""
    rows = tx.rows("recordings_of_root", root=root, after=after, most=most)
    return [(row["path"], row["bytes"]) for row in rows]


def move(tx: Tx, paths: Sequence[str], *, old: int, new: int) -> int:
    """Note that recordings lie in another root; return how many that are."""
    return tx.run_many("move_to_root", [{"path": p, "old": old, "new": new} for p in paths])


def move_purged(tx: Tx, *, old: int, new: int) -> int:
    """Note that files that are to be removed lie in another root; return how many those are."""
    return tx.run("move_purged_to_root", old=old, new=new)
