"""What the forecast of deletions is made of, and deletion days that a changed setting corrects."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import CallFacts
from archive.clock import from_ms, to_ms
from archive.forecast import HOUR, Risk, Waiting, forecast
from archive.retention import kept_for
from archive.timings import LEASE_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archive.accounts import Account
    from archive.catalog.database import Tx

_HOUR_MS: Final = 3_600_000
_MS: Final = timedelta(milliseconds=1)
_NOON: Final = time(12)
_STRETCH: Final = timedelta(minutes=10)
_STRETCHES: Final = 6


def risks(tx: Tx, accounts: Iterable[Account], now: datetime) -> list[Risk]:
    """Return what of each account the provider will delete before its turn."""
    works = _working_since(tx, now) is not None
    return [
        forecast(
            _waiting(tx, account.name, now),
            account=account.name,
            rate=_rate(tx, account.name, now),
            works=works,
            now=now,
        )
        for account in accounts
    ]


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
