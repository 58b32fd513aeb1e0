"""Which charts a morning report has, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.commands.options import human_bytes
from worker.morning.charts import Chart, Series
from worker.morning.say import clock, short_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archive.morning.facts import Bar, Counts, Morning

_PARTS: Final = (
    ("archived", "archived"),
    ("without", "no recording"),
    ("waiting", "waiting"),
    ("failed", "failed"),
    ("lost", "lost"),
)
_DAY: Final = 24


def pictures(morning: Morning) -> dict[str, list[Chart]]:
    """Return the charts by the key of the section that they stand in; empty ones are left out."""
    made = {
        "day": [_hours(morning), _promptness(morning), *_past(morning), _margins(morning)],
    }
    return {
        key: [chart for chart in charts if chart.labels and not chart.is_empty]
        for key, charts in made.items()
    }


def _stacked(counts: Sequence[Counts]) -> tuple[Series, ...]:
    return tuple(
        Series(name, field, tuple(getattr(one, field) for one in counts)) for field, name in _PARTS
    )


def _count(figure: float) -> str:
    return f"{figure:,.0f}"


def _hours(morning: Morning) -> Chart:
    return Chart(
        title="Calls by the hour",
        about="in which they began, and what became of them",
        labels=tuple(f"{hour.begin:%H:%M}" for hour in morning.hours),
        series=_stacked([hour.counts for hour in morning.hours]),
        write=_count,
    )


def _past(morning: Morning) -> Iterator[Chart]:
    days = morning.past
    labels = tuple(short_day(one.day) for one in days)
    yield Chart(
        title="Calls of the last days",
        about="by the day on which they began, as they stand now",
        labels=labels,
        series=_stacked([one.counts for one in days]),
        write=_count,
    )
    yield Chart(
        title="Written by day",
        about="bytes of recordings that came on each day, of whatever day their call was",
        labels=labels,
        series=(Series("bytes", "archived", tuple(one.bytes or 0 for one in days)),),
        write=_axis,
    )


def _promptness(morning: Morning) -> Chart:
    bars = _trimmed(morning.promptness.bars)
    return Chart(
        title="From a call's end to the disk",
        about="recordings by how long it took, of calls that became known in time",
        labels=tuple(_bar_names(bars, clock)),
        series=(Series("recordings", "archived", tuple(bar.count for bar in bars)),),
        write=_count,
    )


def _margins(morning: Morning) -> Chart:
    bars = _trimmed(morning.margins.bars)
    return Chart(
        title="Time left until the provider's deletion",
        about="when the recording was on disk",
        labels=tuple(_bar_names(bars, _hours_left)),
        series=(Series("recordings", "archived", tuple(bar.count for bar in bars)),),
        write=_count,
    )


def _trimmed(bars: Sequence[Bar]) -> list[Bar]:
    """Leave out what is empty at both ends."""
    full = [number for number, bar in enumerate(bars) if bar.count]
    return list(bars[full[0] : full[-1] + 1]) if full else []


def _bar_names(bars: Sequence[Bar], write: Callable[[int], str]) -> Iterator[str]:
    for bar, before in zip(bars, [None, *bars], strict=False):
        if bar.below is not None:
            yield f"< {write(bar.below)}"
        else:
            yield f"≥ {write(before.below)}" if before and before.below is not None else "all"


def _hours_left(hours: int) -> str:
    days, rest = divmod(hours, _DAY)
    return f"{days} d {rest} h" if days and rest else f"{days} d" if days else f"{rest} h"


def _axis(size: float) -> str:
    """Write bytes without a fraction, where there is none."""
    return human_bytes(size).replace(".0 ", " ").replace(".00 ", " ")
