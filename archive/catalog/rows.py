"""Between a call's facts and its row."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from archive.call import CallFacts, State
from archive.clock import from_ms, to_ms
from archive.entry import FOR_ALL, Entry, first_standing
from archive.proof import Proof
from archive.provider_time import day_of
from archive.readiness import Readiness, first_due
from archive.retention import kept_for

if TYPE_CHECKING:
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Row


_LONGEST_URL: Final = 512
_CLOCKS_APART: Final = timedelta(days=1)
_EXPECTED: Final = State.EXPECTED.value
_QUARTER_MS: Final = 15 * 60 * 1000

Value: TypeAlias = "str | int | None"
NewCall: TypeAlias = "tuple[tuple[Value, ...], tuple[str, ...]]"
"""A call as it is taken in: the values of `NEW_COLUMNS`, and the URLs of its further recordings.

Plain tuples: a million of them go from one process to another, and into the catalog.
"""

# In the order of `_facts_values`.
OF_FACTS: Final = (
    "account",
    "sid",
    "day",
    "delete_by_ms",
    "created_ms",
    "began_ms",
    "ended_ms",
    "duration_s",
    "talk_s",
    "status",
    "leg2_status",
    "direction",
    "from_number",
    "to_number",
    "exophone",
    "group_name",
    "told_url",
)
NEW_COLUMNS: Final = (*OF_FACTS, "state", "reason", "settled_ms", "due_ms")
"""The columns of a new call, in the order in which ``add_call`` takes them."""


def delete_by(facts: CallFacts, account: Account, now: datetime) -> datetime:
    """Return when the provider deletes the call's recording, as far as is known.

    A call of unknown date may be the oldest of all: it is taken as about to be deleted. One that
    lies days ahead is none, and would put the call behind all others.
    """
    began = facts.began_at
    if began is None or began - now > _CLOCKS_APART:
        return now
    return began + kept_for(facts, account)


def facts_columns(facts: CallFacts, account: Account, now: datetime) -> dict[str, object]:
    """Return the columns of ``calls`` that follow from a call's facts."""
    return dict(zip(OF_FACTS, _facts_values(facts, account, now), strict=True))


def _facts_values(facts: CallFacts, account: Account, now: datetime) -> tuple[Value, ...]:
    """Return the values of `OF_FACTS`. Made for millions of calls."""
    created, began, ended = facts.created_at, facts.started_at, facts.ended_at
    created_ms = None if created is None else to_ms(created)
    # Most calls start in the second in which they are created.
    began_ms = created_ms if began is created else _ms(began)
    known_ms = created_ms if began_ms is None else began_ms
    return (
        account.name,
        facts.sid,
        "" if known_ms is None else _day_of(known_ms // _QUARTER_MS, account.timezone),
        to_ms(delete_by(facts, account, now)),
        created_ms,
        began_ms,
        None if ended is None else to_ms(ended),
        facts.duration_s,
        facts.talk_s,
        facts.status,
        facts.leg2_status,
        facts.direction,
        facts.from_number,
        facts.to_number,
        facts.exophone,
        facts.group,
        usual_url(facts),
    )


@lru_cache(maxsize=4_096)
def _day_of(quarter: int, timezone: str) -> str:
    """Return the day of a quarter of an hour: no zone begins its days within one."""
    return day_of(from_ms(quarter * _QUARTER_MS), ZoneInfo(timezone))


def usual_url(facts: CallFacts) -> str:
    """Return the one URL that an export tells of, without its query, if it is named after the Sid.

    Nearly every row has just this one. It is kept in the call's own row, which costs next to
    nothing, and is not trusted before it is used.
    """
    told = facts.recording_urls
    if not told or len(told) != 1:
        return ""
    url = told[0]
    if f"/{facts.sid}." not in url or len(url) > _LONGEST_URL:
        return ""
    return url.partition("?")[0]


def prepare(
    facts: CallFacts,
    account: Account,
    readiness: Readiness,
    now: datetime,
    entry: Entry = FOR_ALL,
) -> NewCall:
    """Return a call as it is taken in if it was not known before."""
    values = _facts_values(facts, account, now)
    told = () if values[-1] else facts.recording_urls or ()
    standing = first_standing(facts, account, entry)
    if standing is not None:
        return (*values, standing.state.value, standing.reason, to_ms(now), to_ms(now)), told
    due_ms = to_ms(first_due(facts, now, readiness))
    return (*values, _EXPECTED, "", None, due_ms), told


def facts_of(row: Row) -> CallFacts:
    """Return the facts that a row of ``calls`` holds."""
    return CallFacts(
        sid=row["sid"],
        created_at=_moment(row["created_ms"]),
        started_at=_moment(row["began_ms"]),
        ended_at=_moment(row["ended_ms"]),
        duration_s=row["duration_s"],
        talk_s=row["talk_s"],
        status=row["status"],
        leg2_status=row["leg2_status"],
        direction=row["direction"],
        from_number=row["from_number"],
        to_number=row["to_number"],
        exophone=row["exophone"],
        group=row["group_name"],
        recording_urls=(row["told_url"],) if row["told_url"] else msgspec.UNSET,
    )


def proof_of(row: Row) -> Proof:
    """Return a recording that a row of ``recordings`` tells of."""
    return Proof(
        sid=row["sid"],
        object_name=row["object_name"],
        path=row["path"],
        day_folder=str(PurePosixPath(row["path"]).parents[1]),
        sha256=row["sha256"],
        size=row["bytes"],
        format=row["format"],
        channels=row["channels"],
        sample_rate=row["sample_rate"],
        seconds=row["seconds"],
        flag=row["flag"],
        root=row["root"],
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def _moment(ms: Any) -> datetime | None:  # noqa: ANN401 - a column's value
    return None if ms is None else from_ms(ms)
