"""How calls enter the catalog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from archive.catalog.candidates import add_candidates, recall_untold
from archive.catalog.dayfiles import days_of_known, mark_days_of
from archive.catalog.rows import new_columns
from archive.clock import to_ms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.call import CallFacts, Source
    from archive.catalog.database import Tx
    from archive.readiness import Readiness


class Intake(msgspec.Struct):
    """How many of the calls given were new, and how many were known already."""

    new: int = 0
    known: int = 0

    def add(self, other: Intake) -> None:
        """Add another count to this one."""
        self.new += other.new
        self.known += other.known


def add_calls(
    tx: Tx,
    calls: Sequence[CallFacts],
    *,
    account: Account,
    source: Source,
    readiness: Readiness,
    now: datetime,
) -> Intake:
    """Take calls into the catalog with the sighting of their source.

    A known call keeps what is known of it, its state included; only blanks are filled.
    """
    rows = [new_columns(facts, account, readiness, now) for facts in calls]
    new = tx.run_many("add_call", rows)
    told = [facts for facts in calls if facts.recording_urls]
    if new < len(rows):
        recall_untold(tx, told, account=account, now=now)
        tx.run_many("fill_blanks", rows)
    seen = to_ms(now)
    tx.run_many(
        "add_sighting",
        (
            {"account": account.name, "sid": facts.sid, "source": source.value, "seen_ms": seen}
            for facts in calls
        ),
    )
    add_candidates(tx, told, account=account, source=source, now=now)
    # What is known already may stand on another day than this source says.
    days = {str(row["day"]) for row in rows}
    if new < len(rows):
        days |= days_of_known(tx, account.name, (facts.sid for facts in calls))
    mark_days_of(tx, account.name, days)
    return Intake(new=new, known=len(rows) - new)


def count_calls(tx: Tx, calls: Sequence[CallFacts], *, account: Account) -> Intake:
    """Count what `add_calls` would do, and do nothing."""
    sids = {facts.sid for facts in calls}
    known = len(tx.rows("known_sids", account=account.name, sids=json.dumps(sorted(sids))))
    new = len(sids) - known
    return Intake(new=new, known=len(calls) - new)
