"""Who is alive, and how calls of the dead are given back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archive.catalog import processes
from archive.catalog.processes import Beat, DeadBatch
from archive.timings import LEASE_S
from archive.verdicts import Absent
from tests.unit.books import NOW, SIDS, called

if TYPE_CHECKING:
    from datetime import datetime

    from tests.unit.books import Books

LEASE = timedelta(seconds=LEASE_S)
TICK = timedelta(milliseconds=1)


def beat(books: Books, process: str, now: datetime, *, recordings: int = 0) -> frozenset[str]:
    """Let a process say that it lives; return the leases that it holds."""
    sign = Beat(
        process=process,
        host="here",
        pid=7,
        version="1",
        started_at=NOW,
        recordings=recordings,
        bytes=recordings * 1000,
    )
    with books.database.write() as tx:
        return processes.beat(tx, sign, now)


def rescue(books: Books, now: datetime) -> list[DeadBatch]:
    """Give back what the dead held."""
    with books.database.write() as tx:
        return processes.rescue(tx, now)


def test_a_silent_process_loses_its_calls_when_its_lease_lapses(books: Books) -> None:
    """Not a moment before; what it had settled stays settled."""
    books.add(*map(called, SIDS[:3]))
    beat(books, "process", NOW)
    books.claim(*SIDS[:3])
    books.settle(SIDS[2], Absent("no-answer"))
    assert rescue(books, NOW + LEASE) == []
    assert [DeadBatch("lease", "job of lease", "process", 2)] == rescue(books, NOW + LEASE + TICK)
    assert [books.row(sid)["state"] for sid in SIDS[:3]] == ["expected", "expected", "absent"]
    assert rescue(books, NOW + LEASE + TICK) == []


def test_a_process_that_beats_keeps_its_calls(books: Books) -> None:
    """However old its batch is, and whoever else dies beside it."""
    books.add(*map(called, SIDS[:2]))
    for process, sid in zip(("alive", "dead"), SIDS, strict=False):
        beat(books, process, NOW)
        books.claim(sid, lease=f"{process}'s", process=process)
    later = NOW + timedelta(hours=5)
    beat(books, "alive", later)
    assert [dead.process for dead in rescue(books, later + LEASE)] == ["dead"]
    assert books.row(SIDS[0])["lease"] == "alive's"


def test_a_process_that_never_beat_is_dead_a_lease_after_its_claim(books: Books) -> None:
    """It died between the two."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    assert rescue(books, NOW + LEASE) == []
    assert len(rescue(books, NOW + LEASE + TICK)) == 1


def test_a_process_known_to_have_ended_is_not_waited_for(books: Books) -> None:
    """Its calls are given back at once, and it is counted as alive again once it beats."""
    books.add(called(SIDS[0]))
    beat(books, "process", NOW)
    books.claim(SIDS[0])
    with books.database.write() as tx:
        processes.retire(tx, "process", NOW)
    assert [SIDS[0]] == [
        row["sid"] for row in books.sql("SELECT sid FROM calls WHERE lease = 'lease'")
    ]
    assert [dead.calls for dead in rescue(books, NOW)] == [1]
    books.claim(SIDS[0], lease="next")
    beat(books, "process", NOW)
    assert rescue(books, NOW) == []


def test_hosts_that_live_have_a_process_that_beats(books: Books) -> None:
    """One whose processes are all silent or retired counts for nothing."""
    beat(books, "one", NOW)
    with books.database.write() as tx:
        assert processes.live_hosts(tx, NOW + LEASE) == {"here"}
        assert processes.live_hosts(tx, NOW + LEASE + TICK) == frozenset()
        processes.retire(tx, "one", NOW)
        assert processes.live_hosts(tx, NOW) == frozenset()


def test_what_a_process_archived_counts_after_its_end(books: Books) -> None:
    """A run's speed must not fall because one of its processes ended and was rescued from."""
    beat(books, "one", NOW, recordings=5)
    with books.database.write() as tx:
        processes.retire(tx, "one", NOW)
    rescue(books, NOW)
    with books.database.read() as tx:
        assert processes.work_since(tx, NOW) == (5, 5000)


def test_what_a_run_has_archived_is_the_sum_of_its_processes(books: Books) -> None:
    """Each beat tells the whole count of its process; silent ones are counted for days."""
    beat(books, "one", NOW, recordings=3)
    beat(books, "one", NOW, recordings=5)
    beat(books, "two", NOW, recordings=7)
    rescue(books, NOW + timedelta(days=6))
    with books.database.read() as tx:
        assert processes.work_since(tx, NOW) == (12, 12_000)
        assert processes.work_since(tx, NOW + TICK) == (0, 0)
    rescue(books, NOW + timedelta(days=8))
    assert books.sql("SELECT * FROM processes") == []


def test_a_beat_tells_what_its_process_still_holds(books: Books) -> None:
    """Its own batches, and after a rescue none of them."""
    books.add(*map(called, SIDS[:2]))
    beat(books, "one", NOW)
    books.claim(SIDS[0], lease="one's", process="one")
    books.claim(SIDS[1], lease="two's", process="two")
    assert beat(books, "one", NOW) == {"one's"}
    rescue(books, NOW + LEASE + TICK)
    assert beat(books, "one", NOW + LEASE + TICK) == frozenset()
