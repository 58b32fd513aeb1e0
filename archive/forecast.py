"""Whether the provider deletes recordings before their turn at the present rate: pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.history import SIDS_PER_REQUEST
from archive.provider_time import spoken_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archive.accounts import Account

HOUR: Final = timedelta(hours=1)
SOON: Final = timedelta(days=1)
"""Where nothing runs, what is deleted within this is at risk."""
_OF_THE_LIMIT: Final = 0.9


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of an account that wait, by when the provider deletes their recordings.

    ``hours`` are the beginnings of the hours, in order, with how many are deleted in each. Calls of
    unknown date are left out: when theirs is deleted nobody knows. ``past`` are those whose
    recording should be deleted by now, and that are asked for all the same. ``behind``: some wait
    though their time has come a while ago, so that the rate tells what can be done.
    """

    hours: tuple[tuple[datetime, int], ...]
    past: int
    behind: bool


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls of an account will be deleted before their turn, the first from when on.

    The rates are in calls an hour; ``rate_per_hour`` is None where nothing runs, or not for long
    enough to tell, ``needed_per_hour`` is 0 where nothing waits.
    """

    account: str
    calls: int
    first: datetime | None = msgspec.field(name="from")
    needed_per_hour: int
    rate_per_hour: int | None
    already_past: int
    works: bool = msgspec.field(name="workers")


def forecast(
    waiting: Waiting,
    *,
    account: str,
    rate: float | None,
    works: bool,
    now: datetime,
    usable: Callable[[datetime], timedelta] | None = None,
) -> Risk:
    """Tell what will be deleted before its turn, where what is deleted first goes first.

    ``rate`` is calls an hour, None if it is not known; ``works`` whether any worker runs. One that
    keeps up with what is due has no measure of what it could do, and nothing at risk. ``usable`` is
    how much of the time up to a deletion may be used for it, where that is not all of it.
    """
    usable = usable or (lambda end: end - now)
    ends = [(max(hour + HOUR, now), count) for hour, count in waiting.hours if count]
    calls, first = 0, None
    if not works:
        soon = [(end, count) for end, count in ends if end - HOUR <= now + SOON]
        calls = sum(count for _, count in soon)
        first = soon[0][0] if soon else None
    elif rate is not None and waiting.behind:
        calls, first = _too_late(ends, rate, usable)
    return Risk(
        account=account,
        calls=calls,
        first=first and max(first - HOUR, now),
        needed_per_hour=_needed(ends, usable),
        rate_per_hour=None if rate is None else round(rate),
        already_past=waiting.past,
        works=works,
    )


def _too_late(
    ends: Iterable[tuple[datetime, int]],
    rate: float,
    usable: Callable[[datetime], timedelta],
) -> tuple[int, datetime | None]:
    done = late = 0.0
    first = None
    for end, count in ends:
        in_time = min(count, max(0.0, rate * (usable(end) / HOUR) - done))
        done += in_time
        if count - in_time >= 1:
            late += count - in_time
            first = first or end
    return int(late), first


def _needed(ends: Iterable[tuple[datetime, int]], usable: Callable[[datetime], timedelta]) -> int:
    """Return the calls an hour at which all are in time; an hour is the least that is reckoned."""
    total, needed = 0, 0.0
    for end, count in ends:
        total += count
        needed = max(needed, total / max(usable(end) / HOUR, 1.0))
    return round(needed)


def remedy(risk: Risk, account: Account) -> str:
    """Return what would help."""
    if not risk.works:
        return "start workers: callvault work"
    if not risk.rate_per_hour:
        return "nothing was settled within the last hour: see what 'callvault status' says"
    allowed = account.requests_per_minute * 60 * SIDS_PER_REQUEST * _OF_THE_LIMIT
    if risk.needed_per_hour > allowed:
        return (
            f"ask the provider for more than {account.requests_per_minute} requests a minute, or "
            "for a longer retention"
        )
    return "raise [worker] downloads or processes, or start workers on another host"


def sum_of(risks: Iterable[Risk]) -> dict[str, object]:
    """Return the ``at_risk`` of ``status --json``: of all accounts, and of each."""
    found = list(risks)
    rates = [risk.rate_per_hour for risk in found if risk.rate_per_hour is not None]
    return {
        "calls": sum(risk.calls for risk in found),
        "from": min((risk.first for risk in found if risk.first), default=None),
        "needed_per_hour": sum(risk.needed_per_hour for risk in found),
        "rate_per_hour": sum(rates) if rates else None,
        "already_past": sum(risk.already_past for risk in found),
        "accounts": found,
    }


def describe(risk: Risk, account: Account) -> str:
    """Say in a sentence what is at risk; '' where nothing is."""
    if not risk.calls or risk.first is None:
        return ""
    begin = spoken_time(risk.first, account.zone)
    if not risk.works:
        text = f"no workers run, and {risk.calls:,} recordings will be deleted within 24 hours"
    else:
        text = (
            f"at the present {risk.rate_per_hour or 0:,} calls an hour {risk.calls:,} recordings "
            f"will be deleted before their turn ({risk.needed_per_hour:,} an hour are needed)"
        )
    return f"{risk.account}: {text}, the first from {begin} on; {remedy(risk, account)}"
