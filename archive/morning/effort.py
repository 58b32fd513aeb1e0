"""What a day took, from the tallies of all processes: pure functions."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from archive.morning.facts import Work
from archive.provider_time import day_of
from archive.tallies import DOWNLOAD_FAILURES, LIMITER_WAIT_MS, RECORDING_BYTES, REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from archive.catalog.tallies import HourCount

AFTER: Final = timedelta(hours=12)
"""How long after a day's end what was done counts to it: its night is worked through by noon."""
_MINUTES: Final = 60


def work_of(
    counted: Iterable[HourCount], limits: Mapping[str, int], begin: datetime, end: datetime
) -> Work:
    """Sum up what was done for the accounts of ``limits`` (requests a minute) in a time."""
    requests: Counter[str] = Counter()
    hourly: Counter[tuple[str, datetime]] = Counter()
    troubles: Counter[str] = Counter()
    waited = 0
    for one in counted:
        if one.account not in limits or not begin <= one.hour < end:
            continue
        if one.name == REQUESTS:
            requests[one.label] += one.amount
            hourly[one.account, one.hour] += one.amount
        elif one.name == DOWNLOAD_FAILURES:
            troubles[one.label] += one.amount
        elif one.name == LIMITER_WAIT_MS:
            waited += one.amount
    shares = [(amount / limits[name], amount, name) for (name, _), amount in hourly.items()]
    _, busiest, name = max(shares, default=(0.0, 0, next(iter(limits), "")))
    return Work(
        first=None,
        last=None,
        requests=dict(requests.most_common()),
        busiest=busiest,
        limit=limits.get(name, 0) * _MINUTES,
        troubles=dict(troubles.most_common()),
        waited_ms=waited,
    )


def written_by_day(
    counted: Iterable[HourCount], accounts: Iterable[str], zone: ZoneInfo
) -> dict[str, int]:
    """Return how many bytes of recordings were written on each day of a zone."""
    names = set(accounts)
    written: Counter[str] = Counter()
    for one in counted:
        if one.name == RECORDING_BYTES and one.account in names:
            written[day_of(one.hour, zone)] += one.amount
    return dict(written)
