"""The check of a cluster's end: that of the chaos run, and what several hosts could do wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tests.chaos import evidence
from tests.chaos.judge import Violation, judge
from tests.chaos.run import objects_told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.cluster.report import Effect
    from tests.cluster.site import Site

LIMIT: Final = 200
"""Requests a minute, as the provider allows."""
AGAIN_S: Final = 60.0
"""How soon work has to go on, calls in lost hands have to be free again, and a drain has to end."""
_TWICE: Final = "SELECT sid FROM looks WHERE state = 'archived' GROUP BY sid HAVING COUNT(*) > 1"
_STACK: Final = "Traceback"


def judge_end(site: Site, *, ended_s: float) -> list[Violation]:
    """Return everything that is not as it should be; nothing may run on the hosts any more.

    ``ended_s`` is how long after the last call was settled all drains had ended.
    """
    last = site.operator.run("work", "--drain")
    found = evidence.gather(
        site.operator,
        site.provider.truth(),
        told=objects_told([site.folder / "calls.csv"]),
        most_requests=LIMIT,
        last_drain=last.code,
        command_faults=[],
        odd_ends=[odd for crew in site.crews.values() for odd in crew.odd_ends],
    )
    violations = [*judge(found), *_leaves_nothing(site), *_logs_no_stack(site)]
    if ended_s > AGAIN_S:
        found_late = f"drains ended {ended_s} s after the last call was settled"
        violations.append(Violation("time", "", found_late))
    return violations


def _leaves_nothing(site: Site) -> Iterator[Violation]:
    """No call was settled by who held it no longer, and nothing is held or held up."""
    for (sid,) in site.operator.rows(_TWICE):
        yield Violation("settled twice", sid, "by who held it no longer")
    for table in ("batches", "pauses"):
        ((left,),) = site.operator.rows(f"SELECT COUNT(*) FROM {table}")  # noqa: S608 - ours
        if left:
            yield Violation("left behind", "", f"{left} {table}")


def _logs_no_stack(site: Site) -> Iterator[Violation]:
    """Whatever was away, all of it was told in words."""
    for name, vault in site.vaults.items():
        for file in sorted(vault.folder.glob("*.err")):
            before, _, after = file.read_text().partition(_STACK)
            if after:
                found = f"{name}/{file.name}: {before[-300:]}{_STACK}{after[:700]}"
                yield Violation("runs", "", found)


def note_gaps(site: Site, effects: Sequence[Effect]) -> None:
    """Note for each trouble the longest time in which no call was settled or put off."""
    rows = site.operator.rows("SELECT at_ms FROM looks ORDER BY at_ms")
    looks = [at / 1000 for (at,) in rows]
    ends = [effect.at for effect in effects[1:]] + [looks[-1] if looks else 0.0]
    for effect, end in zip(effects, ends, strict=False):
        gaps = [b - a for a, b in pairwise(looks) if b > effect.at and a < end]
        effect.gap_s = round(max(gaps), 1) if gaps else None
