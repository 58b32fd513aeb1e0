"""Claiming calls, settling them, giving them back. Each function is part of one transaction."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from archive.call import CallFacts, Source, State
from archive.catalog.candidates import Candidate, candidates_of, note_same
from archive.catalog.rows import facts_columns, facts_of, proof_of
from archive.clock import from_ms, to_ms
from archive.hours import is_open
from archive.verdicts import Absent, Again, Failed, Lost, Refresh

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Row, Tx
    from archive.hours import Backfill
    from archive.proof import Proof


class DueCall(msgspec.Struct, frozen=True):
    """A call that waits to be looked at. ``day`` is empty where its date is unknown."""

    sid: str
    day: str
    due_ms: int

    @property
    def month(self) -> str:
        """The month (``YYYY-MM``) whose calls it can be resolved together with."""
        return self.day[:7]


class ClaimedCall(msgspec.Struct, frozen=True):
    """A call that this batch holds, with what is known of it.

    ``looks`` counts former answers without a recording. Before the first answer of any kind,
    ``facts`` are what a source said; after it, what the provider said. ``found`` is what its last
    looks found, as many as have been counted since it became known or was last retried.
    ``wanted`` says that a person asked for it, so that no rule leaves it out.
    ``candidates`` are recordings that sources told of, ``kept`` those that it has already.
    ``listed_url`` is where the provider's listing said that its recording is.
    """

    facts: CallFacts
    delete_by: datetime
    tries: int
    refreshes: int
    late_looks: int
    looks: int = 0
    wanted: bool = False
    found: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    kept: tuple[Proof, ...] = ()
    listed_url: str = ""


class Excluded(msgspec.Struct, frozen=True, tag=True):
    """A rule leaves the call out; ``reason`` is its name."""

    reason: str


Outcome = Again | Refresh | Absent | Lost | Failed | Excluded
"""What follows for one call: the verdicts but a pause, which concerns all, and a rule's word."""


class Find(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch found of a call's recordings.

    ``same`` have the bytes of another one of them. ``outcome`` is what follows for those that could
    not be had, with the words of whoever said so; None where nothing is missing: it is archived.
    """

    sid: str
    proofs: tuple[Proof, ...] = ()
    same: tuple[Candidate, ...] = ()
    outcome: Outcome | None = None
    detail: str = ""


def due_by_deletion(tx: Tx, account: str, now: datetime, most: int) -> list[DueCall]:
    """Return due calls, the one the provider deletes first in front."""
    return _due(tx.rows("due_by_deletion", account=account, now_ms=to_ms(now), most=most))


def due_before(
    tx: Tx, account: str, now: datetime, deleted_before: datetime, most: int
) -> list[DueCall]:
    """Return those of the due calls whose recording is deleted by a moment, the first in front."""
    before = to_ms(deleted_before)
    rows = tx.rows(
        "due_before", account=account, now_ms=to_ms(now), deleted_before_ms=before, most=most
    )
    return _due(rows)


def held_by_hours(tx: Tx, account: Account, backfill: Backfill, now: datetime) -> int:
    """Count the calls that wait for the hours of a backfill: none while these are open.

    The same is decided for one call by `archive.hours.is_held`.
    """
    if is_open(backfill, account.zone, now):
        return 0
    return int(
        tx.value(
            "held_by_hours",
            account=account.name,
            began_before_ms=to_ms(now - backfill.older_than),
            deleted_after_ms=to_ms(now + backfill.urgent),
        )
    )


def due_lately(
    tx: Tx, account: Account, now: datetime, since: datetime, most: int
) -> list[DueCall]:
    """Return due calls that began after a moment, the newest in front.

    They are found by the day on which they are deleted, of each of the account's retentions.
    """
    found: list[DueCall] = []
    for days in sorted({account.retention_days, *(rule.days for rule in account.retention)}):
        kept = timedelta(days=days)
        rows = tx.rows(
            "due_lately",
            account=account.name,
            now_ms=to_ms(now),
            since_ms=to_ms(since),
            deleted_after_ms=to_ms(since + kept),
            deleted_before_ms=to_ms(now + kept),
            most=most,
        )
        found += _due(rows)
    return found


def _due(rows: Iterable[Row]) -> list[DueCall]:
    return [DueCall(row["sid"], row["day"], row["due_ms"]) for row in rows]


def begin_batch(tx: Tx, *, lease: str, process: str, job_id: str, now: datetime) -> None:
    """Note that a process has a batch in work, so that it can be rescued from its death."""
    tx.run("begin_batch", lease=lease, process=process, job_id=job_id, begun_ms=to_ms(now))


def jobs_in_work(tx: Tx, *, claimed_only: bool) -> frozenset[str]:
    """Return arq's ids of the batches in work, or only of those that have claimed their calls."""
    return frozenset(row["job_id"] for row in tx.rows("jobs", claimed=int(claimed_only)))


def claim(tx: Tx, *, account: str, sids: Sequence[str], lease: str) -> list[ClaimedCall]:
    """Lease those of the calls that are still expected, for a batch that has begun."""
    # First, since it holds the batch: one that was taken for dead meanwhile gets nothing.
    if not tx.run("batch_has_claimed", lease=lease):
        return []
    rows = tx.rows("claim", account=account, lease=lease, sids=json.dumps(list(sids)))
    claimed = [row["sid"] for row in rows]
    told = candidates_of(tx, account, claimed)
    kept: dict[str, tuple[Proof, ...]] = {}
    for row in tx.rows("kept_of", account=account, sids=json.dumps(claimed)):
        kept[row["sid"]] = (*kept.get(row["sid"], ()), proof_of(row))
    return [
        ClaimedCall(
            facts=facts_of(row),
            delete_by=from_ms(row["delete_by_ms"]),
            tries=row["tries"],
            refreshes=row["refreshes"],
            late_looks=row["late_looks"],
            looks=row["looks"],
            wanted=bool(row["wanted"]),
            found=_counted(row),
            candidates=told.get(row["sid"], ()),
            kept=kept.get(row["sid"], ()),
            listed_url=row["listed_url"],
        )
        for row in rows
    ]


def _counted(row: Row) -> tuple[str, ...]:
    # Those that cost nothing are not counted, so some that were may be left out: then the call is
    # only looked at once more. Those before a retry have no count left.
    most = row["tries"] + row["refreshes"] + row["late_looks"]
    return tuple(json.loads(row["found"])[-most:]) if most else ()


def learn(
    tx: Tx, calls: Iterable[CallFacts], *, lease: str, account: Account, now: datetime
) -> None:
    """Keep what the provider says of calls that this batch holds."""
    tx.run_many("learn", [{**facts_columns(call, account, now), "lease": lease} for call in calls])


def settle(
    tx: Tx,
    outcomes: Iterable[tuple[str, Outcome]],
    *,
    lease: str,
    account: str,
    now: datetime,
    detail: str = "",
) -> int:
    """Write what became of calls (Sid and outcome); return how many this lease still held.

    ``detail`` is kept with the look, in the words of whoever answered; never a secret.
    """
    rows = [
        {"lease": lease, "account": account, "sid": sid, **_settled(outcome, now)}
        for sid, outcome in outcomes
    ]
    tx.run_many("add_look", [{**row, "at_ms": to_ms(now), "detail": detail[:300]} for row in rows])
    return tx.run_many("settle", rows)


def archive(tx: Tx, finds: Iterable[Find], *, lease: str, account: str, now: datetime) -> list[str]:
    """Write what was found of calls' recordings; return the Sids of those whose lease still held.

    A late finisher, whose lease has lapsed and been given to somebody else, changes nothing.
    """
    held: list[str] = []
    for find in finds:
        settled = (
            _row(State.ARCHIVED, "", settled_ms=to_ms(now))
            if find.outcome is None
            else _settled(find.outcome, now)
        )
        row = {"lease": lease, "account": account, "sid": find.sid, **settled}
        tx.run_many("add_look", [{**row, "at_ms": to_ms(now), "detail": find.detail[:300]}])
        if not tx.run_many("settle", [row]):
            continue
        for proof in find.proofs:
            _add_recording(tx, proof, account=account, now=now)
        for one in find.same:
            note_same(tx, account, find.sid, one, source=Source.LISTING, now=now)
        held.append(find.sid)
    return held


def _add_recording(tx: Tx, proof: Proof, *, account: str, now: datetime) -> None:
    tx.run(
        "add_recording",
        account=account,
        sid=proof.sid,
        object_name=proof.object_name,
        path=proof.path,
        sha256=proof.sha256,
        bytes=proof.size,
        format=proof.format,
        channels=proof.channels,
        sample_rate=proof.sample_rate,
        seconds=proof.seconds,
        flag=proof.flag,
        archived_ms=to_ms(now),
        root=proof.root or tx.root,
    )
    tx.run("mark_day", folder=proof.day_folder)


def put_off(tx: Tx, *, lease: str, until: datetime) -> int:
    """Give back all that a batch holds, to be looked at later; no call pays for it."""
    return tx.run("put_off", lease=lease, due_ms=to_ms(until))


def end_batch(tx: Tx, *, lease: str) -> int:
    """Give back what a batch still holds and forget the batch; return how many that were."""
    # The batch first: who claims for it at this moment comes before, or comes too late.
    tx.run("end_batch", lease=lease)
    return tx.run("give_back", lease=lease)


def live_leases(tx: Tx) -> frozenset[str]:
    """Return the leases of all batches in work."""
    return frozenset(row["lease"] for row in tx.rows("live_leases"))


def leases_of(tx: Tx, process: str) -> frozenset[str]:
    """Return the leases of the batches that a process has in work."""
    return frozenset(row["lease"] for row in tx.rows("leases_of", process=process))


def is_in_work(tx: Tx, lease: str) -> bool:
    """Tell whether a batch is still its process's, and was not given to others meanwhile."""
    return bool(tx.value("is_in_work", lease=lease))


def _settled(outcome: Outcome, now: datetime) -> dict[str, object]:
    match outcome:
        case Again():
            return _row(
                State.EXPECTED,
                outcome.reason,
                due_ms=to_ms(now + outcome.after),
                tries=int(outcome.costs_try),
                looks=int(not outcome.costs_try),
                late_looks=int(outcome.late_look),
            )
        case Refresh():
            return _row(
                State.EXPECTED, outcome.reason, due_ms=to_ms(now + outcome.after), refreshes=1
            )
        case Excluded():
            return _row(State.EXCLUDED, outcome.reason, settled_ms=to_ms(now))
        case Absent():
            return _row(State.ABSENT, outcome.reason, settled_ms=to_ms(now), looks=1)
        case Lost():
            return _row(State.LOST, outcome.reason, settled_ms=to_ms(now))
        case Failed():
            return _row(State.FAILED, outcome.reason, settled_ms=to_ms(now))


def _row(
    state: State,
    reason: str,
    *,
    due_ms: int | None = None,
    settled_ms: int | None = None,
    tries: int = 0,
    refreshes: int = 0,
    looks: int = 0,
    late_looks: int = 0,
) -> dict[str, object]:
    return {
        "state": state.value,
        "reason": reason,
        "due_ms": due_ms,
        "settled_ms": settled_ms,
        "tries": tries,
        "refreshes": refreshes,
        "looks": looks,
        "late_looks": late_looks,
    }
