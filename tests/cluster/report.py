"""What a run on a cluster is reported as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.chaos.judge import Violation  # noqa: TC001 - msgspec reads the types when it decodes

if TYPE_CHECKING:
    from collections.abc import Iterator


class Effect(msgspec.Struct, kw_only=True):
    """One trouble and what followed; seconds, None where it was not seen or does not apply.

    ``in_hand`` is how many calls were in the hands of who was hit. ``went_on_s`` is how long it
    took until a host that was not hit began a batch, ``given_back_s`` until none of the batches in
    hand was held any more, ``led_s`` until another led; ``back_s`` is how long after its end who
    was hit began a batch. ``gap_s`` is the longest time in which no call was settled or put off.
    """

    name: str
    host: str
    at: float
    in_hand: int
    went_on_s: float | None = None
    given_back_s: float | None = None
    led_s: float | None = None
    back_s: float | None = None
    gap_s: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run; ``ended_s`` is how long after the last call was settled all drains had ended."""

    plan: str
    calls: int
    took_s: float
    effects: list[Effect]
    ends: dict[str, dict[str, int]]
    ended_s: float
    catalog_starts: int
    states: dict[str, int]
    rightly_failed: int
    downloads: int
    fetched_again: int
    may_be_fetched_again: int
    folder: str
    violations: list[Violation]


def lines(report: Report) -> Iterator[str]:
    """Write a report as text."""
    yield f"{report.plan}: {report.calls:,} calls in {report.took_s:,.0f} s"
    heads = ("in hand", "went on", "given", "led", "back", "gap")
    yield f"  {'what (host hit)':<44}{''.join(f'{head:>8}' for head in heads)}"
    for one in report.effects:
        times = (one.went_on_s, one.given_back_s, one.led_s, one.back_s, one.gap_s)
        shown = "".join(f"{'-' if t is None else f'{t:.1f}':>8}" for t in times)
        yield f"  {f'{one.name} ({one.host})':<44}{one.in_hand:>8}{shown}"
    yield f"  runs ended  {report.ends}, {report.ended_s} s after the last call was settled"
    yield f"  the catalog's server was started again {report.catalog_starts} times"
    yield f"  calls       {report.states}; rightly failed, then archived: {report.rightly_failed}"
    yield (
        f"  downloads   {report.downloads:,}, {report.fetched_again:,} of them again"
        f" (at most {report.may_be_fetched_again:,} explained)"
    )
    if not report.violations:
        yield "  everything holds"
        return
    yield f"  VIOLATED {len(report.violations):,} times; what was left is in {report.folder}"
    for told in report.violations[:50]:
        yield f"  {told.condition} {told.sid}: {told.found}"
