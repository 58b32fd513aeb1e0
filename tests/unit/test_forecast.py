"""What will be deleted before its turn, and when that is said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from archive.call import CallFacts
from archive.catalog import forecast as counts
from archive.catalog import processes
from archive.catalog.writer import Catalog
from archive.forecast import HOUR, Risk, Waiting, describe, forecast, remedy, sum_of
from archive.verdicts import Absent
from tests.unit.books import ACCOUNT, NOW, SIDS, called, proved
from worker.outlook import Watch

if TYPE_CHECKING:
    from tests.unit.books import Books


def waiting(*by_hour: tuple[int, int], behind: bool = True) -> Waiting:
    """Return calls that are deleted so many hours from now, and how many each."""
    hours = tuple((NOW + ahead * HOUR, count) for ahead, count in by_hour)
    return Waiting(hours=hours, past=3, behind=behind)


def risk(found: Waiting, rate: float | None, *, works: bool = True) -> Risk:
    """Return what is at risk."""
    return forecast(found, account="main", rate=rate, works=works, now=NOW)


@pytest.mark.parametrize(
    ("rate", "calls", "first", "needed"),
    [
        (200.0, 0, None, 100),
        (100.0, 0, None, 100),
        (50.0, 100, 1, 100),
        (0.0, 300, 1, 100),
        (75.0, 50, 1, 100),
    ],
)
def test_what_comes_too_late_is_counted_in_the_order_of_deletion(
    rate: float, calls: int, first: int | None, needed: int
) -> None:
    """Two hundred within two hours and a hundred within four: so many an hour, so many too late."""
    found = risk(waiting((1, 200), (3, 100)), rate)
    expected = None if first is None else NOW + first * HOUR
    assert (found.calls, found.first) == (calls, expected)
    assert (found.needed_per_hour, found.rate_per_hour) == (needed, rate)
    assert found.already_past == 3


def test_workers_that_keep_up_have_nothing_at_risk() -> None:
    """They did little since little was due, which says nothing of what they can do."""
    assert risk(waiting((2, 500), behind=False), 6.0).calls == 0
    assert risk(waiting((2, 500)), None).calls == 0
    assert risk(waiting(), 0.0).calls == 0


def test_where_nothing_runs_the_next_day_is_at_risk() -> None:
    """There is no rate to reckon with; what is deleted later can wait."""
    found = risk(waiting((3, 5), (23, 7), (30, 100)), None, works=False)
    assert (found.calls, found.first) == (12, NOW + 3 * HOUR)
    assert "no workers run, and 12 recordings" in describe(found, ACCOUNT)
    assert remedy(found, ACCOUNT) == "start workers: callvault work"


@given(
    by_hour=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 500)), max_size=8),
    rate=st.floats(0, 1000),
)
def test_the_rate_that_is_said_to_be_needed_is_enough(
    by_hour: list[tuple[int, int]], rate: float
) -> None:
    """At that rate nothing is too late, and a higher rate never loses more."""
    found = waiting(*sorted(dict(by_hour).items()))
    now = risk(found, rate)
    assert risk(found, now.needed_per_hour + 1).calls == 0
    assert risk(found, rate + 100).calls <= now.calls <= sum(count for _, count in found.hours)


def test_what_would_help_depends_on_what_is_needed() -> None:
    """More requests where the limit is too low, else more hands; a look where nothing is done."""
    few, many = risk(waiting((1, 4000)), 5.0), risk(waiting((0, 10**7)), 5.0)
    assert "raise [worker] downloads" in remedy(few, ACCOUNT)
    assert "requests a minute" in remedy(many, ACCOUNT)
    assert "callvault status" in remedy(risk(waiting((1, 4000)), 0.0), ACCOUNT)
    assert describe(risk(waiting((1, 1)), 50.0), ACCOUNT) == ""


def test_accounts_are_summed_for_status() -> None:
    """The first of all, the sums, and each by itself."""
    one, two = risk(waiting((3, 200)), 10.0), risk(waiting((1, 100)), None)
    assert sum_of([one, two])["calls"] == one.calls
    assert sum_of([one, two])["from"] == one.first
    assert sum_of([one, two])["rate_per_hour"] == 10
    assert sum_of([])["rate_per_hour"] is None


def beat(books: Books, *, started: timedelta, now: datetime = NOW) -> None:
    """Let a process live that began so long ago."""
    sign: dict[str, Any] = {"process": "p", "host": "h", "pid": 1, "version": "1"}
    with books.database.write() as tx:
        started_at = NOW - started
        processes.beat(
            tx, processes.Beat(**sign, started_at=started_at, recordings=0, bytes=0), now
        )


def test_the_catalog_counts_by_hour_of_deletion_and_by_settling(books: Books) -> None:
    """Calls of unknown date are in no hour; what a source's word settled is no work done."""
    began = NOW - timedelta(days=29)
    for sid in SIDS[:3]:
        books.add(called(sid, started_at=began, ended_at=began), now=NOW - HOUR)
    books.add(called(SIDS[3], started_at=began - timedelta(days=9), ended_at=began), now=NOW - HOUR)
    books.add(CallFacts(sid=SIDS[4]), now=NOW - HOUR)
    books.claim(SIDS[0], SIDS[5])
    books.archive(proved(SIDS[0]))
    books.add(called(SIDS[6]), now=NOW - HOUR)
    books.claim(SIDS[6], lease="other")
    books.settle(SIDS[6], Absent("no-answer"), lease="other")

    def look() -> Risk:
        with books.database.read() as tx:
            (found,) = counts.risks(tx, [ACCOUNT], NOW)
        return found

    assert (look().calls, look().rate_per_hour, look().already_past) == (2, None, 1)
    beat(books, started=timedelta(minutes=5))
    assert (look().calls, look().rate_per_hour) == (0, None)
    books.sql("UPDATE processes SET started_ms = started_ms - 3600000")
    assert look().rate_per_hour == 12


async def test_the_log_warns_again_only_after_a_while_or_when_it_doubled(books: Books) -> None:
    """Not at each look, and anew when it had been over."""
    began = NOW - timedelta(days=29, hours=20)
    moment = [NOW]
    catalog = await Catalog.open(books.path)
    watch = Watch(catalog, [ACCOUNT], lambda: moment[0])

    async def warned(after: timedelta, *sids: str) -> int:
        moment[0] += after
        for sid in sids:
            books.add(called(sid, started_at=began, ended_at=began), now=moment[0])
        with capture_logs() as logs:
            await watch.look()
        return sum(log.get("calls", 0) for log in logs)

    minute = timedelta(minutes=1)
    try:
        assert await warned(timedelta(0)) == 0
        assert await warned(minute, SIDS[0]) == 1
        assert await warned(minute) == 0
        assert await warned(minute / 2, SIDS[1]) == 0
        assert await warned(minute / 2) == 2
        assert await warned(9 * minute) == 0
        assert await warned(minute) == 2
    finally:
        await catalog.close()
