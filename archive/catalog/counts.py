"""Counts that are kept as rows change, so that nobody reads millions of rows to tell them.

Triggers keep them for whoever changes or removes a row. What is added in a file is counted here, a
chunk at a time: a trigger for each new row makes an import twice as slow. A server has triggers
for a whole statement. `archive.catalog.balance` counts every row as well, and tells where the two
differ.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from archive.call import State
from archive.catalog.balance import Balance, balance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archive.catalog.database import Tx


class Counting:
    """Counts what one chunk adds: its calls, and then its sightings.

    Where some of the calls were known, `before_sightings` is told before the sightings are added.
    """

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account
        self._on = not tx.counts_what_is_added
        self._last = tx.value("in_file_last_call") if self._on else 0
        self._known: str | None = None
        self._seen = 0

    def calls_added(self, new: int) -> None:
        """Count the calls that were added."""
        if self._on and new:
            self._tx.run("in_file_count_calls", after=self._last)

    def before_sightings(self, sids: Iterable[str]) -> None:
        """Look which calls of a chunk were seen before, where some are known; else none was."""
        if self._on:
            self._known = json.dumps(sorted(set(sids)))
            self._seen = self._look()

    def sightings_added(self, added: int) -> None:
        """Count the calls that a source has seen for the first time."""
        if not (self._on and added):
            return
        more = added if self._known is None else self._look() - self._seen
        if more:
            self._tx.run("in_file_count_seen", account=self._account, calls=more)

    def _look(self) -> int:
        return int(self._tx.value("seen_of", account=self._account, sids=self._known))


def quick_balance(tx: Tx, account: str | None = None) -> Balance:
    """Return the balance of all calls or of an account's by the counts: as quick for any number."""
    sums: dict[str, int] = {}
    states = dict.fromkeys(State, 0)
    reasons: dict[State, dict[str, int]] = {state: {} for state in State}
    for row in tx.rows("counted", account=account):
        if row["what"] == "calls":
            _add(states, reasons, State(row["state"]), row["reason"], row["amount"])
        else:
            sums[row["what"]] = row["amount"]
    for row in tx.rows("leased_now", account=account):
        # They are counted as expected, so that a claim need not count anything.
        _add(states, reasons, State.EXPECTED, row["reason"], -row["calls"])
        _add(states, reasons, State.LEASED, row["reason"], row["calls"])
    return Balance(
        known=sums.get("seen", 0),
        states=states,
        reasons=reasons,
        proved=sums.get("recorded", 0) - tx.value("recorded_in_part", account=account),
        recordings=sums.get("recordings", 0),
        bytes=sums.get("bytes", 0),
        flagged={row["flag"]: row["recordings"] for row in tx.rows("flagged_now", account=account)},
    )


def _add(
    states: dict[State, int],
    reasons: dict[State, dict[str, int]],
    state: State,
    reason: str,
    calls: int,
) -> None:
    states[state] += calls
    if reason:
        total = reasons[state].get(reason, 0) + calls
        reasons[state].pop(reason, None)
        if total:
            reasons[state][reason] = total


def audit(tx: Tx) -> list[str]:
    """Count every row; return what does not add up, and where the counts say something else."""
    counted, kept = balance(tx), quick_balance(tx)
    faults = counted.faults
    for name in ("known", "proved", "recordings", "bytes"):
        rows, count = getattr(counted, name), getattr(kept, name)
        if rows != count:
            faults.append(f"{name}: {rows} by the rows, but {count} by the counts")
    for state in State:
        if counted.states[state] != kept.states[state]:
            rows, count = counted.states[state], kept.states[state]
            faults.append(f"{state.value}: {rows} by the rows, but {count} by the counts")
        elif counted.reasons[state] != kept.reasons[state]:
            faults.append(f"{state.value}: the counts by reason are not those of the rows")
    return faults


def recount(tx: Tx) -> None:
    """Count every row, and keep that from here on."""
    tx.run("drop_counts")
    tx.run("count_all")


def add_up(tx: Tx) -> None:
    """Make one row of the many that a server keeps for each count."""
    if tx.counts_what_is_added:
        tx.run("add_counts_up")
