"""What was measured as it stands in ``docs/performance.md``: tables and plots."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from bench.material import SIZES, size_named
from bench.plots import chart
from bench.summary import Line, cells_of, lines_of, without_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bench.rounds import Measured, Turn

_BEGIN: Final = "<!-- what make bench wrote begins here -->"
_END: Final = "<!-- what make bench wrote ends here -->"
_HEAD: Final = (
    "| contestant | processes | recordings/s | least, most | of curl | MB/s | CPU ms | of curl "
    "| MiB at most | API requests per 1,000 | server's share of a core |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|\n"
)
_VERSIONS: Final = (
    ("nginx", "-v"),
    ("curl", "--version"),
    ("aria2c", "--version"),
    ("jq", "--version"),
)


def write_page(page: Path, measured: Measured, command: str) -> None:
    """Put the tables into the page between its two marks, and the plots beside it.

    Raises:
        SystemExit: the page has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{page} has lost the marks between which the tables stand")
    plots = dict(_plots(measured))
    body = "\n\n".join(_parts(measured, command, plots))
    page.write_text(f"{before}{begin}\n\n{body}\n\n{end}{after}", encoding="utf-8")
    folder = page.parent / "performance"
    folder.mkdir(exist_ok=True)
    for name, picture in plots.items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")


def _parts(measured: Measured, command: str, plots: dict[str, str]) -> Iterator[str]:
    yield f"Command: `{command}`  \n" + "  \n".join(_machine(measured))
    for name in plots:
        yield f"![{name.replace('-', ' ')}](performance/{name}.svg)"
    turns = [*measured.turns, *without_start(measured.turns, measured.starts)]
    for size, latency_ms in _in_order(turns):
        yield f"### {size}, {latency_ms} ms\n\n{_HEAD}" + "\n".join(
            map(_row, lines_of(turns, (size, latency_ms), size_named(size).about))
        )
    yield (
        "### What the server could have given\n\n"
        "A client that throws away what comes, over one connection:\n\n"
        "| class | recordings/s | server's CPU, ms each |\n|---|---|---|\n"
        + "\n".join(
            f"| {flood.size} | {flood.per_second:,.0f} | {flood.server_cpu_ms:.3f} |"
            for flood in measured.floods
        )
    )


def _in_order(turns: Iterable[Turn]) -> list[tuple[str, int]]:
    """Return the cells, the least latency and the smallest recordings first."""
    return sorted(cells_of(turns), key=lambda cell: (cell[1], size_named(cell[0]).about))


def _row(line: Line) -> str:
    least, most = line.spread
    name = line.contestant.replace("|", "\\|")
    return (
        f"| {name} | {line.processes} | {_short(line.per_second)} "
        f"| {_short(least)}, {_short(most)} | {line.ratio:.2f} | {_short(line.mb_per_second)} "
        f"| {line.cpu_ms:.2f} | {line.cpu_ratio:.2f} | {line.peak_mib:.0f} | {line.asked:.1f} "
        f"| {line.server_share:.0%} |"
    )


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"  # noqa: PLR2004 - three digits


def _plots(measured: Measured) -> Iterator[tuple[str, str]]:
    for latency_ms in dict.fromkeys(turn.latency_ms for turn in measured.turns):
        rates = _series(measured, latency_ms, lambda line: line.per_second)
        if len(rates[0]) == 1:
            continue  # a point is no line
        title = f"Recordings a second, round trip {latency_ms} ms"
        yield f"rate-{latency_ms}-ms", chart(title, *rates)
        if not latency_ms:
            costs = _series(measured, latency_ms, lambda line: line.cpu_ms)
            yield "cpu", chart("CPU of a recording in ms, round trip 0 ms", *costs)


def _series(
    measured: Measured, latency_ms: int, figure: Callable[[Line], float]
) -> tuple[list[str], dict[str, list[float]]]:
    cells = [cell for cell in _in_order(measured.turns) if cell[1] == latency_ms]
    series: dict[str, list[float]] = {}
    for cell in cells:
        for line in lines_of(measured.turns, cell, 1):
            name = f"{line.contestant} ({line.processes})"
            series.setdefault(name, []).append(figure(line))
    whole = {name: line for name, line in series.items() if len(line) == len(cells)}
    return [size for size, _ in cells], whole


def _machine(measured: Measured) -> Iterator[str]:
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - /proc
        model = re.search(r"^model name\s*: (.+)$", file.read(), flags=re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield (
        f"Machine: {os.cpu_count()} cores ({model[1] if model else platform.machine()}), "
        f"{memory:.0f} GiB, Linux {platform.release()}; load when it ended {os.getloadavg()[0]:.1f}"
    )
    said = [subprocess.run(v, capture_output=True, text=True, check=False) for v in _VERSIONS]
    first = [(done.stdout or done.stderr).splitlines()[0].split(" (")[0] for done in said]
    yield f"Versions: Python {sys.version.split()[0]}, {', '.join(first)}"
    yield f"Latency is made by {measured.network}; sizes are " + ", ".join(
        f"{size.name} ({size.about:,} bytes)" for size in SIZES
    )
