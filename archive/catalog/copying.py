"""Moving a catalog to another place: from a file to a server, back, or anywhere else.

All of it is one transaction of the target, checked before it is committed: it is moved whole, or
not at all. Nothing in the source is changed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import processes
from archive.catalog.counts import recount
from archive.errors import CatalogError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from archive.catalog.database import Database, Row, Tx

_FACTS: Final = (
    *("account", "sid", "state", "reason", "day", "due_ms", "delete_by_ms", "lease", "tries"),
    *("refreshes", "looks", "late_looks", "settled_ms", "created_ms", "began_ms", "ended_ms"),
    *("duration_s", "talk_s", "status", "leg2_status", "direction", "from_number", "to_number"),
    *("exophone", "told_url", "group_name", "listed_url", "wanted"),
)
TABLES: Final[dict[str, tuple[Sequence[str], str]]] = {
    "calls": (_FACTS, "account, sid"),
    "sightings": (("account", "sid", "source", "seen_ms"), "account, sid, source"),
    "recordings": (
        (
            *("account", "sid", "object_name", "path", "sha256", "bytes", "format", "channels"),
            *("sample_rate", "seconds", "archived_ms", "flag", "root"),
        ),
        "account, sid, object_name",
    ),
    # In the order in which they came, which tells of what is of the same moment.
    "candidates": (
        ("account", "sid", "object_name", "url", "source", "seen_ms", "same_as"),
        "account, sid, seen_ms, rowid",
    ),
    "looks": (
        ("account", "sid", "at_ms", "state", "reason", "detail"),
        "account, sid, at_ms, rowid",
    ),
    "purged": (
        (
            *("account", "sid", "object_name", "path", "sha256", "bytes", "purged_ms", "why"),
            *("removed_ms", "root"),
        ),
        "account, sid, object_name",
    ),
    "batches": (("lease", "process", "job_id", "begun_ms", "claimed"), "lease"),
    "processes": (
        (
            *("process", "host", "pid", "version", "started_ms", "beat_ms", "recordings", "bytes"),
            *("ended", "ahead_ms"),
        ),
        "process",
    ),
    "pauses": (
        ("scope", "reason", "detail", "fatal", "strikes", "since_ms", "probe_ms"),
        "scope",
    ),
    "troubles": (("host", "what", "detail", "since_ms", "seen_ms"), "host, what"),
    "owned_days": (("root", "folder"), "root, folder"),
    "roots": (("number", "mark"), "number"),
    "root_places": (("host", "path", "root", "seen_ms"), "host, path"),
    "days_of_roots": (("root", "folder", "changes"), "root, folder"),
    "watermarks": (("account", "walk", "until_ms", "moved_ms"), "account, walk"),
    "hearings": (("account", "source", "since_ms", "until_ms"), "account, source, since_ms"),
    "coverage": (("account", "since_ms", "until_ms"), "account, since_ms"),
    "tallies": (
        ("hour_ms", "host", "account", "name", "label", "amount"),
        "hour_ms, host, account, name, label",
    ),
    "runs": (("id", "host", "command", "began_ms", "ended_ms", "code", "note"), "id"),
}
"""Each table with its columns, and the order in which its rows are compared."""
_BOOKS: Final = ("calls", "sightings", "recordings", "purged")


class Moved(msgspec.Struct, frozen=True):
    """A table that was moved: its rows, and the SHA-256 over all of them, here and there."""

    table: str
    rows: int
    sha256: str


class _Sum:
    """Counts rows as they pass, and adds them to a checksum."""

    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.sha256()

    def over(self, rows: Iterable[Row]) -> Iterator[tuple[object, ...]]:
        """Pass rows on."""
        encoder = msgspec.json.Encoder()
        for row in rows:
            values = tuple(row)
            self.rows += 1
            self._digest.update(encoder.encode(values))
            self._digest.update(b"\n")
            yield values

    def moved(self, table: str) -> Moved:
        """Return what has passed."""
        return Moved(table, self.rows, self._digest.hexdigest())


def move(
    source: Database,
    target: Database,
    *,
    now: datetime,
    progress: Callable[[Moved], None] = lambda _: None,
) -> list[Moved]:
    """Copy all that a catalog knows to an empty one.

    Raises:
        InputError: workers are at work on the source, or the target has calls.
        CatalogError: one of them cannot be read or written, or a table did not arrive as it was.
    """
    with source.read() as old, target.write() as new:
        if hosts := processes.live_hosts(old, now):
            raise InputError(
                f"workers are at work on {source.name}: {', '.join(sorted(hosts))}",
                hint="stop them first: what they write meanwhile would be lost",
            )
        _check_empty(new, target)
        done = []
        for table, (columns, order) in TABLES.items():
            given, arrived = _Sum(), _Sum()
            new.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a word of ours
            new.fill(table, columns, given.over(old.table(table, columns, order)))
            for _ in arrived.over(new.table(table, columns, order)):
                pass
            moved = given.moved(table)
            if moved != arrived.moved(table):
                raise CatalogError(
                    f"the table {table} did not arrive at {target.name} as it was",
                    hint="nothing was kept there; report this",
                )
            done.append(moved)
            progress(moved)
        recount(new)
        _move_changes(old, new)
    return done


def _check_empty(tx: Tx, target: Database) -> None:
    for table in _BOOKS:
        columns, order = TABLES[table]
        rows = tx.table(table, columns[:1], order)
        found = next(rows, None)
        rows.close()
        if found is not None:
            raise InputError(
                f"the catalog {target.name} knows calls already",
                hint="name an empty one: a new file, or a new database",
            )


def _move_changes(old: Tx, new: Tx) -> None:
    """Mark the days whose files are behind, and no others: what came has marked its own."""
    for row in new.rows("changed_days"):
        new.run("day_is_written", folder=row["folder"], changes=row["changes"])
    for row in old.rows("changed_days"):
        new.run("mark_day", folder=row["folder"])
