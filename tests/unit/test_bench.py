"""What the comparison makes of its turns, and how it draws it."""

from __future__ import annotations

from bench.plots import chart
from bench.rounds import Turn
from bench.summary import BASE, cells_of, lines_of, without_start


def turn(contestant: str, *, wall_s: float, cpu_s: float = 1.0, count: int = 100) -> Turn:
    """Return a turn of some recordings."""
    return Turn(
        size="129 KB",
        latency_ms=0,
        contestant=contestant,
        processes=1,
        count=count,
        wall_s=wall_s,
        cpu_s=cpu_s,
        peak_mib=10.0,
        requests=count + 1,
        server_cpu_s=0.1,
    )


def test_ratios_are_of_turns_of_one_round() -> None:
    """A round that was slow for both changes no ratio, and the median is of the ratios."""
    turns = [
        turn(BASE, wall_s=1.0),
        turn("ours", wall_s=2.0),
        turn(BASE, wall_s=10.0),
        turn("ours", wall_s=20.0),
    ]
    assert cells_of(turns) == [("129 KB", 0)]
    base, ours = lines_of(turns, ("129 KB", 0), 129_000)
    assert base.ratio == 1.0
    assert ours.ratio == 0.5
    assert ours.spread == (5.0, 50.0)
    assert ours.asked == 10.0


def test_a_start_is_taken_from_those_who_have_one() -> None:
    """The CPU that one recording takes is taken off, and the time stays."""
    turns = [turn(BASE, wall_s=1.0), turn("ours", wall_s=3.0), turn("ours", wall_s=1.0)]
    starts = [turn("ours", wall_s=1.0, cpu_s=0.25, count=1)]
    rest = without_start(turns, starts)
    assert [one.wall_s for one in rest] == [3.0, 1.0]
    assert {0.75} == {one.cpu_s for one in rest}
    assert {"ours, CPU without its start"} == {one.contestant for one in rest}


def test_a_chart_has_a_line_for_each_series() -> None:
    """Each series is drawn and named."""
    picture = chart("Rates", ["small", "large"], {"one": [1.0, 10.0], "two": [2.0, 2000.0]})
    assert picture.count("<polyline") == 2
    assert ">two</text>" in picture
