"""Column charts as SVG, which need no script and no library: pure functions."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

import msgspec

from worker.morning.markup import Markup, join, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WIDTH: Final = 420
_HEIGHT: Final = 200
_RIGHT: Final = 8
_TOP: Final = 10
_BOTTOM: Final = 28
_LINES: Final = 4
_GAP: Final = 0.22
_LETTER: Final = 6.1
_LARGE: Final = 8.1
"""A letter's width where a chart is small and its letters are large: see `style.css`."""
_BLANK: Final = 12
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


class Series(msgspec.Struct, frozen=True):
    """One part of each column: its name, the class of its colour, and a figure a column."""

    name: str
    colour: str
    figures: tuple[int, ...]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Columns, each of the series' figures upon each other; ``write`` writes a figure."""

    title: str
    about: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    write: Callable[[float], str]

    @property
    def totals(self) -> list[int]:
        """The height of each column."""
        return [sum(figures) for figures in zip(*(s.figures for s in self.series), strict=True)]

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to be seen."""
        return not any(self.totals)


def ticks(most: float) -> list[float]:
    """Return round whole figures from 0 on, the last not below the most."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / _LINES
    power = 10.0 ** floor(log10(raw))
    steps = (factor * power for factor in _STEPS)
    # Half a call is none: 2.5 of them would be written as 2.
    step = max(1.0, next(one for one in steps if one >= raw and (one < 1 or one.is_integer())))
    return [step * number for number in range(ceil(most / step) + 1)]


def draw(chart: Chart) -> Markup:
    """Return a chart with its title, its legend where there is a choice, and its figures."""
    shown = tuple(one for one in chart.series if any(one.figures))
    content = [
        tag("figcaption", tag("strong", chart.title), " ", tag("span", chart.about)),
        _svg(chart, shown),
    ]
    if len(chart.series) > 1:
        content.append(_legend(shown))
    content.append(_table(chart, shown))
    return tag("figure", *content)


class _Frame(msgspec.Struct, frozen=True):
    """Where the columns stand: there is room for what is written at each side, however large."""

    left: float
    right: float
    columns: int

    @property
    def wide(self) -> float:
        """How much of the width a column has, with its gap."""
        return (self.right - self.left) / self.columns


def _frame(marks: list[str], labels: tuple[str, ...]) -> _Frame:
    half = max(map(len, labels)) * _LARGE / 2
    left = max(max(map(len, marks)) * _LARGE + _BLANK, half)
    # The last label reaches over its column, which becomes narrower by what is left free for that.
    part = 1 / (2 * len(labels))
    over = (half - (_WIDTH - left) * part) / (1 - part)
    return _Frame(left, _WIDTH - max(_RIGHT, over), len(labels))


def _svg(chart: Chart, shown: tuple[Series, ...]) -> Markup:
    marks = ticks(max(chart.totals))
    high = marks[-1]
    frame = _frame([chart.write(mark) for mark in marks], chart.labels)
    pieces = [*_grid(marks, frame, chart.write), *_labels(chart.labels, frame)]
    wide = frame.wide
    for number, label in enumerate(chart.labels):
        at = frame.left + wide * number
        below = 0
        for one in shown:
            figure = one.figures[number]
            if not figure:
                continue
            top = _y(below + figure, high)
            told = f"{label}: {chart.write(figure)}"
            pieces.append(
                tag(
                    "rect",
                    tag("title", f"{told} {one.name}" if len(chart.series) > 1 else told),
                    class_=one.colour,
                    x=f"{at + wide * _GAP / 2:.1f}",
                    y=f"{top:.1f}",
                    width=f"{wide * (1 - _GAP):.1f}",
                    height=f"{max(_y(below, high) - top, 0.5):.1f}",
                )
            )
            below += figure
    return tag(
        "svg",
        *pieces,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{chart.title}. {chart.about}",
    )


def _y(figure: float, high: float) -> float:
    return _HEIGHT - _BOTTOM - figure / high * (_HEIGHT - _TOP - _BOTTOM)


def _grid(marks: list[float], frame: _Frame, write: Callable[[float], str]) -> Iterator[Markup]:
    left, right = f"{frame.left:.1f}", f"{frame.right:.1f}"
    for mark in marks:
        y = f"{_y(mark, marks[-1]):.1f}"
        yield tag("line", class_="grid", x1=left, x2=right, y1=y, y2=y)
        yield tag(
            "text", write(mark), x=f"{frame.left - 6:.1f}", y=y, text_anchor="end", dy="0.32em"
        )


def _labels(labels: tuple[str, ...], frame: _Frame) -> Iterator[Markup]:
    """As many as there is room for; of these, those without a class where letters are large."""
    longest = max(map(len, labels))
    every = max(1, ceil((longest * _LETTER + _BLANK) / frame.wide))
    seldom = ceil((longest * _LARGE + _BLANK) / (frame.wide * every)) * every
    for number, label in enumerate(labels):
        if number % every == 0:
            x = f"{frame.left + frame.wide * (number + 0.5):.1f}"
            roomy = "roomy" if number % seldom else None
            yield tag("text", label, class_=roomy, x=x, y=_HEIGHT - 8, text_anchor="middle")


def _legend(shown: tuple[Series, ...]) -> Markup:
    return tag(
        "ul",
        *(tag("li", tag("i", class_=one.colour), one.name) for one in shown),
        class_="legend",
    )


def _table(chart: Chart, shown: tuple[Series, ...]) -> Markup:
    """The figures themselves, for those who cannot see the columns."""
    head = tag("tr", *(tag("th", name, scope="col") for name in ("", *(s.name for s in shown))))
    rows = join(
        tag(
            "tr",
            tag("th", label, scope="row"),
            *(tag("td", chart.write(one.figures[number]), class_="number") for one in shown),
        )
        for number, label in enumerate(chart.labels)
        if chart.totals[number]
    )
    return tag(
        "details",
        tag("summary", "The figures"),
        tag("table", tag("thead", head), tag("tbody", rows)),
    )
