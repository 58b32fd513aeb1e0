"""Two days in pressed time, in the form of ``make week``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.callbacks import Fate
from tests.week.run import Plan, run

if TYPE_CHECKING:
    from pathlib import Path

    from archive.sources import Silence

HOUR = timedelta(hours=1)


async def test_every_call_is_known_in_the_end_and_each_sources_gap_is_named(tmp_path: Path) -> None:
    """Callbacks lost, doubled and late, each source away for a while, a storm of 429."""
    plan = Plan(
        days=2,
        calls=400,
        step=timedelta(minutes=30),
        fate=Fate(lost=15, doubled=10, late=15),
        web_down=(10 * HOUR, 13 * HOUR),
        poller_down=(22 * HOUR, 30 * HOUR),
        storm=(38 * HOUR, 38 * HOUR + timedelta(minutes=30)),
    )
    told = await run(plan, tmp_path)
    sources = {one.source: one for one in told.sources}
    assert told.known == told.calls
    assert told.long_calls > 2
    assert told.dropped > 10
    assert told.failed_rounds >= 1
    assert sources["listing"].calls == told.calls
    assert sources["listing"].alone == told.calls - sources["webhook"].calls > 0
    # In the first night there is no poller; by the second, polling has caught up.
    assert told.found_by_night[1:] == [0]
    assert any(lasted(gap) >= 3 * HOUR for gap in sources["webhook"].silences)
    assert any(lasted(gap) >= 8 * HOUR for gap in sources["listing"].silences)


def lasted(gap: Silence) -> timedelta:
    """Return how long a source was silent."""
    assert gap.until is not None
    return gap.until - gap.since
