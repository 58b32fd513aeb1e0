"""The balance: what is known against what became of it. It can fail, and then says so."""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003 - msgspec reads the types of its fields
from typing import TYPE_CHECKING, TypeVar

import msgspec

from archive.call import UNSETTLED, State
from archive.clock import from_ms, to_ms
from archive.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archive.catalog.database import Tx

K = TypeVar("K")


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of calls, each from its own source.

    ``known`` is counted from the sightings, ``states`` from the calls, ``proved`` (calls with a
    recording), ``recordings``, ``bytes`` and ``flagged`` (by flag) from the recordings.
    """

    known: int
    states: dict[State, int]
    reasons: dict[State, dict[str, int]]
    proved: int
    recordings: int
    bytes: int
    flagged: dict[str, int]

    @property
    def unsettled(self) -> int:
        """How many calls still wait for an answer."""
        return sum(self.states[state] for state in UNSETTLED)

    @property
    def faults(self) -> list[str]:
        """What does not add up; empty when the books balance."""
        found = []
        total = sum(self.states.values())
        if total != self.known:
            found.append(f"{self.known} calls were seen by sources, but {total} have a state")
        if self.proved != self.states[State.ARCHIVED]:
            archived = self.states[State.ARCHIVED]
            found.append(f"{archived} calls are archived, but {self.proved} have a recording")
        return found


def balance(tx: Tx, *, account: str | None = None, day: str | None = None) -> Balance:
    """Count all calls, or those of one account, or of one day (``YYYY-MM-DD``, its zone)."""
    if day:
        names = accounts_with_calls(tx) if account is None else [account]
        return _add_up([day_balance(tx, name, day) for name in names])
    states = dict.fromkeys(State, 0)
    reasons: dict[State, dict[str, int]] = {state: {} for state in State}
    for row in tx.rows("states", account=account, day=day):
        state = State(row["state"])
        states[state] += row["calls"]
        if row["reason"]:
            reasons[state][row["reason"]] = row["calls"]
    if day is None:
        known = tx.value("known", account=account)
    else:
        known = tx.value("known_on", account=account, day=day)
    recorded = tx.row("recorded", account=account, day=day)
    return Balance(
        known=known,
        states=states,
        reasons=reasons,
        proved=recorded["calls"],
        recordings=recorded["recordings"],
        bytes=recorded["bytes"],
        flagged={
            row["flag"]: row["recordings"] for row in tx.rows("flagged", account=account, day=day)
        },
    )


def _add_up(parts: list[Balance]) -> Balance:
    return Balance(
        known=sum(part.known for part in parts),
        states=dict.fromkeys(State, 0) | _sum(part.states for part in parts),
        reasons={state: _sum(part.reasons[state] for part in parts) for state in State},
        proved=sum(part.proved for part in parts),
        recordings=sum(part.recordings for part in parts),
        bytes=sum(part.bytes for part in parts),
        flagged=_sum(part.flagged for part in parts),
    )


def _sum(counted: Iterable[Mapping[K, int]]) -> dict[K, int]:
    total: dict[K, int] = {}
    for one in counted:
        for key, count in one.items():
            total[key] = total.get(key, 0) + count
    return total


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The recordings of an account's day: how many, by flag, and when the first and last came."""

    recordings: int
    bytes: int
    flagged: dict[str, int]
    came: tuple[datetime, datetime] | None


def recorded_on(tx: Tx, account: str, day: str) -> Recorded:
    """Count the recordings of one account's day."""
    rows = tx.rows("day_recordings", account=account, day=day)
    return Recorded(
        recordings=sum(row["recordings"] for row in rows),
        bytes=sum(row["bytes"] for row in rows),
        flagged={row["flag"]: row["recordings"] for row in rows if row["flag"]},
        came=(
            from_ms(min(row["first_ms"] for row in rows)),
            from_ms(max(row["last_ms"] for row in rows)),
        )
        if rows
        else None,
    )


def day_balance(tx: Tx, account: str, day: str, recorded: Recorded | None = None) -> Balance:
    """Count the calls of one account's day, reading no more of the catalog than that day.

    Its recordings are counted, too, unless they are given.
    """
    recorded = recorded or recorded_on(tx, account, day)
    states = dict.fromkeys(State, 0)
    reasons: dict[State, dict[str, int]] = {state: {} for state in State}
    for row in tx.rows("day_states", account=account, day=day):
        state = State(row["state"])
        states[state] += row["calls"]
        if row["reason"]:
            reasons[state][row["reason"]] = row["calls"]
    return Balance(
        known=tx.value("day_known", account=account, day=day),
        states=states,
        reasons=reasons,
        proved=tx.value("day_proved", account=account, day=day),
        recordings=recorded.recordings,
        bytes=recorded.bytes,
        flagged=recorded.flagged,
    )


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The quick count that a progress bar reads again and again: as quick for millions.

    It is for show. Whether work remains is asked of the calls: `unsettled_accounts`.
    """

    states: dict[State, int]
    waits: tuple[Wait, ...]

    @property
    def total(self) -> int:
        """All calls."""
        return sum(self.states.values())

    @property
    def unsettled(self) -> int:
        """How many calls still wait for an answer."""
        return sum(self.states[state] for state in UNSETTLED)


def tally(tx: Tx, accounts: Iterable[str], now: datetime) -> Tally:
    """Tell the states by the counts, and what the calls wait for that are due later than now."""
    accounts = list(accounts)
    states = dict.fromkeys(State, 0)
    for row in tx.rows("tally", accounts=json.dumps(accounts)):
        states[State(row["state"])] = row["calls"]
    leased = _leased(tx)
    states[State.LEASED] = sum(leased.get(name, 0) for name in accounts)
    states[State.EXPECTED] -= states[State.LEASED]
    return Tally(states=states, waits=tuple(waits(tx, accounts, now)))


def waits(tx: Tx, accounts: Iterable[str], now: datetime) -> list[Wait]:
    """Return the calls that are due later than now, by the reason of the last look."""
    rows = tx.rows("waiting", accounts=json.dumps(list(accounts)), now_ms=to_ms(now))
    return [Wait(row["reason"], row["calls"], from_ms(row["next_ms"])) for row in rows]


def knows_calls(tx: Tx) -> bool:
    """Tell whether any call is known, whatever became of it."""
    return bool(tx.value("knows_calls"))


def has_recordings(tx: Tx) -> bool:
    """Tell whether any recording is archived."""
    return bool(tx.value("has_recordings"))


def troubled_since(tx: Tx, since: datetime) -> int:
    """Count calls that were lost or failed since a moment."""
    return int(tx.value("troubled_since", since_ms=to_ms(since)))


def accounts_with_calls(tx: Tx) -> list[str]:
    """Return the names of the accounts that have calls, found one after another in the index."""
    found: list[str] = []
    while (name := tx.value("next_account", after=found[-1] if found else "")) is not None:
        found.append(name)
    return found


def unsettled_accounts(tx: Tx) -> set[str]:
    """Return the accounts that have calls waiting for an answer: asked of the calls, not counted.

    It is what a drain's end is decided by, and takes the same time for any number of calls.
    """
    leased = _leased(tx)
    return {
        name
        for name in accounts_with_calls(tx)
        if name in leased or tx.value("first_expected", account=name) is not None
    }


def count_unsettled(tx: Tx, accounts: Iterable[str]) -> int:
    """Count the calls of accounts that wait for an answer, by their rows: as many are read."""
    leased = _leased(tx)
    return sum(
        leased.get(name, 0) + int(tx.value("count_expected", account=name)) for name in accounts
    )


def _leased(tx: Tx) -> dict[str, int]:
    return {row["account"]: row["calls"] for row in tx.rows("leased_by_account")}
