"""What the catalog knows of one account's day, for the morning report."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import UNSETTLED, State
from archive.catalog import runs
from archive.catalog.balance import Balance, Recorded, day_balance, recorded_on
from archive.catalog.coverage import unread
from archive.catalog.forecast import risks
from archive.catalog.sources import sources_of
from archive.clock import from_ms, to_ms
from archive.forecast import describe
from archive.hours import ALWAYS
from archive.morning.facts import Counts, Share, Sources, Unread, counts_of
from archive.morning.measures import gather
from archive.morning.remedies import MISSING
from archive.morning.usual import WEEKS, former_days
from archive.provider_time import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archive.accounts import Account
    from archive.catalog.database import Row, Tx
    from archive.hours import Backfill

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_HOUR_MS: Final = 3_600_000
_KNOWN_MS: Final = 5 * 60_000
"""A call that a source told of within this of its end became known in time."""
_FIRST: Final = 3
_LISTING: Final = frozenset({"enqueue range", "reconcile", "run --from"})
"""Commands that read the listing."""
_EXOPHONES: Final = 20


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One account's day. Measures are counted by value: seconds, or hours for ``margins``.

    ``days`` are the calls of this day and of four weeks before it, ``before`` are the recordings of
    the same weekday before. ``promptness`` has calls that did not become known in time under None.
    """

    account: Account
    begin: datetime
    end: datetime
    balance: Balance
    first: dict[tuple[State, str], tuple[str, ...]]
    exophones: tuple[Share, ...]
    hours: dict[int, Counts]
    came: tuple[datetime, datetime] | None
    promptness: dict[int | None, int]
    in_vain: dict[int, int]
    margins: dict[int, int]
    due: dict[str, int]
    past: int
    at_risk: str
    undated: int
    sources: Sources
    days: dict[str, Counts]
    known_since: str
    before: Recorded | None


def read_part(
    tx: Tx, account: Account, day: str, now: datetime, backfill: Backfill = ALWAYS
) -> Part:
    """Read one account's day, ``YYYY-MM-DD`` in its zone, as it stands now."""
    name = account.name
    begin = datetime.fromisoformat(day).replace(tzinfo=account.zone)
    end = begin + _DAY
    recorded = recorded_on(tx, name, day)
    balance = day_balance(tx, name, day, recorded)
    where = {"account": name, "day": day}
    known_since = str(tx.value("first_day", account=name) or "")
    before = former_days(day)[0]
    (risk,) = risks(tx, [account], now, backfill)
    last = max(begin, min(now, end - _SECOND))
    promptness, margins = _promptness(tx, where)
    return Part(
        account=account,
        begin=begin,
        end=end,
        balance=balance,
        first=_first(tx, balance, where),
        exophones=_exophones(tx, where),
        hours=_hours(tx, begin, where),
        came=recorded.came,
        promptness=promptness,
        in_vain=_counted(tx.rows("day_in_vain", known_ms=_KNOWN_MS, **where), "seconds"),
        margins=margins,
        due=_due(tx, account, now),
        past=max(0, int(tx.value("waiting_past", account=name, now_ms=to_ms(now)))),
        at_risk=describe(risk, account),
        undated=_undated(tx, name),
        sources=Sources(
            account=name,
            begin=begin,
            end=last,
            brought=tuple(sources_of(tx, account, begin, last) if begin < last else ()),
            unread=_unread(tx, account, begin, last, now) if end <= now else (),
        ),
        days=_days(tx, name, day),
        known_since=known_since,
        before=recorded_on(tx, name, before) if known_since and before >= known_since else None,
    )


def _unread(
    tx: Tx, account: Account, begin: datetime, last: datetime, now: datetime
) -> tuple[Unread, ...]:
    tried = any(run.command in _LISTING for run in runs.between(tx, begin, now))
    return tuple(
        Unread(since.astimezone(account.zone), until.astimezone(account.zone))
        for since, until in unread(tx, account.name, begin, last, tried=tried)
    )


def _first(
    tx: Tx, balance: Balance, where: dict[str, str]
) -> dict[tuple[State, str], tuple[str, ...]]:
    found = {}
    for state in MISSING:
        named = balance.reasons[state]
        # Of those without a reason there may be none, which would be found out by reading them all.
        without = [""] if sum(named.values()) < balance.states[state] else []
        for reason in (*named, *without):
            rows = tx.rows("day_first", state=state.value, reason=reason, most=_FIRST, **where)
            found[state, reason] = tuple(row["sid"] for row in rows)
    return found


def _exophones(tx: Tx, where: dict[str, str]) -> tuple[Share, ...]:
    shares = []
    for row in tx.rows("day_exophones", most=_EXOPHONES, **where):
        known = {key: row[key] for key in ("calls", "archived", "waiting", "lost", "failed")}
        without = 2 * known["calls"] - sum(known.values())
        counts = Counts(without=without, **known)
        shares.append(Share(account=where["account"], name=row["exophone"], counts=counts))
    return tuple(shares)


def _hours(tx: Tx, begin: datetime, where: dict[str, str]) -> dict[int, Counts]:
    states: dict[int, dict[State, int]] = {}
    for row in tx.rows("day_hours", from_ms=to_ms(begin), **where):
        states.setdefault(row["hour"], {})[State(row["state"])] = row["calls"]
    return {hour: counts_of(found) for hour, found in states.items()}


def _promptness(tx: Tx, where: dict[str, str]) -> tuple[dict[int | None, int], dict[int, int]]:
    """Count archived calls by the seconds that it took, and by the hours that were left."""
    rows = tx.rows("day_promptness", known_ms=_KNOWN_MS, **where)
    found: dict[int | None, int] = {}
    for row in rows:
        seconds = row["seconds"]
        # A clock that was set back makes nothing come before its call ended.
        key = None if seconds is None else max(0, seconds)
        found[key] = found.get(key, 0) + row["calls"]
    return found, _counted(rows, "hours")


def _counted(rows: Iterable[Row], measure: str) -> dict[int, int]:
    return gather((row[measure], row["calls"]) for row in rows if row[measure] is not None)


def _due(tx: Tx, account: Account, now: datetime) -> dict[str, int]:
    rows = tx.rows("waiting_by_hour", account=account.name, now_ms=to_ms(now))
    found: dict[str, int] = {}
    for row in rows:
        day = day_of(from_ms(row["hour"] * _HOUR_MS), account.zone)
        found[day] = found.get(day, 0) + row["calls"]
    return found


def _undated(tx: Tx, account: str) -> int:
    """Count the calls of unknown date that wait."""
    rows = tx.rows("days_between", account=account, first_day="", last_day="")
    return sum(row["calls"] for row in rows if State(row["state"]) in UNSETTLED)


def _days(tx: Tx, account: str, day: str) -> dict[str, Counts]:
    first = date.fromisoformat(day) - timedelta(weeks=WEEKS)
    states: dict[str, dict[State, int]] = {}
    for row in tx.rows("days_between", account=account, first_day=first.isoformat(), last_day=day):
        states.setdefault(row["day"], {})[State(row["state"])] = row["calls"]
    return {one: counts_of(found) for one, found in states.items()}
