"""What the forecast of deletions is made of, and deletion days that a changed setting corrects."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import CallFacts
from archive.clock import from_ms, to_ms
from archive.forecast import HOUR, Risk, Waiting, forecast
from archive.hours import ALWAYS, OpenTime, closed_at, is_open, open_since, usable
from archive.retention import kept_for
from archive.timings import LEASE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.hours import Backfill

_HOUR_MS: Final = 3_600_000
_MS: Final = timedelta(milliseconds=1)
_NOON: Final = time(12)
_STRETCH: Final = timedelta(minutes=10)
_STRETCHES: Final = 6


def risks(
    tx: Tx, accounts: Iterable[Account], now: datetime, backfill: Backfill = ALWAYS
) -> list[Risk]:
    """Return what of each account the provider will delete before its turn.

    With hours for old calls these count only with the time in which they may be fetched, and the
    rate is that of the hours, not of the day between them.
    """
    works = _working_since(tx, now) is not None
    found = []
    for account in accounts:
        waiting = _waiting(tx, account.name, now)
        found.append(
            forecast(
                waiting,
                account=account.name,
                rate=_rate_in_hours(tx, account, now, backfill),
                works=works,
                now=now,
                usable=_usable(waiting, account, now, backfill),
            )
        )
    return found


def _usable(
    waiting: Waiting, account: Account, now: datetime, backfill: Backfill
) -> Callable[[datetime], timedelta] | None:
    if not backfill.is_bound or not waiting.hours:
        return None
    open_time = OpenTime(backfill, account.zone, now, waiting.hours[-1][0] + HOUR)
    return partial(usable, backfill, open_time, now)


def _rate_in_hours(tx: Tx, account: Account, now: datetime, backfill: Backfill) -> float | None:
    """Return the rate of the present hours, or of the last ones while these are over or just begin.

    None where nothing was done in those: workers may not have been there.
    """
    zone = account.zone
    if not backfill.is_bound:
        return _rate(tx, account.name, now)
    since = open_since(backfill, zone, now)
    if is_open(backfill, zone, now) and (since is None or now - since >= _STRETCH):
        return _rate(tx, account.name, now)
    ended = closed_at(backfill, zone, now if since is None else since - _MS)
    return (_best(tx, account.name, ended) or None) if ended else None


def _waiting(tx: Tx, account: str, now: datetime) -> Waiting:
    rows = tx.rows("waiting_by_hour", account=account, now_ms=to_ms(now))
    overdue = to_ms(now - _STRETCH)
    return Waiting(
        hours=tuple((from_ms(row["hour"] * _HOUR_MS), row["calls"]) for row in rows),
        past=max(0, int(tx.value("waiting_past", account=account, now_ms=to_ms(now)))),
        behind=bool(tx.value("is_behind", account=account, due_ms=overdue)),
    )


def _rate(tx: Tx, account: str, now: datetime) -> float | None:
    """Return the calls an hour of the best ten minutes of the last hour.

    The best, since workers also wait: for calls to be due, for a pause to end. None while workers
    have not run for ten minutes.
    """
    since = _working_since(tx, now)
    if since is None or now - since < _STRETCH:
        return None
    return _best(tx, account, now)


def _best(tx: Tx, account: str, now: datetime) -> float:
    ends = [now - stretch * _STRETCH for stretch in range(_STRETCHES)]
    counts = [
        int(
            tx.value(
                "settled_between",
                account=account,
                since_ms=to_ms(end - _STRETCH),
                until_ms=to_ms(end),
            )
        )
        for end in ends
    ]
    return max(counts) * (HOUR / _STRETCH)


def _working_since(tx: Tx, now: datetime) -> datetime | None:
    silent_since = to_ms(now - timedelta(seconds=LEASE_S))
    began = tx.value("working_since", silent_since_ms=silent_since)
    return None if began is None else from_ms(began)


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting calls of an ExoPhone and day whose deletion the settings put on another day now."""

    account: str
    exophone: str
    day: str
    was_ms: int
    kept_ms: int


def corrections(tx: Tx, account: Account) -> list[Correction]:
    """Return what a changed retention makes of waiting calls; nothing where it is as it was."""
    found = []
    for row in tx.rows("retentions", account=account.name):
        noon = datetime.combine(date.fromisoformat(row["day"]), _NOON, tzinfo=account.zone)
        like = CallFacts(sid="", started_at=noon, exophone=row["exophone"])
        kept_ms = kept_for(like, account) // _MS
        if row["kept_ms"] != kept_ms:
            found.append(
                Correction(
                    account=account.name,
                    exophone=row["exophone"],
                    day=row["day"],
                    was_ms=row["kept_ms"],
                    kept_ms=kept_ms,
                )
            )
    return found


def correct(tx: Tx, correction: Correction) -> int:
    """Put waiting calls on the day on which the settings say that they are deleted."""
    return tx.run("correct_retention", **msgspec.structs.asdict(correction))
