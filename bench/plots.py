"""Line charts with a logarithmic height, as SVG: pure functions."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WIDTH: Final = 760
_HEIGHT: Final = 340
_LEFT: Final = 64
_RIGHT: Final = 200
_TOP: Final = 34
_BOTTOM: Final = 34
_LEGEND: Final = 20
# Told apart by those who do not see all colours, too (Okabe and Ito's), and by their dashes.
_STROKES: Final = (
    ("#000000", ""),
    ("#e69f00", "6 3"),
    ("#0072b2", ""),
    ("#56b4e9", "6 3"),
    ("#009e73", "2 3"),
    ("#f0e442", ""),
    ("#cc79a7", "6 3"),
    ("#d55e00", "6 3"),
    ("#d55e00", ""),
)


def chart(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Return a chart with a line for each series, whose figures are all above 0."""
    figures = [figure for line in series.values() for figure in line]
    low, high = floor(log10(min(figures))), ceil(log10(max(figures)))
    high = max(high, low + 1)

    def x(place: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * place / max(1, len(labels) - 1)

    def y(figure: float) -> float:
        share = (log10(figure) - low) / (high - low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    def parts() -> Iterator[str]:
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            f'font-family="sans-serif" font-size="12" role="img" aria-label="{title}">'
        )
        yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
        yield f'<text x="{_LEFT}" y="18" font-weight="bold">{title}</text>'
        for power in range(low, high + 1):
            at, right = y(10.0**power), _WIDTH - _RIGHT
            yield f'<path d="M{_LEFT} {at:.1f}H{right}" stroke="#dddddd"/>'
            yield f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        for place, label in enumerate(labels):
            yield f'<text x="{x(place):.1f}" y="{_HEIGHT - 12}" text-anchor="middle">{label}</text>'
        for number, (name, line) in enumerate(series.items()):
            colour, dashes = _STROKES[number % len(_STROKES)]
            style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
            points = " ".join(f"{x(at):.1f},{y(one):.1f}" for at, one in enumerate(line))
            yield f'<polyline points="{points}" {style}/>'
            at = _TOP + 8 + number * _LEGEND
            left = _WIDTH - _RIGHT + 14
            yield f'<path d="M{left} {at}h22" {style}/>'
            yield f'<text x="{left + 28}" y="{at + 4}">{name}</text>'
        yield "</svg>\n"

    return "\n".join(parts())
