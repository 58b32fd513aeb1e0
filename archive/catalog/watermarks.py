"""How far the listing was read, what was usual in a stretch of time, and what is odd about one."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from archive.call import Source
from archive.catalog.hearings import hear
from archive.clock import from_ms, to_ms
from archive.polling import HOLD, LEAST, Mark, former
from archive.provider_time import day_of

if TYPE_CHECKING:
    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.polling import Walk
    from archive.windows import Window


def watermark(tx: Tx, account: str, walk: Walk) -> Mark | None:
    """Return how far a walk has come; None before its first window."""
    found = tx.rows("watermark", account=account, walk=walk.value)
    return Mark(from_ms(found[0]["until_ms"]), from_ms(found[0]["moved_ms"])) if found else None


def complete(
    tx: Tx,
    account: str,
    walk: Walk,
    until: datetime,
    *,
    heard_since: datetime | None,
    now: datetime,
) -> None:
    """Note that a window was read to its last page, and that the listing was heard meanwhile.

    ``heard_since`` is None for an answer that is not believed to be all.
    """
    tx.run(
        "move_watermark",
        account=account,
        walk=walk.value,
        until_ms=to_ms(until),
        moved_ms=to_ms(now),
    )
    if heard_since is not None:
        hear(tx, account, Source.LISTING, heard_since, now)


def has_always_some(tx: Tx, account: Account, window: Window) -> bool:
    """Tell whether a window in which nothing is listed should have calls.

    Calls of it are known already, or it had some each week, or each day, as far as is known.
    """
    first = tx.value("first_day", account=account.name)
    if not first:
        return False
    if _has_some(tx, account, window):
        return True
    # The first day may not be known from its beginning.
    known_since = datetime.combine(datetime.fromisoformat(first), time.max, account.zone)
    stretches = former(window, known_since.astimezone(UTC))
    return bool(stretches) and all(_has_some(tx, account, one) for one in stretches)


def _has_some(tx: Tx, account: Account, window: Window) -> bool:
    found = tx.value(
        "calls_between",
        account=account.name,
        first_day=day_of(window.start, account.zone),
        last_day=day_of(window.end, account.zone),
        from_ms=to_ms(window.start),
        to_ms=to_ms(window.end),
        most=LEAST,
    )
    return int(found) >= LEAST


def note_odd(tx: Tx, what: str, detail: str, *, host: str, now: datetime) -> datetime:
    """Note for `status` what polling meets, and return since when it has met it.

    One that was not met for long is another one.
    """
    found = tx.rows(
        "note_odd",
        host=host,
        what=what,
        detail=detail,
        now_ms=to_ms(now),
        stale_ms=to_ms(now - HOLD),
    )
    return from_ms(found[0]["since_ms"])


def forget_odd(tx: Tx, what: str) -> int:
    """Note that it is over, whichever host had met it; return how many had."""
    return tx.run("forget_odd", what=what)
