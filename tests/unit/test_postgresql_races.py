"""Two hosts at the same rows of a catalog on a server: each does right whatever the other does.

In each of these one transaction is held open while another comes to wait for it.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from archive.call import Source, State
from archive.catalog import coverage, dayfiles, intake, purge, story, tallies, tidy, upkeep, work
from archive.catalog.database import open_database, written
from archive.readiness import Readiness
from archive.tallies import Count
from archive.verdicts import Lost
from tests.unit.books import ACCOUNT, NOW, SIDS, Books, called, proved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from archive.catalog.database import Database, Tx
    from tests.postgresql import Server

_BOUND_S = 30
_STEPS = 40


class Two:
    """Two hosts on one catalog."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.one = Books(url)
        self.other = Books(url)

    def meet(self, first: Callable[[Tx], object], second: Callable[[Tx], Any]) -> Any:  # noqa: ANN401
        """Do one thing, and commit it when the other host has come to wait; return its result."""

        def of_other() -> Any:  # noqa: ANN401 - what the second returns
            with self.other.database.write() as tx:
                return second(tx)

        with ThreadPoolExecutor(1) as pool:
            with self.one.database.write() as tx:
                first(tx)
                future = pool.submit(of_other)
                self._until_it_waits(future)
            return future.result(_BOUND_S)

    def _until_it_waits(self, future: Future[Any]) -> None:
        until = time.monotonic() + _BOUND_S
        with psycopg.connect(self.url, autocommit=True) as line:
            while not future.done():
                found = line.execute(
                    "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                ).fetchone()
                if found is not None and found[0]:
                    return
                assert time.monotonic() < until, "it neither waits nor ends"


@pytest.fixture
def two(postgresql: Server) -> Iterator[Two]:
    """Two hosts on an empty catalog."""
    two = Two(postgresql.emptied())
    yield two
    two.one.database.close()
    two.other.database.close()


def test_who_claims_while_its_batch_is_taken_for_dead_holds_nothing_for_ever(two: Two) -> None:
    """What it claims just before is given back with the rest; afterwards it gets nothing."""
    two.one.add(*map(called, SIDS[:3]))
    with two.one.database.write() as tx:
        work.begin_batch(tx, lease="late", process="p", job_id="j", now=NOW)

    given_back = two.meet(
        lambda tx: work.claim(tx, account="main", sids=SIDS[:3], lease="late"),
        lambda tx: work.end_batch(tx, lease="late"),
    )

    assert given_back == 3
    assert {row["state"] for row in two.one.sql("SELECT state FROM calls")} == {"expected"}
    with two.one.database.write() as tx:
        assert work.claim(tx, account="main", sids=SIDS[:3], lease="late") == []


def test_two_that_claim_the_same_calls_never_wait_and_share_none(two: Two) -> None:
    """What the other one has in hand is passed over."""
    two.one.add(*map(called, SIDS[:4]))
    with two.one.database.write() as tx:
        for lease in ("a", "b"):
            work.begin_batch(tx, lease=lease, process="p", job_id=lease, now=NOW)

    with two.one.database.write() as mine, two.other.database.write() as theirs:
        first = work.claim(mine, account="main", sids=SIDS[:3], lease="a")
        second = work.claim(theirs, account="main", sids=SIDS[1:4], lease="b")

    assert [call.facts.sid for call in first] == SIDS[:3]
    assert [call.facts.sid for call in second] == SIDS[3:4]


def test_a_late_finisher_leaves_no_word(two: Two) -> None:
    """Its lease goes while it writes: no look, no recording, no other state."""
    two.one.add(called(SIDS[0]))
    two.one.claim(SIDS[0], lease="late")
    find = work.Find(sid=SIDS[0], proofs=(proved(SIDS[0]),))

    kept = two.meet(
        lambda tx: work.end_batch(tx, lease="late"),
        lambda tx: work.archive(tx, [find], lease="late", account="main", now=NOW),
    )

    assert kept == []
    assert two.one.sql("SELECT * FROM looks") == []
    assert two.one.sql("SELECT * FROM recordings") == []
    assert two.one.row(SIDS[0])["state"] == "expected"


def test_a_day_that_changes_while_its_files_are_noted_as_written_stays_changed(two: Two) -> None:
    """Neither waits for the other, and the change that the files do not tell of is kept."""
    with two.one.database.write() as tx:
        dayfiles.mark_day(tx, "main/2026/02/09")
    written = dayfiles.ChangedDay("main/2026/02/09", 1)

    with two.one.database.write() as mine:
        dayfiles.mark_day(mine, "main/2026/02/09")
        with two.other.database.write() as theirs:
            assert dayfiles.day_is_written(theirs, written)

    with two.one.database.read() as tx:
        assert [written] == dayfiles.changed_days(tx)
    with two.other.database.write() as tx:
        dayfiles.mark_day(tx, "main/2026/02/09")
        assert not dayfiles.day_is_written(tx, written)


def test_a_call_that_is_retried_just_before_keeps_its_recordings(two: Two) -> None:
    """A purge waits for who changes the call, and then finds it looked at again."""
    two.one.add(called(SIDS[0]))
    two.one.claim(SIDS[0])
    two.one.archive(proved(SIDS[0]))
    with two.one.database.read() as tx:
        call = purge.named(tx, "main", SIDS[0])
    assert call is not None
    archived = [State.ARCHIVED]

    buried = two.meet(
        lambda tx: story.put_back(
            tx, accounts=["main"], states=archived, reason=None, day=None, sids=None, now=NOW
        ),
        lambda tx: purge.bury(tx, [call], reason="on-request", why="test", now=NOW),
    )

    assert buried == 0
    assert len(two.one.sql("SELECT * FROM recordings")) == 1
    assert two.one.row(SIDS[0])["state"] == "expected"


def test_tallies_that_two_put_together_are_counted_once(two: Two) -> None:
    """Each hour is taken by one of them."""
    for hour in range(3):
        with two.one.database.write() as tx:
            now = NOW + timedelta(hours=hour)
            tallies.add(tx, [Count("main", "requests", "ok", 5)], host="h", now=now)
    first_ms = int(NOW.timestamp() * 1000) // 3_600_000 * 3_600_000
    day = tidy.TallyDay("main", first_ms, first_ms + 24 * 3_600_000)

    two.meet(lambda tx: tidy.sum_up(tx, day), lambda tx: tidy.sum_up(tx, day))

    with two.one.database.read() as tx:
        assert tallies.total_of(tx, "requests") == 15


def test_two_that_take_in_the_same_calls_count_each_once_as_new(two: Two) -> None:
    """The second waits for the first and finds them known, whatever the order of its rows."""

    def take(tx: Tx, sids: list[str]) -> intake.Intake:
        calls = [called(sid) for sid in sids]
        return intake.add_calls(
            tx, calls, account=ACCOUNT, source=Source.CDR, readiness=Readiness(), now=NOW
        )

    found = two.meet(lambda tx: take(tx, SIDS[:6]), lambda tx: take(tx, SIDS[:1:-1]))

    assert (found.new, found.known) == (len(SIDS) - 6, 4)
    assert two.one.balance().known == len(SIDS)
    assert two.one.balance().faults == []


def test_two_that_read_the_listing_of_the_same_time_lose_none_of_it(two: Two) -> None:
    """What one has read and what the other has read is read."""
    hour = timedelta(hours=1)
    with two.one.database.write() as tx:
        coverage.cover(tx, "main", NOW - 5 * hour, NOW - 2 * hour)

    two.meet(
        lambda tx: coverage.cover(tx, "main", NOW - 3 * hour, NOW - hour),
        lambda tx: coverage.cover(tx, "main", NOW - 5 * hour, NOW),
    )

    with two.one.database.read() as tx:
        assert coverage.unread(tx, "main", NOW - 5 * hour, NOW) == []


class Crowd:
    """Hosts that all do something to the same calls, from a seed, until each has done its part."""

    def __init__(self, url: str, sids: list[str]) -> None:
        self.url = url
        self.sids = sids

    def work(self, seed: int) -> int:
        """Do one host's part; return how many recordings it has kept."""
        dice = random.Random(seed)  # noqa: S311 - a test's
        kept = 0
        with closing(open_database(self.url)) as database:
            for step in range(_STEPS):
                some, lease = dice.sample(self.sids, 20), f"{seed}-{step}"
                what = dice.choice((self._batch, self._batch, self._add, self._back, self._rescue))
                kept += what(database, some, lease, dice)
        return kept

    def _batch(self, database: Database, some: list[str], lease: str, dice: Random) -> int:
        def begin(tx: Tx) -> list[str]:
            work.begin_batch(tx, lease=lease, process="p", job_id=lease, now=NOW)
            claimed = work.claim(tx, account="main", sids=some, lease=lease)
            return [call.facts.sid for call in claimed]

        held = written(database, begin)
        dice.shuffle(held)
        found = [work.Find(sid=sid, proofs=(proved(sid),)) for sid in held[::2]]
        gone = [(sid, Lost("fetch-gone")) for sid in held[1::4]]

        def end(tx: Tx) -> int:
            count = len(work.archive(tx, found, lease=lease, account="main", now=NOW))
            work.settle(tx, gone, lease=lease, account="main", now=NOW)
            work.end_batch(tx, lease=lease)
            return count

        return written(database, end)

    def _add(self, database: Database, some: list[str], _lease: str, dice: Random) -> int:
        calls = [called(sid, status=dice.choice(("", "completed"))) for sid in some]

        def add(tx: Tx) -> intake.Intake:
            return intake.add_calls(
                tx, calls, account=ACCOUNT, source=Source.CDR, readiness=Readiness(), now=NOW
            )

        written(database, add)
        return 0

    def _back(self, database: Database, some: list[str], _lease: str, dice: Random) -> int:
        dice.shuffle(some)
        written(
            database,
            lambda tx: story.put_back(
                tx,
                accounts=["main"],
                states=[State.LOST],
                reason=None,
                day=None,
                sids=some,
                now=NOW,
            ),
        )
        return 0

    def _rescue(self, database: Database, _some: list[str], _lease: str, dice: Random) -> int:
        def rescue(tx: Tx) -> None:
            for one in sorted(work.live_leases(tx), key=lambda _: dice.random())[:2]:
                work.end_batch(tx, lease=one)

        written(database, rescue)
        return 0


def test_many_who_do_everything_at_once_leave_books_that_balance(postgresql: Server) -> None:
    """Whoever is undone by the server does it again, and nothing is done twice or by halves."""
    url = postgresql.emptied()
    sids = [f"{number:032}" for number in range(200)]
    crowd = Crowd(url, sids)
    with ThreadPoolExecutor(4) as pool:
        kept = sum(pool.map(crowd.work, range(4)))
    books = Books(url)
    balance = books.balance()
    assert balance.faults == []
    assert kept == balance.recordings == balance.states[State.ARCHIVED]
    with books.database.read() as tx:
        assert upkeep.contradictions(tx) == {}
        assert work.live_leases(tx) == frozenset()
    books.database.close()
