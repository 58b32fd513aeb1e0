"""What a live view reads: of the last minutes, of who works, and no more often than it may."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import State
from archive.catalog import pauses, processes, tallies
from archive.catalog.processes import Beat
from archive.catalog.troubles import Trouble
from archive.errors import CatalogError
from archive.tallies import RECORDINGS, REQUESTS, Count
from archive.verdicts import Again, Failed, Lost
from tests.unit.books import ACCOUNT, NOW, OTHER, SIDS, called, proved
from worker.live.gather import Gatherer, Rate

if TYPE_CHECKING:
    from tests.unit.books import Books

SECOND = timedelta(seconds=1)


class Hands:
    """A clock and a timer that a test moves."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def clock(self) -> datetime:
        """Tell the time."""
        return NOW + self.passed_s * SECOND

    def timer(self) -> float:
        """Tell the seconds that have passed."""
        return self.passed_s


@pytest.fixture
def hands() -> Hands:
    """Time that stands still until it is moved."""
    return Hands()


@pytest.fixture
def gatherer(books: Books, hands: Hands) -> Gatherer:
    """Look at one account."""
    return Gatherer(books.database, [ACCOUNT], hands.clock, hands.timer)


def beat(books: Books, now: datetime, recordings: int) -> None:
    """Let a worker say that it lives."""
    sign = Beat(
        process="process",
        host="here",
        pid=7,
        version="1",
        started_at=NOW,
        recordings=recordings,
        bytes=recordings * 1000,
    )
    with books.database.write() as tx:
        processes.beat(tx, sign, now)


def request(books: Books, amount: int, account: str = "main") -> None:
    """Count requests of the hour."""
    counts = [Count(account, REQUESTS, "answered", amount), Count(account, RECORDINGS, "", 1)]
    with books.database.write() as tx:
        tallies.add(tx, counts, host="here", now=NOW)


def test_what_is_gathered(books: Books, gatherer: Gatherer, hands: Hands) -> None:
    """Calls by state, what waits, the last minute, who holds what, and what was in vain."""
    books.add(*map(called, SIDS[:7]))
    books.add(called(SIDS[0]), account=OTHER)
    beat(books, NOW, 3)
    books.claim(*SIDS[:6])
    books.archive(proved(SIDS[0]))
    books.settle(SIDS[1], Lost("fetch-gone"))
    books.settle(SIDS[2], Failed("url-untrusted"))
    books.settle(SIDS[3], Again("not-ready", after=60 * SECOND))
    books.settle(SIDS[5], Again("body-digest", after=90 * SECOND))
    with books.database.write() as tx:
        pauses.pause_by_operator(tx, "account:other", why="not shown", now=NOW)
        pauses.pause_by_operator(tx, "account:main", why="shown", now=NOW)
    hands.passed_s = 30
    facts = gatherer.look()
    assert facts.counted.states[State.EXPECTED] == 3
    assert (facts.counted.known, facts.counted.settled) == (7, 3)
    (waiting,) = facts.counted.backlogs
    assert (waiting.due, waiting.later, waiting.again) == (1, 1, 1)
    assert waiting.next_due == NOW + 60 * SECOND
    assert (facts.pace.recordings, facts.pace.bytes_per_second) == (1, 1000 / 60)
    (one,) = facts.workers
    assert (one.worker.host, one.worker.batches, one.worker.calls) == ("here", 1, 1)
    assert [paused.detail for paused in facts.pauses] == ["shown"]
    assert {(one.sid, one.what) for one in facts.last} == {
        (SIDS[1], "lost"),
        (SIDS[2], "failed"),
        (SIDS[5], "retried"),
    }


def test_a_look_that_met_a_trouble_is_told_and_one_that_came_too_early_is_not(
    books: Books, gatherer: Gatherer
) -> None:
    """Both will be repeated; only the first is in vain."""
    books.add(*map(called, SIDS[:2]))
    for sid, reason in zip(SIDS, ("fetch-timeout", "not-ready"), strict=False):
        books.sql("INSERT INTO looks VALUES ('main', ?, 1, 'expected', ?, 'x')", sid, reason)
    assert [(one.sid, one.what) for one in gatherer.look().last] == [(SIDS[0], "retried")]


def test_what_is_lost_stands_before_what_is_tried_again(books: Books, gatherer: Gatherer) -> None:
    """However often that was, and each call once."""
    books.add(*map(called, SIDS[:2]))
    for at, (sid, state) in enumerate([(0, "expected"), (0, "lost"), *[(1, "expected")] * 3]):
        look = "INSERT INTO looks VALUES ('main', ?, ?, ?, 'fetch-gone', 'x')"
        books.sql(look, SIDS[sid], at, state)
    lost = "UPDATE calls SET state = 'lost', reason = 'fetch-gone', settled_ms = 1 WHERE sid = ?"
    books.sql(lost, SIDS[0])
    told = [(one.sid, one.what, one.tries) for one in gatherer.look().last]
    assert told == [(SIDS[0], "lost", 2), (SIDS[1], "retried", 3)]


def test_minutes_are_of_calls_that_were_archived_in_them(
    books: Books, gatherer: Gatherer, hands: Hands
) -> None:
    """The latest that is over stands last; they move on with the time, late writes included."""
    books.add(*map(called, SIDS[:3]))
    books.claim(*SIDS[:3])
    books.archive(proved(SIDS[0]))
    hands.passed_s = 60
    assert gatherer.look().pace.minutes[-1] == 1
    books.archive(proved(SIDS[1]))
    hands.passed_s = 120
    assert gatherer.look().pace.minutes[-3:] == (0, 2, 0)
    hands.passed_s = 29 * 60
    assert gatherer.look().pace.minutes[:3] == (0, 2, 0)
    hands.passed_s = 32 * 60
    assert set(gatherer.look().pace.minutes) == {0}


def test_rates_are_told_once_they_can_be(books: Books, gatherer: Gatherer, hands: Hands) -> None:
    """Of requests and of workers: not by one look, and of the account that is looked at alone."""
    beat(books, NOW, 100)
    request(books, 1000)
    first = gatherer.look()
    assert (first.pace.requests, first.workers[0].per_minute) == (None, None)
    request(books, 50)
    request(books, 900, account="other")
    hands.passed_s = 30
    beat(books, hands.clock(), 110)
    second = gatherer.look()
    assert (second.pace.requests, second.workers[0].per_minute) == (100, 20)


def test_a_rate_is_that_of_the_last_minute() -> None:
    """And a number that became less is another process's."""
    rate = Rate()
    assert [rate.per_minute(at, at * at) for at in (0, 30, 60, 90, 120)] == [
        None,
        1_800,
        3_600,
        7_200,
        10_800,
    ]
    assert rate.per_minute(150, 0) is None
    assert rate.per_minute(180, 5) == 10


def test_counting_takes_a_tenth_of_the_time(books: Books, hands: Hands) -> None:
    """What took a second is not counted again for nine."""
    ticks = iter([0.0, 1.0, 9.9, 10.1, 10.2])
    gatherer = Gatherer(books.database, [ACCOUNT], hands.clock, lambda: next(ticks))
    first = gatherer._count(NOW)
    assert gatherer._count(NOW + 9 * SECOND) is first
    assert gatherer._count(NOW + 10 * SECOND).at == NOW + 10 * SECOND


def test_what_only_a_look_tells_comes_first_and_also_without_a_catalog(
    books: Books, hands: Hands
) -> None:
    """A full disk keeps everybody from noting it, and maybe from reading on."""
    full = Trouble("here", "state-disk", "it is full", NOW)
    books.add(called(SIDS[0]))
    gatherer = Gatherer(books.database, [ACCOUNT], hands.clock, hands.timer, here=lambda _: (full,))
    assert gatherer.look().troubles == (full,)
    books.path.unlink()
    after = gatherer.look()
    assert (after.troubles, bool(after.mistake)) == ((full,), True)


def test_a_catalog_that_goes_away_is_told_and_the_rest_stays(
    books: Books, gatherer: Gatherer, hands: Hands
) -> None:
    """As it was last; before there is anything to show it is an error."""
    books.add(called(SIDS[0]))
    before = gatherer.look()
    books.path.unlink()
    hands.passed_s = 2
    after = gatherer.look()
    assert "removed or replaced" in after.mistake
    assert (after.counted, after.at) == (before.counted, NOW + 2 * SECOND)
    with pytest.raises(CatalogError, match="removed"):
        Gatherer(books.database, [ACCOUNT], hands.clock).look()
