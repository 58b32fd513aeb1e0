"""What holds work up: rows that survive restarts and a flushed queue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from archive.clock import from_ms, to_ms

if TYPE_CHECKING:
    from datetime import timedelta

    from archive.catalog.database import Tx


class Paused(msgspec.Struct, frozen=True):
    """A pause in force. From ``probe_at`` on, one batch may try whether the cause is gone."""

    scope: str
    reason: str
    detail: str
    fatal: bool
    strikes: int
    since: datetime
    probe_at: datetime


ALL: Final = "all"
"""The scope of a pause of everything."""
OPERATOR: Final = "operator"
"""The reason of a pause that a person made; no probe lifts it."""
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


def account_scope(name: str) -> str:
    """Return the scope of a pause of one account."""
    return f"account:{name}"


def host_scope(name: str) -> str:
    """Return the scope of a pause of one host."""
    return f"host:{name}"


def pauses(tx: Tx) -> list[Paused]:
    """Return all pauses in force."""
    return [
        Paused(
            row["scope"],
            row["reason"],
            row["detail"],
            bool(row["fatal"]),
            row["strikes"],
            from_ms(row["since_ms"]),
            from_ms(row["probe_ms"]),
        )
        for row in tx.rows("pauses")
    ]


def pause(
    tx: Tx, scope: str, *, reason: str, detail: str, fatal: bool, after: timedelta, now: datetime
) -> None:
    """Hold work up, until a probe ``after`` this long finds the cause gone."""
    tx.run(
        "pause",
        scope=scope,
        reason=reason,
        detail=detail,
        fatal=int(fatal),
        now_ms=to_ms(now),
        probe_ms=to_ms(now + after),
    )


def pause_by_operator(tx: Tx, scope: str, *, why: str, now: datetime) -> None:
    """Hold work up until a person lifts it."""
    pause(tx, scope, reason=OPERATOR, detail=why, fatal=True, after=_NEVER - now, now=now)


def probe_all(tx: Tx, now: datetime) -> None:
    """Let every pause but an operator's be probed at once, as a new run does."""
    tx.run("probe_all", now_ms=to_ms(now))


def lift_probed(tx: Tx, probed: Paused) -> bool:
    """End a pause whose cause a probe found gone, never an operator's; return whether it did."""
    return bool(tx.run("lift_probed", scope=probed.scope, since_ms=to_ms(probed.since)))


def lift(tx: Tx, scope: str) -> bool:
    """End a pause; return whether there was one."""
    return bool(tx.run("lift", scope=scope))
