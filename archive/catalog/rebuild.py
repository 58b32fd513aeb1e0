"""A new catalog from what manifests and files tell. Each function is part of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archive.call import UNSETTLED, Source, State
from archive.catalog.counts import recount
from archive.catalog.rows import facts_columns
from archive.clock import from_ms, to_ms
from archive.manifest import path_of
from archive.readiness import first_due

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from archive.accounts import Account
    from archive.call import CallFacts
    from archive.catalog.database import Row, Tx
    from archive.manifest import Line
    from archive.readiness import Readiness


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A recording as its row will be; ``path`` is below the root."""

    account: str
    sid: str
    object_name: str
    path: str
    sha256: str
    bytes: int
    format: str
    channels: int
    sample_rate: int
    seconds: float | None
    flag: str
    archived_at: datetime


def begin(tx: Tx) -> None:
    """Make room for what manifests tell of recordings, for as long as the connection lives."""
    tx.run("make_told")
    tx.run("index_told")


def tell(
    tx: Tx,
    lines: Iterable[Line],
    *,
    folder: str,
    day: str,
    account: Account,
    readiness: Readiness,
    now: datetime,
) -> int:
    """Take in the lines of a manifest; return how many calls were not known before."""
    lines = list(lines)
    new = tell_calls(
        tx, lines, folder=folder, day=day, account=account, readiness=readiness, now=now
    )
    tx.run_many(
        "tell_recording",
        (
            _recording_row(
                Recorded(
                    account=line.account,
                    sid=line.sid,
                    object_name=told.object,
                    path=path_of(folder, told.file),
                    sha256=told.sha256,
                    bytes=told.bytes,
                    format=told.format,
                    channels=told.channels,
                    sample_rate=told.sample_rate,
                    seconds=told.seconds,
                    flag=told.flag,
                    archived_at=told.archived_at,
                )
            )
            for line in lines
            for told in line.recordings
        ),
    )
    return new


def tell_calls(
    tx: Tx,
    lines: Iterable[Line],
    *,
    folder: str,
    day: str,
    account: Account,
    readiness: Readiness,
    now: datetime,
) -> int:
    """Take in what lines tell of calls but for their recordings, as `tell` does."""
    lines = list(lines)
    new = tx.run_many(
        "tell_call", (_call_row(line, day, account, readiness, now) for line in lines)
    )
    tx.run_many(
        "tell_sighting",
        (
            {"account": line.account, "sid": line.sid, "source": s.source, "seen_ms": to_ms(s.at)}
            for line in lines
            for s in line.sightings
        ),
    )
    tx.run_many(
        "tell_candidate",
        (
            {
                "account": line.account,
                "sid": line.sid,
                "object_name": hint.object,
                # A signed URL is never stored, whoever wrote it here.
                "url": hint.url.partition("?")[0],
                "source": hint.source,
                "seen_ms": to_ms(hint.at),
                "same_as": hint.same_as,
            }
            for line in lines
            for hint in line.candidates
        ),
    )
    tx.run_many(
        "tell_purged",
        (
            {
                "account": line.account,
                "sid": line.sid,
                "object_name": gone.object,
                "path": path_of(folder, gone.file),
                "sha256": gone.sha256,
                "bytes": gone.bytes,
                "purged_ms": to_ms(gone.at),
                "why": gone.why,
                "root": tx.root,
            }
            for line in lines
            for gone in line.purged
        ),
    )
    return new


def told_below(tx: Tx, folder: str) -> dict[str, Recorded]:
    """Return what manifests tell of the files of a folder, by path below the root."""
    rows = tx.rows("told_below", first=f"{folder}/", last=f"{folder}0")
    return {row["path"]: _recorded(row) for row in rows}


def is_known(tx: Tx, account: str, sid: str) -> bool:
    """Tell whether anything has told of a call so far."""
    return bool(tx.rows("told_state", account=account, sid=sid))


def is_purged(tx: Tx, account: str, sid: str) -> bool:
    """Tell whether a manifest says that a call's recordings were deleted."""
    return any(
        State(row["state"]) is State.PURGED
        for row in tx.rows("told_state", account=account, sid=sid)
    )


def has_told(tx: Tx, account: str, sid: str) -> bool:
    """Tell whether a manifest told of recordings of a call."""
    return bool(tx.value("has_told", account=account, sid=sid))


def take_in(
    tx: Tx, facts: CallFacts, *, account: Account, day: str | None, reason: str, now: datetime
) -> bool:
    """Make a call known that only its files tell of; return whether it was not known before.

    ``day`` is that of the folder, where the facts tell none.
    """
    columns = facts_columns(facts, account, now)
    row = {
        **columns,
        "day": columns["day"] or day or "",
        "state": State.EXPECTED.value,
        "reason": reason,
        "due_ms": to_ms(now),
        "settled_ms": None,
        "wanted": 0,
    }
    if not tx.run_many("tell_call", [row]):
        return False
    sighting = {"source": Source.REBUILD.value, "seen_ms": to_ms(now)}
    tx.run_many("tell_sighting", [{"account": account.name, "sid": facts.sid, **sighting}])
    return True


def prove(tx: Tx, recorded: Recorded) -> bool:
    """Note that a file is whole and a known call's; return False if it is a copy of another."""
    settled = to_ms(recorded.archived_at)
    tx.run(
        "prove_call",
        account=recorded.account,
        sid=recorded.sid,
        path=recorded.path,
        settled_ms=settled,
    )
    tx.run("judge_told", path=recorded.path, found="")
    return bool(tx.run("prove_recording", **_recording_row(recorded), root=tx.root))


def doubt(tx: Tx, path: str, reason: str) -> None:
    """Note that a file is not what a manifest tells of it."""
    tx.run("judge_told", path=path, found=reason)


def unproved(tx: Tx) -> Iterator[tuple[str, str]]:
    """Yield the files that manifests tell of and that are missing or wrong: path and reason."""
    return ((row["path"], row["found"]) for row in tx.stream("unproved"))


def conclude(tx: Tx, now: datetime) -> None:
    """Let calls be looked at again whose files are not there, and mark all days."""
    tx.run("expect_unproved", now_ms=to_ms(now))
    tx.run("expect_open", now_ms=to_ms(now))
    tx.run("forget_recordings_of_expected")
    tx.run("add_missing_sightings", source=Source.REBUILD.value, seen_ms=to_ms(now))
    tx.run("mark_all_days")
    recount(tx)


def _call_row(
    line: Line, day: str, account: Account, readiness: Readiness, now: datetime
) -> dict[str, object]:
    waits = line.state in UNSETTLED
    return {
        **facts_columns(line.call, account, now),
        "account": line.account,
        "state": State.EXPECTED.value if waits else line.state.value,
        "reason": line.reason,
        "wanted": int(line.wanted),
        # The folder's, as it was: a zone that was changed since moves nothing.
        "day": day,
        "due_ms": to_ms(first_due(line.call, now, readiness) if waits else now),
        "delete_by_ms": to_ms(line.delete_by),
        "settled_ms": None if waits or line.settled_at is None else to_ms(line.settled_at),
    }


def _recording_row(recorded: Recorded) -> dict[str, object]:
    row = msgspec.structs.asdict(recorded)
    row["archived_ms"] = to_ms(row.pop("archived_at"))
    return row


def _recorded(row: Row) -> Recorded:
    names = [field for field in Recorded.__struct_fields__ if field != "archived_at"]
    return Recorded(**{n: row[n] for n in names}, archived_at=from_ms(row["archived_ms"]))
