"""What a manifest tells of purged calls, and what may be purged, in each kind of catalog."""

from __future__ import annotations

from datetime import timedelta

import pytest

from archive.call import State
from archive.catalog import purge, tallies, tombstones, verify
from archive.catalog.purge import Group
from archive.catalog.verify import Finding
from archive.manifest import Gone, Line, Seen
from archive.purging import Horizon
from archive.tallies import RECORDINGS, Count
from tests.unit.books import NOW, SIDS, Books, called, proved

FOLDER = "main/2026/02/09"
DAY = timedelta(days=1)


def tombstone(sid: str) -> Line:
    """Return the line of a purged call."""
    return Line(
        account="main",
        sid=sid,
        state=State.PURGED,
        reason="on-request",
        call=called(sid),
        sightings=[Seen("cdr", NOW)],
        delete_by=NOW + DAY,
        settled_at=NOW,
        recordings=[],
        purged=[
            Gone(
                object=f"{sid}.mp3",
                file=f"17/{sid}.mp3",
                sha256="ab" * 32,
                bytes=1000,
                at=NOW,
                why="request 118",
            )
        ],
    )


def archived(books: Books, *sids: str) -> None:
    """Archive calls."""
    for sid in sids:
        books.add(called(sid))
        books.claim(sid, lease=sid)
        books.archive(proved(sid), lease=sid)
        books.end(sid)


def taken(books: Books, *sids: str) -> int:
    """Take tombstones over."""
    with books.database.write() as tx:
        return tombstones.take_over(tx, [tombstone(sid) for sid in sids], folder=FOLDER, now=NOW)


def test_tombstones_are_taken_over_once(books: Books) -> None:
    """Of an archived call, an expected one, and one that was not known; the books balance."""
    archived(books, SIDS[0], SIDS[3])
    books.add(called(SIDS[1]))
    assert taken(books, *SIDS[:3]) == 3
    assert taken(books, *SIDS[:3]) == 0
    assert [books.row(sid)["state"] for sid in SIDS[:4]] == ["purged"] * 3 + ["archived"]
    assert books.row(SIDS[2])["day"] == "2026-02-09"
    with books.database.read() as tx:
        goes = purge.to_remove(tx, "", 9)
        assert purge.left_to_remove(tx) == 3
    assert [(one.sid, one.path, one.why) for one in goes] == [
        (sid, f"{FOLDER}/17/{sid}.mp3", "request 118") for sid in SIDS[:3]
    ]
    assert not books.balance().faults


def test_what_is_held_is_left(books: Books) -> None:
    """Whoever holds it would settle it otherwise."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    assert taken(books, SIDS[0]) == 0
    assert books.row(SIDS[0])["state"] == "leased"


def test_a_removed_file_that_came_back_goes_again(books: Books) -> None:
    """Only from its own place."""
    path = f"{FOLDER}/17/{SIDS[0]}.mp3"
    taken(books, SIDS[0])
    with books.database.write() as tx:
        assert not verify.was_removed(tx, "main", SIDS[0], path)
        purge.note_removed(tx, purge.to_remove(tx, "", 9), NOW)
        assert verify.was_removed(tx, "main", SIDS[0], path)
        assert not purge.remove_again(tx, "main", SIDS[0], f"{path}.json")
        assert purge.remove_again(tx, "main", SIDS[0], path)
        assert purge.left_to_remove(tx) == 1


def test_the_newest_is_what_was_settled_or_counted(books: Books) -> None:
    """A purge is none."""

    def newest() -> object:
        with books.database.read() as tx:
            return purge.newest(tx, ["main", "other"])

    assert newest() is None
    taken(books, SIDS[1])
    assert newest() is None
    archived(books, SIDS[0])
    assert newest() == NOW
    with books.database.write() as tx:
        count = Count("main", RECORDINGS, "", 1)
        tallies.add(tx, [count], host="here", now=NOW + DAY)
    assert newest() == NOW + DAY


def test_what_may_go_is_found_by_day_and_exophone(books: Books) -> None:
    """Each group has its own horizon."""
    archived(books, *SIDS[:3])
    books.add(called(SIDS[0], exophone="08040000000"))
    limit = Horizon(NOW, NOW + 400 * DAY)
    with books.database.read() as tx:
        assert purge.recordings(tx) == 3
        assert purge.exophones(tx, "main", "2026-02-09") == ["", "08040000000"]
        assert purge.amount(tx, Group("main", "2026-02-09", ""), limit) == (2, 2, 2000)
        found = purge.due(tx, Group("main", "2026-02-09", "08040000000"), limit, 9)
        assert [call.sid for call in found] == [SIDS[0]]
        young = Horizon(NOW - 2 * DAY, NOW + 400 * DAY)
        assert purge.due(tx, Group("main", "2026-02-09", ""), young, 9) == []


@pytest.mark.parametrize("kind", ["missing", "purged-elsewhere"])
def test_a_finding_is_found_by_its_call(books: Books, kind: str) -> None:
    """Not by another kind or account."""
    with books.database.scratch() as tx:
        verify.begin(tx)
        verify.add(tx, Finding(kind=kind, path="x", account="main", sid=SIDS[0]))
        assert verify.is_found(tx, kind, "main", SIDS[0])
        assert not verify.is_found(tx, "changed", "main", SIDS[0])
        assert not verify.is_found(tx, kind, "other", SIDS[0])
