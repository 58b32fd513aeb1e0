"""What `status` tells of troubles that are no pauses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archive.catalog import processes, troubles
from archive.catalog.troubles import Trouble
from archive.timings import HEARTBEAT_S, LEASE_S
from tests.unit.books import NOW
from tests.unit.test_catalog_processes import beat, rescue

if TYPE_CHECKING:
    from datetime import datetime

    from tests.unit.books import Books

SECOND = timedelta(seconds=1)


def met(books: Books, now: datetime) -> list[Trouble]:
    """Return what is wrong."""
    with books.database.read() as tx:
        return troubles.troubles(tx, now)


def note(books: Books, detail: str, now: datetime, *, host: str = "here") -> None:
    """Let a host meet a queue that is away."""
    with books.database.write() as tx:
        troubles.note_trouble(tx, troubles.QUEUE, detail, host=host, now=now)


def test_a_trouble_is_told_with_its_beginning_until_it_is_over(books: Books) -> None:
    """Met again it has new words and the old beginning; another host's ends with that one's."""
    note(books, "away", NOW)
    note(books, "out of memory", NOW + 9 * SECOND)
    note(books, "away", NOW + 9 * SECOND, host="there")
    assert met(books, NOW + 10 * SECOND) == [
        Trouble("here", "queue", "out of memory", NOW),
        Trouble("there", "queue", "away", NOW + 9 * SECOND),
    ]
    with books.database.write() as tx:
        troubles.clear_troubles(tx, host="here")
    assert [trouble.host for trouble in met(books, NOW + 10 * SECOND)] == ["there"]


def test_a_trouble_that_nobody_meets_any_more_is_not_told(books: Books) -> None:
    """Its host was killed: what it last met says nothing of now."""
    note(books, "away", NOW)
    assert len(met(books, NOW + LEASE_S * SECOND)) == 1
    assert met(books, NOW + (LEASE_S + 1) * SECOND) == []


def test_a_silent_worker_is_told_until_its_calls_are_given_back(books: Books) -> None:
    """From its last beat on; not one that said goodbye, and not one that beats."""
    for process in ("silent", "ended", "alive"):
        beat(books, process, NOW)
    with books.database.write() as tx:
        processes.retire(tx, "ended", NOW)
    later = NOW + (5 * HEARTBEAT_S + 1) * SECOND
    beat(books, "alive", later)

    (trouble,) = met(books, later)

    assert (trouble.what, trouble.since) == ("worker", NOW)
    assert "silent (pid 7) gives no sign of life" in trouble.detail
    with books.database.read() as tx:
        assert troubles.beating(tx, later) == 1
    dead = NOW + (LEASE_S + 1) * SECOND
    beat(books, "alive", dead)
    rescue(books, dead)
    assert met(books, dead) == []
