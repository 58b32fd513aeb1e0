"""How long the provider keeps a call's recording: pure functions of what is known of the call."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from archive.selection import NUMBER_PATTERN, Rule, Words, excluded_by, is_number_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archive.accounts import Account
    from archive.call import CallFacts

Days = Annotated[int, Meta(ge=1, le=36_500)]
Day = Annotated[date | None, Meta(description="a date such as 2026-05-31")]


class Kept(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """A rule: recordings of these calls are kept for so many days.

    ``since`` and ``until`` are days of the call's start in the account's zone, both included. What
    is not given holds for all.
    """

    days: Days
    exophone: Words = ()
    since: Day = None
    until: Day = None


def kept_for(facts: CallFacts, account: Account, *, longest: bool = False) -> timedelta:
    """Return how long after its start a call's recording is kept; the first rule that fits decides.

    Where it is not known whether a rule fits, the shorter time counts: too early does no harm. To
    who deletes it does: for that, ``longest``.
    """
    days = []
    for rule in account.retention:
        fits = _fits(rule, facts, account)
        if fits is not False:
            days.append(rule.days)
        if fits:
            break
    else:
        days.append(account.retention_days)
    return timedelta(days=max(days) if longest else min(days))


def mistakes(rules: Iterable[Kept]) -> Iterator[tuple[str, object, str]]:
    """Yield what no rule can mean: which key of a rule, what is written there, what is allowed."""
    for rule in rules:
        if rule.since and rule.until and rule.since > rule.until:
            yield "to", str(rule.until), f"from is {rule.since}, so no day is in between"
        for word in rule.exophone:
            if not is_number_pattern(word):
                yield "exophone", word, NUMBER_PATTERN


def _fits(rule: Kept, facts: CallFacts, account: Account) -> bool | None:
    unknown = False
    if rule.since is not None or rule.until is not None:
        began = facts.began_at
        if began is None:
            unknown = True
        else:
            day = began.astimezone(account.zone).date()
            if (rule.since and day < rule.since) or (rule.until and day > rule.until):
                return False
    if rule.exophone:
        if not facts.exophone:
            unknown = True
        elif excluded_by(facts, (Rule(name="-", exophone=rule.exophone),)) is None:
            return False
    return None if unknown else True
