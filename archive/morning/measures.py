"""Percentiles and bars of measures that come counted: pure functions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from archive.morning.facts import Bar, Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def spread_of(counted: Mapping[int, int]) -> Spread | None:
    """Return how measures lie, given how often each value was met; None where there is none.

    A percentile is the least value that at least so many of the measures do not exceed.
    """
    values = sorted(value for value, count in counted.items() if count > 0)
    total = sum(counted[value] for value in values)
    if not total:
        return None
    return Spread(
        count=total,
        least=values[0],
        p50=_percentile(values, counted, -(-total * 50 // 100)),
        p90=_percentile(values, counted, -(-total * 90 // 100)),
        p99=_percentile(values, counted, -(-total * 99 // 100)),
        most=values[-1],
    )


def _percentile(values: Sequence[int], counted: Mapping[int, int], rank: int) -> int:
    passed = 0
    for value in values:
        passed += counted[value]
        if passed >= rank:
            return value
    return values[-1]


def bars_of(counted: Mapping[int, int], bounds: Sequence[int]) -> tuple[Bar, ...]:
    """Count measures between bounds, which rise; the last bar has none above it."""
    limits = [None, *bounds, None]
    return tuple(
        Bar(upper, sum(n for value, n in counted.items() if _is_between(value, lower, upper)))
        for lower, upper in pairwise(limits)
    )


def _is_between(value: int, lower: int | None, upper: int | None) -> bool:
    return (lower is None or value >= lower) and (upper is None or value < upper)


def even_bounds(counted: Mapping[int, int], steps: Sequence[int], most: int) -> list[int]:
    """Return bounds that are equally far apart and show all measures in few bars."""
    if not counted:
        return []
    low, high = min(counted), max(counted)
    step = next((one for one in steps if (high - low) / one < most), steps[-1])
    first = low // step * step
    return list(range(first, first + (most + 1) * step, step))


def gather(counted: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Add up counts of the same value."""
    found: dict[int, int] = {}
    for value, count in counted:
        found[value] = found.get(value, 0) + count
    return found
