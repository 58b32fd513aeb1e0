"""How calls enter the catalog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from archive.catalog.candidates import add_candidates, recall_untold
from archive.catalog.counts import Counting
from archive.catalog.dayfiles import days_of_known, mark_days_of
from archive.catalog.rows import NEW_COLUMNS, prepare
from archive.clock import to_ms
from archive.entry import FOR_ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.call import CallFacts, Source
    from archive.catalog.database import Tx
    from archive.catalog.rows import NewCall
    from archive.entry import Entry
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
    entry: Entry = FOR_ALL,
) -> Intake:
    """Take calls into the catalog with the sighting of their source.

    A known call keeps what is known of it, its state included; only blanks are filled.
    """
    prepared = [prepare(facts, account, readiness, now, entry) for facts in calls]
    return add_prepared(tx, prepared, account=account, source=source, now=now)


def add_prepared(
    tx: Tx, calls: Iterable[NewCall], *, account: Account, source: Source, now: datetime
) -> Intake:
    """Take calls in that `archive.catalog.rows.prepare` made ready: see `add_calls`."""
    # Sorted by their Sid, since the rows that two of the trees keep apart by Sid then lie on pages
    # that are written once: with many rows that is half of the time.
    calls = sorted(calls, key=_sid)
    rows = [values for values, _ in calls]
    counting = Counting(tx, account.name)
    new = tx.run_many("add_call", rows)
    counting.calls_added(new)
    if new < len(rows):
        named = [dict(zip(NEW_COLUMNS, values, strict=True)) for values in rows]
        usual = [str(row["sid"]) for row in named if row["told_url"]]
        recall_untold(tx, usual, account=account, now=now)
        tx.run_many("fill_blanks", named)
        counting.before_sightings(str(values[1]) for values in rows)
    seen = to_ms(now)
    sightings = [(account.name, values[1], source.value, seen) for values in rows]
    added = tx.run_many("add_sighting", sightings)
    counting.sightings_added(added)
    if added:
        days = {str(values[2]) for values in rows}
        if new < len(rows):
            # What is known already may stand on another day than this source says.
            days |= days_of_known(tx, account.name, (str(values[1]) for values in rows))
        mark_days_of(tx, account.name, days)
    told = [(str(values[1]), urls) for values, urls in calls if urls]
    add_candidates(tx, told, account=account, source=source, now=now)
    return Intake(new=new, known=len(rows) - new)


def _sid(call: NewCall) -> str:
    return str(call[0][1])


def count_calls(tx: Tx, sids: Sequence[str], *, account: Account) -> Intake:
    """Count what taking in calls of these Sids would do, and do nothing."""
    different = sorted(set(sids))
    known = len(tx.rows("known_sids", account=account.name, sids=json.dumps(different)))
    new = len(different) - known
    return Intake(new=new, known=len(sids) - new)
