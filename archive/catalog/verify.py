"""What verify asks of the catalog. Its findings are in a temporary table of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import UNSETTLED, State
from archive.catalog.rows import facts_of
from archive.clock import from_ms, to_ms
from archive.layout import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from archive.call import CallFacts
    from archive.catalog.database import Row, Tx

_PAGE: Final = 500


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A recording as the catalog has it; ``path`` is below the root, ``bytes`` its length."""

    account: str
    sid: str
    object_name: str
    path: str
    sha256: str
    bytes: int
    flag: str
    archived_at: datetime


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it should be, or that is told though it is no ``fault``.

    ``kind`` is a word of ``docs/commands.md``. ``sha256`` is that of what should be there, of a
    file too many its own. ``outcome`` says what a repair came to.
    """

    kind: str
    path: str
    account: str = ""
    sid: str = ""
    sha256: str = ""
    detail: str = ""
    fault: bool = True
    outcome: str = ""
    id: int = 0


def begin(tx: Tx) -> None:
    """Make room for findings, for as long as the connection lives."""
    tx.run("make_findings")
    tx.run("index_findings")
    tx.run("index_findings_of_call")


def add(tx: Tx, finding: Finding) -> None:
    """Note a finding."""
    row = msgspec.structs.asdict(finding)
    del row["id"], row["outcome"]
    tx.run("add_finding", **row)


def drop(tx: Tx, finding: Finding) -> None:
    """Forget a finding that was none at a second look."""
    tx.run("drop_finding", id=finding.id)


def change(tx: Tx, finding: Finding) -> None:
    """Note what a second look made of a finding."""
    row = msgspec.structs.asdict(finding)
    tx.run(
        "change_finding", **{n: row[n] for n in ("id", "kind", "sid", "sha256", "detail", "fault")}
    )


def conclude(tx: Tx, finding: Finding, outcome: str) -> None:
    """Note what a repair came to."""
    tx.run("conclude_finding", id=finding.id, outcome=outcome)


def page_after(tx: Tx, last: int) -> list[Finding]:
    """Return some findings behind one, by id."""
    return [_finding(row) for row in tx.rows("findings_after", id=last, most=_PAGE)]


def misplaced(tx: Tx, sha256: str) -> Finding | None:
    """Return a file in a wrong place that has these bytes and was not moved yet."""
    return next((_finding(row) for row in tx.rows("misplaced", sha256=sha256)), None)


def wanted(tx: Tx, sha256: str) -> Finding | None:
    """Return a finding of a place that these bytes belong to and are not in."""
    return next((_finding(row) for row in tx.rows("wanted", sha256=sha256)), None)


def is_found(tx: Tx, kind: str, account: str, sid: str) -> bool:
    """Tell whether there is a finding of a kind of a call."""
    return bool(tx.value("is_found", kind=kind, account=account, sid=sid))


def counts(tx: Tx) -> list[tuple[str, bool, str, int]]:
    """Count the findings by kind, whether it is a fault, and outcome."""
    return [
        (row["kind"], bool(row["fault"]), row["outcome"], row["findings"])
        for row in tx.rows("count_findings")
    ]


def kept_in(tx: Tx, folder: str) -> list[Kept]:
    """Return the recordings whose files lie in a folder, sorted by path."""
    return [
        _kept(row)
        for row in tx.rows("kept_in", first=f"{folder}/", last=f"{folder}0", root=tx.root)
    ]


def kept_at(tx: Tx, path: str) -> Kept | None:
    """Return the recording whose file has this path."""
    return next((_kept(row) for row in tx.rows("kept_at", path=path, root=tx.root)), None)


def days_of_recordings(tx: Tx, account: str) -> Iterator[str]:
    """Yield the day folders in which recordings of an account lie."""
    after = f"{account}/"
    while rows := tx.rows("next_path", after=after, last=f"{account}0"):
        day = "/".join(rows[0]["path"].split("/")[:4])
        yield day
        after = f"{day}0"


def days_of_calls(tx: Tx, account: str) -> list[str]:
    """Return the days (``YYYY-MM-DD``, empty: unknown) on which calls of an account stand."""
    return [row["day"] for row in tx.rows("days_of_calls", account=account)]


def amount(tx: Tx, folder: str) -> tuple[int, int]:
    """Return how many of this root's recordings lie below a folder, and their bytes."""
    row = tx.row("amount", first=f"{folder}/", last=f"{folder}0", root=tx.root)
    return row["recordings"], row["bytes"]


def elsewhere(tx: Tx, folder: str) -> tuple[int, int]:
    """Return how many recordings of a folder lie in other roots, and their bytes."""
    row = tx.row("elsewhere", first=f"{folder}/", last=f"{folder}0", root=tx.root)
    return row["recordings"], row["bytes"]


def lies_elsewhere(tx: Tx, account: str, sid: str, sha256: str) -> bool:
    """Tell whether a call's recording with these bytes lies in another root."""
    mine = {"account": account, "sid": sid, "sha256": sha256}
    return bool(tx.value("lies_elsewhere", **mine, root=tx.root))


def is_unsettled(tx: Tx, account: str, sid: str) -> bool:
    """Tell whether a call is known and still waits for an answer."""
    return any(
        State(r["state"]) in UNSETTLED for r in tx.rows("state_of", account=account, sid=sid)
    )


def is_known(tx: Tx, account: str, sid: str) -> bool:
    """Tell whether a call is known."""
    return bool(tx.rows("state_of", account=account, sid=sid))


def is_to_be_removed(tx: Tx, path: str) -> bool:
    """Tell whether a file is that of a deleted recording, or its sidecar, and about to go."""
    stem = path.rpartition(".")[0]
    return any(
        bool(tx.value("is_to_be_removed", path=f"{stem}.{suffix}", root=tx.root))
        for suffix in SUFFIXES
    )


def was_removed(tx: Tx, account: str, sid: str, path: str) -> bool:
    """Tell whether a file is that of a deleted recording and was removed before."""
    return bool(tx.value("was_removed", account=account, sid=sid, path=path))


def twin(tx: Tx, account: str, sid: str, sha256: str) -> str | None:
    """Return the path of a call's recording with these bytes."""
    rows = tx.rows("twin", account=account, sid=sid, sha256=sha256, root=tx.root)
    return rows[0]["path"] if rows else None


def may_be_fetched(tx: Tx, account: str, sid: str, now: datetime) -> bool:
    """Tell whether an archived call's recording may still be with the provider."""
    rows = tx.rows("may_be_fetched", account=account, sid=sid, now_ms=to_ms(now))
    return bool(rows and rows[0]["may"])


def facts(tx: Tx, account: str, sid: str) -> CallFacts | None:
    """Return what is known of a call."""
    return next((facts_of(row) for row in tx.rows("call", account=account, sid=sid)), None)


def put_in_line(tx: Tx, finding: Finding, *, reason: str, now: datetime) -> bool:
    """Let a call be looked at again whose file was found to be wrong; return whether it is.

    It is not where its recording has been replaced meanwhile.
    """
    mine = {"account": finding.account, "sid": finding.sid}
    ms = to_ms(now)
    tx.rows("hold_call", **mine)
    if not tx.run(
        "put_in_line", **mine, path=finding.path, sha256=finding.sha256, reason=reason, now_ms=ms
    ):
        return False
    tx.run("forget_recordings", **mine, path=finding.path, root=tx.root)
    tx.run("note_look", **mine, at_ms=ms, reason=reason, detail="found by verify")
    return True


def flag(tx: Tx, finding: Finding) -> bool:
    """Flag a recording with the damage that was found in it; return whether it is still the one."""
    return bool(
        tx.run("flag_recording", path=finding.path, sha256=finding.sha256, flag=finding.detail)
    )


def _kept(row: Row) -> Kept:
    names = [name for name in Kept.__struct_fields__ if name != "archived_at"]
    return Kept(**{name: row[name] for name in names}, archived_at=from_ms(row["archived_ms"]))


def _finding(row: Row) -> Finding:
    told = {name: row[name] for name in Finding.__struct_fields__}
    return Finding(**{**told, "fault": bool(row["fault"])})
