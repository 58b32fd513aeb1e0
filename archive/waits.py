"""What calls that are due later wait for, and how that is said: pure functions.

A call whose download came damaged, or whose host did not answer, waits for a further try of ours;
only one whose recording may not be there yet waits for the provider.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of its fields
from typing import TYPE_CHECKING, Final

import msgspec

from archive.verdicts import RULES, Act

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

_TROUBLES: Final = frozenset(
    symptom.value for symptom, rule in RULES.items() if rule.act is not Act.WAIT
)
_NAMED: Final = 3
"""How many troubles are named; the others are counted together."""


class Wait(msgspec.Struct, frozen=True):
    """Calls that the same reason let wait (empty before a first look), and when one is due next."""

    reason: str
    calls: int
    next_due: datetime


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls of an account wait for the backfill hours, and when these begin."""

    account: str
    calls: int
    opens: datetime


def is_for_provider(reason: str) -> bool:
    """Tell whether a call that waits for this reason waits for the provider to process it.

    Else something went wrong with it, and it is tried again.
    """
    return reason not in _TROUBLES


def for_provider(waits: Iterable[Wait]) -> int:
    """Count the calls that wait for the provider."""
    return sum(one.calls for one in waits if is_for_provider(one.reason))


def for_try(waits: Iterable[Wait]) -> int:
    """Count the calls that wait for a further try."""
    return sum(one.calls for one in waits if not is_for_provider(one.reason))


def waiting_text(waits: Sequence[Wait], held: Sequence[Held], *, zone: ZoneInfo) -> str:
    """Say how many calls wait for what, and until when; empty where none does.

    Times are those of the zone, with its offset.
    """
    return "; ".join(_parts(waits, held, zone))


def _parts(waits: Sequence[Wait], held: Sequence[Held], zone: ZoneInfo) -> Iterator[str]:
    if early := [one for one in waits if is_for_provider(one.reason)]:
        yield _part(early, "for the provider", zone)
    tries = [one for one in waits if not is_for_provider(one.reason)]
    tries.sort(key=lambda one: (-one.calls, one.reason))
    for one in tries[:_NAMED]:
        yield _part([one], f"for a further try of {one.reason}", zone)
    if tries[_NAMED:]:
        yield _part(tries[_NAMED:], "for a further try of something else", zone)
    if held:
        calls = sum(one.calls for one in held)
        opens = min(one.opens for one in held)
        yield f"{calls:,} for the backfill hours, from {_moment(opens, zone)} on"


def _part(waits: Sequence[Wait], words: str, zone: ZoneInfo) -> str:
    calls = sum(one.calls for one in waits)
    due = min(one.next_due for one in waits)
    return f"{calls:,} {words}, next at {_moment(due, zone)}"


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    """Write a moment in full: in a log it stands beside times of UTC."""
    return moment.astimezone(zone).isoformat(timespec="minutes")
