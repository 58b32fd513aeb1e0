"""Looks for calls by what their rows know, for `find`."""

from __future__ import annotations

from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog.database import FIRST_ROOT
from archive.clock import from_ms, to_ms
from archive.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from archive.catalog.database import Tx

_COMPARED: Final = 10
"""The digits of a number in India; what stands before them is +91, 0 or nothing."""
_LEAST: Final = 4
_LAST_DAY: Final = "9999-12-31"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; a None fits every call. ``end`` is exclusive, durations are seconds."""

    start: datetime | None = None
    end: datetime | None = None
    sid: str | None = None
    number: str | None = None
    exophone: str | None = None
    state: str | None = None
    reason: str | None = None
    direction: str | None = None
    status: str | None = None
    group: str | None = None
    least_s: int | None = None
    most_s: int | None = None
    flag: str | None = None
    source: str | None = None


class File(msgspec.Struct, frozen=True):
    """A recording; ``path`` is relative to the archive's root, of which ``root`` is the number."""

    path: str
    bytes: int
    format: str
    seconds: float | None
    flag: str
    root: int = FIRST_ROOT


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A call that fits, with its recordings."""

    account: str
    sid: str
    state: str
    reason: str
    began_at: datetime | None
    ended_at: datetime | None
    duration_s: int | None
    talk_s: int | None
    status: str
    leg2_status: str
    direction: str
    from_number: str
    to_number: str
    exophone: str
    group: str
    recordings: list[File]


def end_of_number(text: str) -> str:
    """Return the digits by which a number is found, whatever is in front of them.

    Raises:
        InputError: too few digits to mean a number.
    """
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    if len(digits) < _LEAST:
        raise InputError(
            f"{ascii(text)[:80]} is no number", hint=f"give at least its last {_LEAST} digits"
        )
    return digits[-_COMPARED:]


def find(tx: Tx, account: str, zone: ZoneInfo, wanted: Wanted) -> Generator[Found, None, None]:
    """Yield the account's calls that fit, earliest first; none is kept.

    Raises:
        InputError: a number has too few digits.
    """
    start, end = wanted.start, wanted.end
    dated = start is not None or end is not None
    # Calls of unknown date have no day: they are before the first one.
    earliest = "0000" if dated else ""
    first_day = f"{start.astimezone(zone):%Y-%m-%d}" if start else earliest
    last_day = f"{end.astimezone(zone):%Y-%m-%d}" if end else _LAST_DAY
    if wanted.sid is not None:
        # Its day is found by its Sid, and then the call among those of that day.
        day = next((row["day"] for row in tx.rows("day_of", account=account, sid=wanted.sid)), None)
        if day is not None:
            first_day, last_day = max(first_day, day), min(last_day, day)
        else:
            first_day, last_day = _LAST_DAY, ""
    rows = tx.stream(
        "find_calls",
        account=account,
        first_day=first_day,
        last_day=last_day,
        from_ms=to_ms(start) if start else None,
        to_ms=to_ms(end) if end else None,
        sid=wanted.sid,
        number=end_of_number(wanted.number) if wanted.number is not None else None,
        exophone=end_of_number(wanted.exophone) if wanted.exophone is not None else None,
        state=wanted.state,
        reason=wanted.reason,
        direction=wanted.direction,
        status=wanted.status,
        group_name=wanted.group,
        least_s=wanted.least_s,
        most_s=wanted.most_s,
        flag=wanted.flag,
        source=wanted.source,
    )
    with closing(rows):
        for _, group in groupby(rows, key=itemgetter("sid")):
            of_call = list(group)
            row = of_call[0]
            began = row["began_ms"] if row["began_ms"] is not None else row["created_ms"]
            yield Found(
                account=row["account"],
                sid=row["sid"],
                state=row["state"],
                reason=row["reason"],
                began_at=None if began is None else from_ms(began),
                ended_at=None if row["ended_ms"] is None else from_ms(row["ended_ms"]),
                duration_s=row["duration_s"],
                talk_s=row["talk_s"],
                status=row["status"],
                leg2_status=row["leg2_status"],
                direction=row["direction"],
                from_number=row["from_number"],
                to_number=row["to_number"],
                exophone=row["exophone"],
                group=row["group_name"],
                recordings=[
                    File(
                        one["path"],
                        one["bytes"],
                        one["format"],
                        one["seconds"],
                        one["flag"],
                        one["root"],
                    )
                    for one in of_call
                    if one["path"] is not None
                ],
            )
