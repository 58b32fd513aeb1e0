"""Which day folders' files must be written anew, and what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from archive.call import State
from archive.catalog.rows import facts_of
from archive.clock import from_ms
from archive.manifest import Gone, Hint, Line, Seen, Told, file_of, folder_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archive.catalog.database import Row, Tx


class ChangedDay(msgspec.Struct, frozen=True):
    """A day folder (below the root), and how often it has changed since it was last written.

    ``own`` are the changes that others have seen to for their roots, and this root has yet to.
    """

    folder: str
    changes: int
    own: int = 0

    @property
    def is_behind(self) -> bool:
        """Tell whether it has changed at all."""
        return bool(self.changes or self.own)


def changed_days(tx: Tx) -> list[ChangedDay]:
    """Return the day folders whose files in this root are behind the catalog."""
    rows = tx.rows("changed_days_of", root=tx.root)
    return [ChangedDay(row["folder"], row["changes"], row["own"]) for row in rows]


def changes_of(tx: Tx, folder: str) -> ChangedDay:
    """Return how often a folder has changed since its files in this root were written."""
    row = tx.row("changes_of", folder=folder, root=tx.root)
    return ChangedDay(folder, row["changes"], row["own"])


def recordings_below(tx: Tx, folder: str) -> Iterator[tuple[str, str]]:
    """Yield path (below the root) and SHA-256 of each recording in a folder, sorted by path."""
    found = tx.stream("recordings_below", first=f"{folder}/", last=f"{folder}0", root=tx.root)
    return ((row["path"], row["sha256"]) for row in found)


def manifest_lines(tx: Tx, account: str, day: str) -> Iterator[Line]:
    """Yield what a manifest tells of each call of a day (empty: of calls of unknown day).

    Each root's tells of what is in it, and of all calls that have no recording: whichever roots are
    left, a catalog that is made of their manifests knows those calls.
    """
    folder = folder_of(account, day)
    for row in tx.stream("manifest", account=account, day=day, root=tx.root):
        yield _line(row, folder)


def mark_day(tx: Tx, folder: str) -> None:
    """Note that a day's files must be written anew."""
    tx.run("mark_day", folder=folder)


def mark_again(tx: Tx, folder: str) -> None:
    """Note that a day's files in this root, and in no other, must be written once more."""
    tx.run("mark_day_of_root", root=tx.root, folder=folder)


def mark_days_of(tx: Tx, account: str, days: Iterable[str]) -> None:
    """Note that calls of these days (``YYYY-MM-DD``, empty: unknown) are told of otherwise now."""
    for day in sorted(set(days)):
        mark_day(tx, folder_of(account, day))


def days_of_known(tx: Tx, account: str, sids: Iterable[str]) -> set[str]:
    """Return the days on which these calls stand."""
    rows = tx.rows("days_of_known", account=account, sids=json.dumps(list(sids)))
    return {row["day"] for row in rows}


def day_is_written(tx: Tx, day: ChangedDay) -> bool:
    """Note that a day's files in this root are up to date, unless it changed again meanwhile.

    What changed for all roots is taken by whoever comes first, and left to the others one by one.
    """
    mine = {"root": tx.root, "folder": day.folder}
    is_current = True
    if day.changes:
        is_current = bool(tx.run("day_is_written", folder=day.folder, changes=day.changes))
        if is_current:
            tx.run("leave_to_other_roots", **mine)
    if day.own:
        is_current = bool(tx.run("day_of_root_is_written", **mine, own=day.own)) and is_current
    return is_current


def is_owned(tx: Tx, folder: str) -> bool:
    """Tell whether a manifest that lies in a folder was written from this catalog."""
    return bool(tx.value("is_owned", root=tx.root, folder=folder))


def own_day(tx: Tx, folder: str) -> None:
    """Note that no manifest but this catalog's lies in a folder from now on."""
    tx.run("own_day", root=tx.root, folder=folder)


def _line(row: Row, folder: str) -> Line:
    state = State(row["state"])
    settled = row["settled_ms"]
    return Line(
        account=row["account"],
        sid=row["sid"],
        # Who holds a call is over with the catalog.
        state=State.EXPECTED if state is State.LEASED else state,
        reason=row["reason"],
        call=facts_of(row),
        sightings=[Seen(source, from_ms(ms)) for source, ms in json.loads(row["sightings"])],
        delete_by=from_ms(row["delete_by_ms"]),
        settled_at=None if settled is None else from_ms(settled),
        wanted=bool(row["wanted"]),
        recordings=[_told(values, folder) for values in json.loads(row["recordings"])],
        candidates=[
            Hint(object=name, url=url, source=source, at=from_ms(ms), same_as=same)
            for name, url, source, ms, same in json.loads(row["candidates"])
        ],
        purged=[
            Gone(
                object=name,
                file=file_of(folder, path),
                sha256=sha256,
                bytes=size,
                at=from_ms(ms),
                why=why,
            )
            for name, path, sha256, size, ms, why in json.loads(row["purged"])
        ],
    )


def _told(values: list[Any], folder: str) -> Told:
    object_name, path, sha256, size, kind, channels, rate, seconds, flag, archived_ms = values
    return Told(
        object=object_name,
        file=file_of(folder, path),
        sha256=sha256,
        bytes=size,
        format=kind,
        channels=channels,
        sample_rate=rate,
        seconds=None if seconds is None else float(seconds),
        flag=flag,
        archived_at=from_ms(archived_ms),
    )
