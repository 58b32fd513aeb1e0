"""When a drain ends though calls are left: nothing that waits can go on before long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from archive.catalog import balance, pauses
from archive.catalog.work import held_by_hours
from archive.errors import FatalError, LaterError, ProviderError
from archive.hours import opens_at
from archive.reasons import meaning_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.catalog.pauses import Paused
    from archive.errors import CallvaultError
    from archive.hours import Backfill

_GIVE_UP_STRIKES: Final = 8
"""Failed probes of a provider that does not answer, after which a drain ends: some ten minutes."""
_HOURS_PATIENCE: Final = timedelta(minutes=15)
"""How long a drain waits for the hours of a backfill to begin."""


def hopeless(
    tx: Tx, accounts: Mapping[str, Account], held: Sequence[Paused], host: str
) -> CallvaultError | None:
    """Return why nothing that waits can go on under the pauses; None where something can."""
    given_up = [p for p in held if p.fatal or p.strikes >= _GIVE_UP_STRIKES]
    ours = {pauses.host_scope(host), pauses.ALL}
    for paused in given_up:
        if paused.scope in ours:
            return explain_pause(paused)
    scopes = {paused.scope: paused for paused in given_up}
    waiting = {pauses.account_scope(name) for name in balance.unsettled_accounts(tx) & {*accounts}}
    if waiting and waiting <= scopes.keys():
        return explain_pause(next(p for p in given_up if p.scope in waiting))
    return None


def waits_for_hours(
    tx: Tx, accounts: Mapping[str, Account], backfill: Backfill, now: datetime
) -> CallvaultError | None:
    """Return that all which is left waits for the hours of a backfill, where that takes long."""
    if not backfill.is_bound:
        return None
    counts = {name: held_by_hours(tx, one, backfill, now) for name, one in accounts.items()}
    held = sum(counts.values())
    # Those in work are not held, either.
    if not held or held < balance.count_unsettled(tx, accounts):
        return None
    # In the zone of the account whose hours come first.
    opens = min(
        opens_at(backfill, accounts[name].zone, now).astimezone(accounts[name].zone)
        for name, count in counts.items()
        if count
    )
    if opens - now <= _HOURS_PATIENCE:
        return None
    return LaterError(
        f"{held:,} calls wait for the backfill hours, from {opens:%Y-%m-%d %H:%M} on",
        hint="run it again then, or let 'callvault work' run: it waits for them",
    )


def explain_pause(paused: Paused) -> CallvaultError:
    """Return the error with which a drain ends that a pause keeps from going on."""
    message = f"{paused.scope} is paused: {paused.reason}, {paused.detail}"
    hint = meaning_of(paused.reason).remedy
    if paused.fatal:
        return FatalError(message, hint=hint)
    return ProviderError(message, hint=hint or "run it again later: nothing is lost")
