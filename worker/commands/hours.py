"""What is said of calls that wait for the hours of a backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archive.catalog.work import held_by_hours
from archive.hours import is_held, opens_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.catalog.story import CallStory
    from archive.hours import Backfill


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls of an account wait for the hours, and when these begin."""

    account: str
    calls: int
    opens: datetime


def read_held(tx: Tx, accounts: Iterable[Account], backfill: Backfill, now: datetime) -> list[Held]:
    """Return the accounts of which calls wait for the hours."""
    counted = [(account, held_by_hours(tx, account, backfill, now)) for account in accounts]
    return [
        Held(
            account=account.name,
            calls=calls,
            opens=opens_at(backfill, account.zone, now).astimezone(account.zone),
        )
        for account, calls in counted
        if calls
    ]


def held_text(held: Held) -> str:
    """Say it in a sentence."""
    return (
        f"{held.calls:,} calls of {held.account} wait for the backfill hours, "
        f"from {held.opens:%Y-%m-%d %H:%M %Z} on"
    )


def waits_until(
    story: CallStory, accounts: Mapping[str, Account], backfill: Backfill, now: datetime
) -> datetime | None:
    """Return when the hours begin that a call waits for; None if it waits for none."""
    account = accounts.get(story.account)
    if account is None:
        return None
    began, delete_by = story.facts.began_at, story.delete_by
    if not is_held(backfill, account.zone, began=began, delete_by=delete_by, now=now):
        return None
    return opens_at(backfill, account.zone, now)
