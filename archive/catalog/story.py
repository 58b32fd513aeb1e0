"""What the catalog knows of one call, for `explain`; and putting calls back, for `retry`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from archive.call import CallFacts, State
from archive.catalog.rows import facts_of
from archive.clock import from_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.catalog.database import Tx


class Look(msgspec.Struct, frozen=True):
    """One look at a call: when, where the call stood afterwards, why, and in whose words."""

    at: datetime
    state: State
    reason: str
    detail: str


class Sighting(msgspec.Struct, frozen=True):
    """A source that saw the call, and when it first did."""

    source: str
    at: datetime


class Kept(msgspec.Struct, frozen=True):
    """A proved recording of the call; ``path`` is relative to the archive's root.

    ``flag`` is one of `archive.flags.FLAGS`, empty where nothing is odd about it.
    """

    path: str
    sha256: str
    bytes: int
    format: str
    channels: int
    seconds: float | None
    archived_at: datetime
    flag: str


class Told(msgspec.Struct, frozen=True):
    """A recording that a source told of and that is not archived; see `archive.catalog.candidates`.

    ``same_as`` names the recording whose bytes it has, if it was found to be another name of one.
    """

    object_name: str
    source: str
    at: datetime
    same_as: str


class Gone(msgspec.Struct, frozen=True):
    """A recording of the call that was deleted from the archive."""

    path: str
    sha256: str
    bytes: int
    at: datetime
    why: str


class CallStory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the catalog knows of one call."""

    account: str
    facts: CallFacts
    state: State
    reason: str
    due: datetime
    delete_by: datetime
    tries: int
    refreshes: int
    sightings: list[Sighting]
    looks: list[Look]
    recordings: list[Kept]
    candidates: list[Told]
    purged: list[Gone] = []


def read_story(tx: Tx, account: str, sid: str) -> CallStory | None:
    """Return what is known of a call, None if it is not known at all."""
    found = tx.rows("call", account=account, sid=sid)
    if not found:
        return None
    row = found[0]
    told = tx.rows("candidates_of", account=account, sids=json.dumps([sid]))
    kept = tx.rows("recordings_of", account=account, sid=sid)
    objects = {recording["object_name"] for recording in kept}
    return CallStory(
        account=account,
        facts=facts_of(row),
        state=State(row["state"]),
        reason=row["reason"],
        due=from_ms(row["due_ms"]),
        delete_by=from_ms(row["delete_by_ms"]),
        tries=row["tries"],
        refreshes=row["refreshes"],
        sightings=[
            Sighting(seen["source"], from_ms(seen["seen_ms"]))
            for seen in tx.rows("sightings_of", account=account, sid=sid)
        ],
        looks=[
            Look(from_ms(look["at_ms"]), State(look["state"]), look["reason"], look["detail"])
            for look in tx.rows("looks_at", account=account, sid=sid)
        ],
        recordings=[
            Kept(
                one["path"],
                one["sha256"],
                one["bytes"],
                one["format"],
                one["channels"],
                one["seconds"],
                from_ms(one["archived_ms"]),
                one["flag"],
            )
            for one in kept
        ],
        candidates=[
            Told(one["object_name"], one["source"], from_ms(one["seen_ms"]), one["same_as"])
            for one in told
            if one["object_name"] not in objects
        ],
        purged=[
            Gone(one["path"], one["sha256"], one["bytes"], from_ms(one["purged_ms"]), one["why"])
            for one in tx.rows("buried_of", account=account, sid=sid)
        ],
    )


def accounts_of(tx: Tx, sid: str) -> list[str]:
    """Return the names of the accounts that know this Sid."""
    return [row["account"] for row in tx.rows("accounts_of", sid=sid)]


class Standing(msgspec.Struct, frozen=True):
    """Where a call stands; ``day`` is ``YYYY-MM-DD`` in its account's zone, or ``unknown``."""

    sid: str
    state: State
    reason: str
    day: str


def standings(tx: Tx, *, accounts: Iterable[str], sids: Iterable[str]) -> list[Standing]:
    """Return where the calls of these Sids stand: one for each account that knows one."""
    return [
        Standing(row["sid"], State(row["state"]), row["reason"], row["day"])
        for row in tx.rows(
            "standings", accounts=json.dumps(list(accounts)), sids=json.dumps(list(sids))
        )
    ]


def has_reason(tx: Tx, reason: str) -> bool:
    """Tell whether any call has this reason."""
    return bool(tx.value("has_reason", reason=reason))


def put_back(
    tx: Tx,
    *,
    accounts: Iterable[str],
    states: Iterable[State],
    reason: str | None,
    day: str | None,
    sids: Iterable[str] | None,
    now: datetime,
    why: str = "retried",
) -> int:
    """Let settled calls be looked at once more; return how many.

    A None for ``reason``, ``day`` or ``sids`` stands for all. ``why`` is the reason they then have.
    """
    return tx.run(
        "put_back",
        accounts=json.dumps(list(accounts)),
        states=json.dumps([state.value for state in states]),
        reason=reason,
        day=day,
        sids=None if sids is None else json.dumps(list(sids)),
        now_ms=to_ms(now),
        why=why,
    )
