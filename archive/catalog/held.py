"""Which calls wait for the hours of a backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.catalog.work import held_by_hours
from archive.hours import opens_at
from archive.waits import Held

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.hours import Backfill


def read_held(tx: Tx, accounts: Iterable[Account], backfill: Backfill, now: datetime) -> list[Held]:
    """Return the accounts of which calls wait for the hours: none while these are open."""
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
