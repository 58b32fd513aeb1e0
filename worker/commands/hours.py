"""What is said of calls that wait for the hours of a backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.hours import is_held, opens_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.story import CallStory
    from archive.hours import Backfill
    from archive.waits import Held


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
