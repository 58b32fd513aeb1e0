"""Claiming calls for recordings that were downloaded by other means, and archiving those."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from archive.call import CallFacts, State
from archive.catalog import work
from archive.catalog.rows import facts_of
from archive.clock import from_ms
from archive.verdicts import Again

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.catalog.database import Tx
    from archive.proof import Proof


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a call stands: ``hashes`` are the SHA-256 of its archived recordings."""

    facts: CallFacts
    state: State
    delete_by: datetime
    hashes: frozenset[str]

    def may_be_fetched(self, now: datetime) -> bool:
        """Tell whether the provider may still have it; of a call of unknown date nobody knows."""
        return self.facts.began_at is None or self.delete_by > now


def standing(tx: Tx, account: str, sids: Iterable[str]) -> dict[str, Standing]:
    """Return where those of the calls stand that are known."""
    rows = tx.rows("standing", account=account, sids=json.dumps(sorted(set(sids))))
    return {
        row["sid"]: Standing(
            facts=facts_of(row),
            state=State(row["state"]),
            delete_by=from_ms(row["delete_by_ms"]),
            hashes=frozenset(json.loads(row["hashes"])),
        )
        for row in rows
    }


def claim(tx: Tx, account: str, sids: Iterable[str], *, lease: str) -> frozenset[str]:
    """Lease those of the calls that nobody holds and that have no recording; return their Sids."""
    sids = json.dumps(sorted(sids))
    if not tx.run("batch_has_claimed", lease=lease):
        return frozenset()
    rows = tx.rows("claim_for_adoption", account=account, lease=lease, sids=sids)
    return frozenset(row["sid"] for row in rows)


def archive(tx: Tx, proof: Proof, *, lease: str, account: str, detail: str, now: datetime) -> bool:
    """Write an adopted recording; return False where the lease has lapsed: nothing is changed.

    A call of which a source told of further recordings is still to be looked at for those.
    """
    waits = tx.value("has_open_candidate", account=account, sid=proof.sid)
    outcome = Again("another-recording", after=timedelta(0)) if waits else None
    find = work.Find(sid=proof.sid, proofs=(proof,), outcome=outcome, detail=detail)
    return bool(work.archive(tx, [find], lease=lease, account=account, now=now))
