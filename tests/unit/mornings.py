"""Reports of made-up days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from archive.accounts import Account
from archive.call import State
from archive.catalog.balance import Balance, Recorded
from archive.catalog.morning import Part
from archive.morning.compose import Now, compose
from archive.morning.facts import Counts, Morning, Share, Sources, Work
from archive.sources import Brought
from worker.sending.parcel import Attachment, Parcel

DAY = "2026-02-09"
ACCOUNT = Account(name="main", sid="acme1")
BEGIN = datetime(2026, 2, 8, 18, 30, tzinfo=UTC)
REASONS = {State.ABSENT: {"no-answer": 20}, State.FAILED: {"url-untrusted": 2}}


def a_balance(*, clean: bool = False, calls: int = 100) -> Balance:
    """Return the balance of a day with some calls of nearly every kind."""
    states = dict.fromkeys(State, 0) | {State.ABSENT: 20}
    if not clean:
        states |= {State.FAILED: 2, State.LOST: 1, State.EXPECTED: 3}
    states[State.ARCHIVED] = calls - sum(states.values())
    reasons: dict[State, dict[str, int]] = {state: {} for state in State}
    reasons |= {state: found for state, found in REASONS.items() if states[state]}
    archived = states[State.ARCHIVED]
    return Balance(
        known=calls,
        states=states,
        reasons=reasons,
        proved=archived,
        recordings=archived,
        bytes=archived * 300_000,
        flagged={} if clean else {"cut": 1},
    )


def a_part(*, clean: bool = False) -> Part:
    """Return what a catalog tells of an account's day."""
    balance = a_balance(clean=clean)
    archived = balance.states[State.ARCHIVED]
    counts = Counts(calls=100, archived=archived, without=20)
    exophones = tuple(
        Share(account="main", name=f"0804{n:07}", counts=Counts(calls=4, archived=4))
        for n in range(15)
    )
    end = BEGIN + timedelta(days=1)
    return Part(
        account=ACCOUNT,
        begin=BEGIN.astimezone(ACCOUNT.zone),
        end=end.astimezone(ACCOUNT.zone),
        balance=balance,
        first={(State.FAILED, "url-untrusted"): ("a" * 32, "b" * 32)},
        exophones=exophones,
        hours={10: counts},
        came=(BEGIN + timedelta(hours=10), BEGIN + timedelta(hours=11)),
        promptness={90: archived - 2, 250: 1, None: 1},
        in_vain={80: 4},
        margins={719: archived - 1, 700: 1},
        due={} if clean else {"2026-02-11": 3},
        past=0,
        at_risk="",
        undated=0,
        sources=Sources(
            account="main", begin=BEGIN, end=end, brought=(Brought("listing", 100, 1, ()),)
        ),
        days={DAY: counts, "2026-02-02": counts, "2026-01-26": counts},
        known_since="2026-01-01",
        before=Recorded(recordings=78, bytes=20_000_000, flagged={}, came=None),
    )


def a_morning(*, clean: bool = False) -> Morning:
    """Return a report."""
    now = Now(
        made_at=BEGIN + timedelta(days=1, hours=7),
        named=False,
        work=Work(
            first=None,
            last=None,
            requests={"answered": 240, "throttled": 1},
            busiest=80,
            limit=12_000,
            troubles={"fetch-not-yet": 2},
            waited_ms=5_000,
        ),
        written={DAY: 30_000_000, "2026-02-08": 20_000_000},
        pace=25_000_000.0,
        free=10**12,
        min_free=10**9,
    )
    return compose([a_part(clean=clean)], DAY, now)


def a_parcel(headline: str = "ALARM: it burns", text: str = "") -> Parcel:
    """Return something to send."""
    return Parcel(
        headline=headline,
        text=text or f"{headline}\nand more\n",
        attachments=(Attachment("report.html", "html", "<p>é</p>"),),
        is_problem=True,
        is_failure=True,
    )
