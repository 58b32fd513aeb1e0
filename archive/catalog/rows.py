"""Between a call's facts and its row."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from archive.call import CallFacts
from archive.clock import from_ms, to_ms
from archive.proof import Proof
from archive.provider_time import day_of
from archive.readiness import Readiness, first_due

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from archive.accounts import Account


_LONGEST_URL: Final = 512


def delete_by(facts: CallFacts, account: Account, now: datetime) -> datetime:
    """Return when the provider deletes the call's recording, as far as is known.

    A call of unknown date may be the oldest of all: it is taken as about to be deleted.
    """
    began = facts.began_at
    return now if began is None else began + timedelta(days=account.retention_days)


def facts_columns(facts: CallFacts, account: Account, now: datetime) -> dict[str, object]:
    """Return the columns of ``calls`` that follow from a call's facts."""
    return {
        "account": account.name,
        "sid": facts.sid,
        "day": day_of(facts.began_at, account.zone),
        "delete_by_ms": to_ms(delete_by(facts, account, now)),
        "created_ms": _ms(facts.created_at),
        "began_ms": _ms(facts.started_at),
        "ended_ms": _ms(facts.ended_at),
        "duration_s": facts.duration_s,
        "talk_s": facts.talk_s,
        "status": facts.status,
        "leg2_status": facts.leg2_status,
        "direction": facts.direction,
        "from_number": facts.from_number,
        "to_number": facts.to_number,
        "exophone": facts.exophone,
        "group_name": facts.group,
        "told_url": usual_url(facts),
    }


def usual_url(facts: CallFacts) -> str:
    """Return the one URL that an export tells of, without its query, if it is named after the Sid.

    Nearly every row has just this one. It is kept in the call's own row, which costs next to
    nothing, and is not trusted before it is used.
    """
    told = facts.recording_urls or ()
    if len(told) != 1 or f"/{facts.sid}." not in told[0] or len(told[0]) > _LONGEST_URL:
        return ""
    return told[0].partition("?")[0]


def new_columns(
    facts: CallFacts, account: Account, readiness: Readiness, now: datetime
) -> dict[str, object]:
    """Return the columns of a call that was not known before."""
    due = to_ms(first_due(facts, now, readiness))
    return {**facts_columns(facts, account, now), "due_ms": due}


def facts_of(row: sqlite3.Row) -> CallFacts:
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


def proof_of(row: sqlite3.Row) -> Proof:
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
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def _moment(ms: Any) -> datetime | None:  # noqa: ANN401 - a column's value
    return None if ms is None else from_ms(ms)
