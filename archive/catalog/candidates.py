"""Recordings that sources told of beside the one that the provider's API tells of.

An export may list several recordings of a call, and an old one knows recordings of calls that the
API has forgotten. Each is a hint until it was fetched. They are kept apart by the provider's file
name, and the order in which they became known numbers them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import State
from archive.catalog.story import put_back
from archive.clock import to_ms
from archive.hosts import object_name, own_recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.call import Source
    from archive.catalog.database import Tx

MOST: Final = 20
"""How many recordings of a call one source may tell of; it is no call's habit to have more."""
_RECALLED: Final = (State.ARCHIVED, State.ABSENT, State.LOST)


class Candidate(msgspec.Struct, frozen=True):
    """A recording that a source told of; ``same_as`` names the one whose bytes it turned out to be.

    The URL has no query.
    """

    object_name: str
    url: str
    same_as: str = ""


def add_candidates(
    tx: Tx,
    told: Iterable[tuple[str, Sequence[str]]],
    *,
    account: Account,
    source: Source,
    now: datetime,
) -> int:
    """Keep the URLs that a source told of calls' recordings (by Sid); return how many are new.

    The usual one of a call is in its own row: see `archive.catalog.rows.usual_url`. A settled call
    of which a further recording becomes known is looked at once more.
    """
    new: set[str] = set()
    count = 0
    for sid, urls in told:
        for candidate in _worth_keeping(urls, account):
            found = tx.rows(
                "add_candidate",
                account=account.name,
                sid=sid,
                object_name=candidate.object_name,
                url=candidate.url,
                source=source.value,
                seen_ms=to_ms(now),
            )
            count += len(found)
            new.update(row["sid"] for row in found)
    if new:
        put_back(
            tx,
            accounts=[account.name],
            states=_RECALLED,
            reason=None,
            day=None,
            sids=new,
            now=now,
            why="another-recording",
        )
    return count


def _worth_keeping(urls: Sequence[str], account: Account) -> list[Candidate]:
    """Return the trusted ones of a call's URLs."""
    own = [own_recording(url, account) for url in urls[:MOST]]
    found = {object_name(url): Candidate(object_name(url), url) for url in own if url}
    return list(found.values())


def recall_untold(tx: Tx, told: Sequence[str], *, account: Account, now: datetime) -> int:
    """Take calls back that were given up, and of which an export tells a recording after all."""
    rows = (
        tx.rows("given_up_untold", account=account.name, sids=json.dumps(list(told)))
        if told
        else []
    )
    if not rows:
        return 0
    return put_back(
        tx,
        accounts=[account.name],
        states=(State.ABSENT, State.LOST),
        reason=None,
        day=None,
        sids=[row["sid"] for row in rows],
        now=now,
        why="reappeared",
    )


def candidates_of(tx: Tx, account: str, sids: Sequence[str]) -> dict[str, tuple[Candidate, ...]]:
    """Return what sources told of the recordings of calls, the first told of in front."""
    found: dict[str, tuple[Candidate, ...]] = {}
    for row in tx.rows("candidates_of", account=account, sids=json.dumps(list(sids))):
        candidate = Candidate(row["object_name"], row["url"], row["same_as"])
        found[row["sid"]] = (*found.get(row["sid"], ()), candidate)
    return found


def note_same(
    tx: Tx, account: str, sid: str, candidate: Candidate, *, source: Source, now: datetime
) -> None:
    """Note that a recording has the bytes of another one of the call, which is kept once."""
    tx.run(
        "note_same",
        account=account,
        sid=sid,
        object_name=candidate.object_name,
        url=candidate.url,
        source=source.value,
        seen_ms=to_ms(now),
        same_as=candidate.same_as,
    )
