"""What a person sees of a run: a line when something changed, a bar that draws anywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.call import State
from archive.catalog.balance import Tally
from archive.catalog.pauses import Paused
from archive.waits import Wait
from tests.unit.books import NOW
from worker.progress import BarProgress, LogProgress, RunState, rest_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.progress import Progress

PAUSED = Paused(
    scope="account:main",
    reason="api-timeout",
    detail="d",
    fatal=False,
    strikes=1,
    since=NOW,
    probe_at=NOW + timedelta(minutes=1),
)


def tally(waiting: int = 0, trying: int = 0, **states: int) -> Tally:
    """Return a count of calls."""
    waits = [Wait("not-ready", waiting, NOW), Wait("body-digest", trying, NOW)]
    counted = {state: states.get(state.value, 0) for state in State}
    return Tally(states=counted, waits=tuple(one for one in waits if one.calls))


def update(
    progress: Progress, counted: Tally, *, recordings: int = 0, held: Sequence[Paused] = ()
) -> None:
    """Show a state of the run."""
    size = recordings * 1000
    progress.update(
        RunState(
            tally=counted,
            recordings=recordings,
            size=size,
            requests=2 * recordings,
            at_risk=5,
            held=tuple(held),
        )
    )


class Told:
    """A log that keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def __call__(self, event: str, **fields: object) -> None:
        """Keep a line."""
        self.lines.append({"event": event, **fields})


def lines(
    progress: LogProgress, counted: Tally, *, recordings: int = 0, held: Sequence[Paused] = ()
) -> list[dict[str, Any]]:
    """Return what is logged of a state of the run, once it is time for a line."""
    progress._next = 0.0
    progress._tell = told = Told()
    update(progress, counted, recordings=recordings, held=held)
    return told.lines


def test_a_line_in_the_log_tells_how_far_a_run_is() -> None:
    """What is settled, waits and was archived, of all calls and in this run."""
    expected = {
        "event": "progress",
        "settled": 7,
        "per_minute": 0,
        "calls": 12,
        "waiting_for_provider": 2,
        "archived": 4,
        "at_risk": 5,
        "recordings_of_run": 3,
        "bytes_of_run": 3000,
        "requests_of_run": 6,
    }
    counted = tally(waiting=2, expected=4, leased=1, archived=4, absent=2, failed=1)
    assert [expected] == lines(LogProgress(), counted, recordings=3)
    spoilt = tally(waiting=2, trying=2, expected=4, leased=1, archived=4, absent=2, failed=1)
    assert [expected] == lines(LogProgress(), spoilt, recordings=3)
    held = lines(LogProgress(), counted, recordings=3, held=[PAUSED])
    assert [{**expected, "paused": "api-timeout"}] == held


def test_the_rate_is_that_since_the_line_before() -> None:
    """Settled calls a minute, by the clock, however long the lines are apart."""
    moments = iter([100.0, 100.0, 130.0, 220.0])
    progress = LogProgress(lambda: next(moments))
    progress.begin()
    told = [lines(progress, tally(expected=9 - n, archived=n)) for n in (1, 5, 8)]
    assert [line["per_minute"] for [line] in told] == [0, 8, 2]


def test_a_line_is_logged_when_something_changed_and_none_when_nothing_did() -> None:
    """A service that has nothing to do says nothing; each kind of change is one."""
    progress = LogProgress()
    changes: list[dict[str, Any]] = [
        {"counted": tally(expected=2)},
        {"counted": tally(expected=1, archived=1)},
        {"counted": tally(expected=1, archived=1, waiting=1)},
        {"counted": tally(expected=1, archived=1, waiting=1), "recordings": 1},
        {"counted": tally(expected=1, archived=1, waiting=1), "recordings": 1, "held": [PAUSED]},
        {"counted": tally(expected=1, archived=1, waiting=1), "recordings": 1},
    ]
    for change in changes:
        assert [len(lines(progress, **change)) for _ in range(3)] == [1, 0, 0]


def test_changes_that_follow_at_once_wait_for_the_next_line() -> None:
    """A line a minute is enough, and none before a run has begun in earnest."""
    told = Told()
    progress = LogProgress(tell=told)
    progress.begin()
    update(progress, tally(expected=2))
    assert told.lines == []
    assert len(lines(progress, tally(expected=2))) == 1
    progress._tell = told
    update(progress, tally(expected=1))
    progress.end()
    assert told.lines == []


def test_a_bar_draws_on_what_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Also before the first count, when nobody knows how many calls there are.

    Standard output is for results, and may be a pipe.
    """
    progress = BarProgress()
    progress.begin()
    progress.end()
    said = capsys.readouterr()
    assert "archiving" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("counted", "held", "words"),
    [
        (tally(), [], "0/0 settled"),
        (tally(expected=3, archived=2000), [], "2,000/2,003 settled"),
        (tally(expected=3, waiting=3), [], "3 wait for the provider"),
        (tally(expected=3, waiting=1, trying=2), [], "2 wait for a further try"),
        (tally(expected=3, waiting=3), [PAUSED], "paused: api-timeout"),
    ],
)
def test_a_bar_shows_the_present_state(
    capsys: pytest.CaptureFixture[str], counted: Tally, held: list[Paused], words: str
) -> None:
    """Where there is no call at all, too; a pause says more than what waits."""
    progress = BarProgress()
    progress.begin()
    update(progress, counted, recordings=5, held=held)
    progress.end()
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_bar_that_never_began_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    """A drain with nothing to do starts nothing, and a run may end before it began."""
    progress = BarProgress()
    update(progress, tally(expected=1))
    progress.end()
    assert capsys.readouterr() == ("", "")


def test_only_a_bar_wants_the_log_quiet() -> None:
    """Lines would tear it apart."""
    assert (BarProgress().wants_quiet, LogProgress().wants_quiet) == (True, False)


@pytest.mark.parametrize(
    ("took_s", "rest_s"), [(0.001, 0.25), (1.0, 9.0), (3.0, 27.0), (60.0, 30.0), (3600.0, 30.0)]
)
def test_counting_takes_a_tenth_of_the_time_and_no_rest_is_long(
    took_s: float, rest_s: float
) -> None:
    """A look of a minute waited for something: it does not keep a drain from its end for nine."""
    assert rest_s == rest_after(took_s)
