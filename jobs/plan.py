"""Which due calls go into which batches: a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from archive.catalog.work import DueCall

LINGER_MS: Final = 2500
"""How long a batch that is not full waits for more calls: a request is spent on it either way."""

LATELY_EVERY: Final = 5
"""One batch in so many is of the newest calls, whatever the backlog of older ones."""


def in_order(found: Sequence[DueCall], most: int) -> list[DueCall]:
    """Return due calls in the order in which batches are made of them.

    Of a backlog what is deleted first goes first, as they were found. Fewer than the ``most`` that
    were asked for are no backlog: there is room for all, and only what is left over from a full
    batch waits for more. That should be who came last, since who has waited takes the others along
    in a batch that is not full.
    """
    return sorted(found, key=lambda call: call.due_ms) if len(found) < most else list(found)


def plan_batches(
    by_deletion: Iterable[DueCall],
    lately: Iterable[DueCall],
    *,
    queued: AbstractSet[str],
    room: int,
    size: int,
    turn: int,
    now_ms: int,
) -> list[list[str]]:
    """Return the Sids of up to ``room`` batches of one account.

    Each batch is of one month, so that one request resolves it. What is deleted first goes first;
    every fifth batch (counted on from ``turn``) is of the newest calls.

    Args:
        by_deletion: due calls, earliest deletion first.
        lately: due calls of the last day, newest first.
        queued: Sids that are in a batch already.
        room: how many batches may be added.
        size: the most calls a batch may have.
        turn: how many batches were planned before.
        now_ms: the time, against which a batch that is not full has waited.
    """
    taken = set(queued)
    sources = (_batches(by_deletion, taken, size, now_ms), _batches(lately, taken, size, now_ms))
    planned: list[list[str]] = []
    while len(planned) < room:
        newest_first = (turn + len(planned)) % LATELY_EVERY == LATELY_EVERY - 1
        preferred, other = reversed(sources) if newest_first else sources
        batch = next(preferred, None) or next(other, None)
        if batch is None:
            break
        planned.append(batch)
    return planned


def _batches(
    calls: Iterable[DueCall], taken: set[str], size: int, now_ms: int
) -> Iterator[list[str]]:
    """Yield full batches as they fill, then those others that have waited long enough."""
    filling: dict[str, list[DueCall]] = {}
    for call in calls:
        if call.sid in taken:
            continue
        batch = filling.setdefault(call.month, [])
        batch.append(call)
        if len(batch) >= size:
            yield from _hand_out(filling.pop(call.month), taken)
    for batch in filling.values():
        if min(call.due_ms for call in batch) <= now_ms - LINGER_MS:
            yield from _hand_out(batch, taken)


def _hand_out(batch: list[DueCall], taken: set[str]) -> Iterator[list[str]]:
    # Asked again, since the other source may have handed some of them out meanwhile.
    sids = [call.sid for call in batch if call.sid not in taken]
    taken.update(sids)
    if sids:
        yield sids
