"""Percentiles and bars of measures that come counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archive.morning.facts import Bar, Spread
from archive.morning.measures import bars_of, even_bounds, gather, spread_of

COUNTED = st.dictionaries(st.integers(-50, 5_000), st.integers(1, 40), max_size=30)


def test_percentiles_are_those_of_the_measures_themselves() -> None:
    """Of a hundred measures from 1 to 100, so many per cent do not exceed so much."""
    expected = Spread(count=100, least=1, p50=50, p90=90, p99=99, most=100)
    assert expected == spread_of(dict.fromkeys(range(1, 101), 1))
    assert spread_of({}) is None
    assert spread_of({7: 0}) is None


@given(COUNTED)
def test_counted_measures_lie_as_single_ones_do(counted: dict[int, int]) -> None:
    """As if each had been written down by itself and all were sorted."""
    single = sorted(value for value, count in counted.items() for _ in range(count))
    found = spread_of(counted)
    if not single:
        assert found is None
        return
    ranks = [-(-len(single) * percent // 100) - 1 for percent in (50, 90, 99)]
    p50, p90, p99 = (single[rank] for rank in ranks)
    expected = Spread(
        count=len(single), least=single[0], p50=p50, p90=p90, p99=p99, most=single[-1]
    )
    assert expected == found


def test_bars_hold_what_is_below_their_bound() -> None:
    """A bound itself is in the bar above it; what is above all has a bar without one."""
    expected = (Bar(10, 3), Bar(20, 4), Bar(None, 1))
    assert expected == bars_of({-1: 1, 9: 2, 10: 4, 20: 1}, [10, 20])


@given(COUNTED)
def test_no_bar_loses_a_measure(counted: dict[int, int]) -> None:
    """Whatever they are, even bounds keep all, and in so many bars that they can be drawn."""
    bounds = even_bounds(counted, (1, 6, 24, 240), 14)
    bars = bars_of(counted, bounds)
    assert sum(counted.values()) == sum(bar.count for bar in bars)
    assert len(bars) <= 16
    if max(counted, default=0) - min(counted, default=0) < 240 * 13:
        assert bars[0].count == 0


def test_the_same_value_is_added_up() -> None:
    """Two accounts' measures are one's."""
    assert gather([(5, 1), (6, 2), (5, 3)]) == {5: 4, 6: 2}
