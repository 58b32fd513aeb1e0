"""What a run is reported as: a JSON document, and the same as text."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.chaos.watch import Lull, Recovery


class Told(msgspec.Struct, frozen=True):
    """A violated condition, with the story that `explain` tells of its call."""

    condition: str
    sid: str
    found: str
    story: str


class Times(msgspec.Struct, frozen=True):
    """Seconds: how many there are, their median and the worst; None where there are none."""

    count: int
    median: float | None
    worst: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    ``went_on_s`` is how long after a kill amid work another process claimed, settled or put off a
    call; ``given_back_s`` until the calls of the dead were settled or free for others;
    ``recoveries`` has both of each kill, with its time since 1970. ``lulls`` are times of more than
    10 s in which no call was claimed, settled or put off, with what held it up. ``fetched_again``
    counts recordings that were sent to their end once more. ``rightly_failed`` counts calls that
    were given up for passing faults after kills and archived when put back.
    """

    seed: str
    calls: int
    several: float
    faults: float
    disk: str
    took_s: float
    deeds: dict[str, int]
    missed: dict[str, int]
    kills: int
    supervisors: int
    ends: dict[str, int]
    commands: dict[str, int]
    went_on_s: Times
    given_back_s: Times
    recoveries: list[Recovery]
    lulls: list[Lull]
    states: dict[str, int]
    rightly_failed: int
    fired: dict[str, int]
    api_requests: int
    api_peak_per_minute: int
    downloads: int
    fetched_again: int
    bytes: int
    folder: str
    violations: list[Told]


def times(seconds: Iterable[float | None]) -> Times:
    """Sum up those times that there are."""
    there = [time for time in seconds if time is not None]
    if not there:
        return Times(0, None, None)
    return Times(len(there), round(median(there), 2), round(max(there), 2))


def lines(report: Report) -> Iterator[str]:
    """Write a report as text."""
    yield f"seed {report.seed}: {report.calls:,} calls in {report.took_s:,.0f} s ({report.disk})"
    yield f"  done        {_counts(report.deeds)}"
    if report.missed:
        yield f"  found none  {_counts(report.missed)}"
    if report.commands:
        yield f"  commands    {_counts(report.commands)}"
    yield f"  runs        {report.supervisors}, which ended with {_counts(report.ends)}"
    yield f"  kills       {report.kills}"
    yield f"    somebody went on after  {_times(report.went_on_s)}"
    yield f"    all given back after    {_times(report.given_back_s)}"
    for lull in report.lulls:
        why = ", ".join(f"{word} {seconds:.0f} s" for word, seconds in lull.why.items())
        yield f"    nothing moved for       {lull.seconds:.0f} s: {why}"
    yield f"  faults      {sum(report.fired.values()):,}: {_counts(report.fired)}"
    yield (
        f"  requests    {report.api_requests:,} of the API, "
        f"{report.api_peak_per_minute} in the fullest minute"
    )
    yield (
        f"  downloads   {report.downloads:,}, {report.fetched_again:,} of them again; "
        f"{report.bytes / 1e6:,.0f} MB"
    )
    yield f"  calls       {_counts(report.states)}"
    yield f"  rightly failed, then archived: {report.rightly_failed}"
    yield from _verdict(report)


def _verdict(report: Report) -> Iterator[str]:
    if not report.violations:
        yield "  everything holds"
        return
    yield f"  VIOLATED {len(report.violations):,} times; what was left is in {report.folder}"
    for told in report.violations:
        yield f"  {told.condition}{f', call {told.sid}' if told.sid else ''}: {told.found}"
        yield from (f"      {line}" for line in told.story.splitlines())


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "nothing"


def _times(told: Times) -> str:
    if told.median is None:
        return "(none)"
    return f"{told.median} s in the middle, {told.worst} s at worst, of {told.count}"
