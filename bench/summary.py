"""Medians of rounds, and ratios of what was done in the same round: pure functions."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bench.rounds import Turn

BASE: Final = "curl --parallel"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a contestant came to in a cell, by the median of the rounds.

    ``spread`` is the least and the most of recordings a second, ``ratio`` and ``cpu_ratio`` are to
    `BASE` of the same round, ``asked`` the requests to the API for a thousand recordings.
    """

    contestant: str
    processes: int
    count: int
    per_second: float
    spread: tuple[float, float]
    cpu_ms: float
    peak_mib: float
    asked: float
    ratio: float
    cpu_ratio: float
    server_share: float
    mb_per_second: float


def without_start(turns: Iterable[Turn], starts: Sequence[Turn]) -> list[Turn]:
    """Return turns without the CPU that the same contestant takes for one recording (the median).

    Those of whom that is not known are left out. The time by the clock stays what it was: a batch
    of one waits for others, and what a run begins with overlaps with what it does.
    """
    rest = []
    for turn in turns:
        begun = [start.cpu_s for start in starts if _place_of(start) == _place_of(turn)]
        if begun:
            name = f"{turn.contestant}, CPU without its start"
            cpu_s = turn.cpu_s - statistics.median(begun)
            rest.append(msgspec.structs.replace(turn, contestant=name, cpu_s=cpu_s))
    return rest


def _place_of(turn: Turn) -> tuple[str, int, str, int]:
    return turn.contestant, turn.processes, turn.size, turn.latency_ms


def cells_of(turns: Iterable[Turn]) -> list[tuple[str, int]]:
    """Return the cells in the order they were measured."""
    return list(dict.fromkeys((turn.size, turn.latency_ms) for turn in turns))


def lines_of(turns: Sequence[Turn], cell: tuple[str, int], length: float) -> list[Line]:
    """Return a line for each contestant of a cell whose recordings have ``length`` bytes."""
    here = [turn for turn in turns if (turn.size, turn.latency_ms) == cell]
    names = dict.fromkeys((turn.contestant, turn.processes) for turn in here)
    base = _of(here, BASE, 1)
    return [_line(_of(here, *name), base, length) for name in names]


def _of(turns: Iterable[Turn], contestant: str, processes: int) -> list[Turn]:
    return [t for t in turns if (t.contestant, t.processes) == (contestant, processes)]


def _line(mine: list[Turn], base: list[Turn], length: float) -> Line:
    def median(figure: Callable[[Turn], float]) -> float:
        return statistics.median(map(figure, mine))

    def against(figure: Callable[[Turn], float]) -> float:
        # Who is left out of some rounds was there in the first ones.
        pairs = zip(mine, base, strict=False)
        return statistics.median(figure(turn) / figure(other) for turn, other in pairs)

    rates = [_per_second(turn) for turn in mine]
    return Line(
        contestant=mine[0].contestant,
        processes=mine[0].processes,
        count=mine[0].count,
        per_second=median(_per_second),
        spread=(min(rates), max(rates)),
        cpu_ms=median(_cpu_ms),
        peak_mib=median(lambda turn: turn.peak_mib),
        asked=median(lambda turn: 1000 * (turn.requests - turn.count) / turn.count),
        ratio=against(_per_second),
        cpu_ratio=against(_cpu_ms),
        server_share=median(lambda turn: turn.server_cpu_s / turn.wall_s),
        mb_per_second=median(_per_second) * length / 1e6,
    )


def _per_second(turn: Turn) -> float:
    return turn.count / turn.wall_s


def _cpu_ms(turn: Turn) -> float:
    return 1000 * turn.cpu_s / turn.count
