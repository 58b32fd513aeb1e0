"""What each source of calls brought, read from the sightings that it wrote."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import Source
from archive.catalog.hearings import hearings
from archive.clock import from_ms, to_ms
from archive.provider_time import day_of
from archive.sources import LEAST, Brought, Group, brought

if TYPE_CHECKING:
    from archive.accounts import Account
    from archive.catalog.database import Tx

_BITS: Final = {
    Source.CDR.value: 1,
    Source.SIDS.value: 2,
    Source.LISTING.value: 4,
    Source.WEBHOOK.value: 8,
    Source.REBUILD.value: 16,
}
"""As in the query: a number stands for a set of sources."""


_MINUTE_MS: Final = 60_000
_AFTER: Final = timedelta(days=400)
"""How long after a time it is looked whether a source was heard again."""


class Unlisted(msgspec.Struct, frozen=True):
    """Calls that some source told of and the listing did not: how many, and the first few Sids."""

    calls: int
    first: tuple[str, ...]


def sources_of(tx: Tx, account: Account, begin: datetime, end: datetime) -> list[Brought]:
    """Return what each source brought of the calls that began in a time, and its silences."""
    found = tx.rows("calls_by_minute", **_range(account, begin, end), late_ms=_ms(LEAST))
    groups = [
        Group(
            from_ms(row["minute"] * 60_000),
            _set(row["known"] or 0),
            _set(row["timely"] or 0),
            row["calls"],
        )
        for row in found
    ]
    first = {
        row["source"]: from_ms(row["since_ms"])
        for row in tx.rows("first_heard", account=account.name)
    }
    heard = hearings(tx, account.name, begin, end + _AFTER)
    return brought(groups, heard, first, begin=begin, end=end)


def unlisted_of(tx: Tx, account: Account, begin: datetime, end: datetime, *, most: int) -> Unlisted:
    """Return the calls that began in a time and that the listing never told of."""
    where = _range(account, begin, end)
    count = int(tx.value("unlisted_count", **where))
    found = tx.rows("unlisted_first", **where, most=most) if count else []
    return Unlisted(count, tuple(row["sid"] for row in found))


def _range(account: Account, begin: datetime, end: datetime) -> dict[str, object]:
    return {
        "account": account.name,
        "first_day": day_of(begin, account.zone),
        "last_day": day_of(end, account.zone),
        "from_ms": to_ms(begin),
        "to_ms": to_ms(end),
    }


def _set(bits: int) -> frozenset[str]:
    return frozenset(source for source, bit in _BITS.items() if bits & bit)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
