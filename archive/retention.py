"""How long the provider keeps a call's recording: a pure function of the account's settings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archive.provider_time import day_of
from archive.selection import matches_number

if TYPE_CHECKING:
    from archive.accounts import Account, Retention
    from archive.call import CallFacts


def kept_for(facts: CallFacts, account: Account) -> timedelta:
    """Return how long after a call's start its recording is kept.

    The first rule that matches says so, else ``retention_days``. Where a rule hangs on an ExoPhone
    or a date that nobody knows, the shortest of what may be true: rather archived too early.
    """
    if not account.retention:
        return timedelta(days=account.retention_days)
    began = facts.began_at
    day = None if began is None else day_of(began, account.zone)
    return timedelta(days=days_kept(account, exophone=facts.exophone, day=day))


def days_kept(account: Account, *, exophone: str, day: str | None) -> int:
    """Return the days for calls through an ExoPhone (empty: unknown) that began on a day."""
    possible = []
    for rule in account.retention:
        matches = _matches(rule, exophone, day)
        if matches is not False:
            possible.append(rule.days)
        if matches:
            return min(possible)
    return min([*possible, account.retention_days])


def all_days(account: Account) -> list[int]:
    """Return the different times, in days, for which recordings of an account may be kept."""
    return sorted({account.retention_days, *(rule.days for rule in account.retention)})


def _matches(rule: Retention, exophone: str, day: str | None) -> bool | None:
    answers: list[bool | None] = []
    if rule.exophone:
        answers.append(matches_number(rule.exophone, exophone) if exophone else None)
    if rule.first is not None:
        answers.append(None if day is None else rule.first.isoformat() <= day)
    if rule.last is not None:
        answers.append(None if day is None else day <= rule.last.isoformat())
    if False in answers:
        return False
    return None if None in answers else True
