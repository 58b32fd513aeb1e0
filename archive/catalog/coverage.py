"""Which times of the provider's listing were read to their end, so that gaps can be told.

A call that nobody told of cannot be missed; but that the listing of its time was never read can.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from archive.clock import from_ms, to_ms

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.database import Tx

_TOUCH: Final = timedelta(seconds=1)
"""The listing's ranges are of whole seconds, both included: the next one begins a second later."""
_HABIT: Final = timedelta(days=7)


def cover(tx: Tx, account: str, since: datetime, until: datetime) -> None:
    """Note that the listing of a time was read to its last page, and is believed."""
    near = {"account": account, "from_ms": to_ms(since - _TOUCH), "to_ms": to_ms(until + _TOUCH)}
    touching = tx.rows("uncover", **near)
    first = min([to_ms(since), *(row["since_ms"] for row in touching)])
    last = max([to_ms(until), *(row["until_ms"] for row in touching)])
    tx.run("cover", account=account, since_ms=first, until_ms=last)


def unread(
    tx: Tx, account: str, begin: datetime, end: datetime, *, tried: bool = False
) -> list[tuple[datetime, datetime]]:
    """Return the parts of a time whose listing was not read, where reading it is usual.

    It is, if any of it was read in the week before, or if somebody ``tried`` to read it: who lives
    by exports alone misses nothing.
    """
    habit = tx.rows(
        "coverage_of", account=account, from_ms=to_ms(begin - _HABIT), to_ms=to_ms(begin)
    )
    if not habit and not tried:
        return []
    read = tx.rows("coverage_of", account=account, from_ms=to_ms(begin), to_ms=to_ms(end))
    gaps = []
    at = begin
    for row in read:
        since = from_ms(row["since_ms"])
        if since - at > _TOUCH:
            gaps.append((at, since))
        at = max(at, from_ms(row["until_ms"]))
    if end - at > _TOUCH:
        gaps.append((at, end))
    return gaps
