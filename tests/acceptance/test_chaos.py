"""A short chaos run: everything bad at once, from a seed; the long one is `make chaos`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.plan import KILLS
from tests.chaos.report import lines
from tests.chaos.run import Options, run

if TYPE_CHECKING:
    from pathlib import Path

RECOVERED_SOON = (
    "error-500,error-502,error-504,forbidden,expired,not-found,gone,range,html,xml,json,empty,"
    "leave-out,null-url,dead-url,wrong-type,wrong-md5,flipped,truncated,reset-mid,"
    "longer,reset,stall,redirect,redirect-other,clock-skew"
)
"""The default mix without what is waited out for a quarter of a minute or more, as a 429 is."""


def test_everything_bad_at_once_leaves_a_true_archive(tmp_path: Path) -> None:
    """Faults on a fifth of the answers, kills, a flushed queue, a locked catalog, a full disk.

    Three in ten of the recorded calls have two or three recordings, which an export lists.
    Everything that should be here is here, intact, and what is not is rightly so.
    """
    options = Options(
        seed="short",
        calls=200,
        kills=8,
        several=0.3,
        flushes=1,
        minutes_cap=5,
        size="20KB",
        minute=0.2,
        kinds=RECOVERED_SOON,
        within=tmp_path,
    )

    report = run(options)

    told = "\n".join(lines(report))
    assert report.violations == [], told
    done = {deed: report.deeds.get(deed, 0) for deed in KILLS}
    assert sum(done.values()) + sum(report.missed.get(deed, 0) for deed in KILLS) == 8, told
    assert report.kills == sum(done.values()), told
    assert report.kills > 0, told
    assert sum(report.fired.values()) > 0, told
