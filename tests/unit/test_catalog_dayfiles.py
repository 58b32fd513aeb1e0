"""Which day folders are behind, and what their files are to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.catalog import dayfiles
from archive.catalog.dayfiles import ChangedDay
from tests.unit.books import SIDS, called, proved

if TYPE_CHECKING:
    from tests.unit.books import Books

DAY = "main/2026/02/09"


def archive(books: Books, sid: str, folder: str = DAY) -> None:
    """Archive one call."""
    books.add(called(sid))
    books.claim(sid, lease=sid)
    books.archive(proved(sid, folder=folder), lease=sid)


def test_each_recording_changes_its_day(books: Books) -> None:
    """A day stays behind until it was written."""
    for sid, folder in zip(SIDS, [DAY, DAY, "main/2026/02/08"], strict=False):
        archive(books, sid, folder)
    with books.database.write() as tx:
        changed = dayfiles.changed_days(tx)
        assert [ChangedDay("main/2026/02/08", 1), ChangedDay(DAY, 2)] == changed
        assert dayfiles.day_is_written(tx, changed[1])
        assert changed[:1] == dayfiles.changed_days(tx)


def test_a_day_that_changes_while_it_is_written_stays_behind(books: Books) -> None:
    """What was archived meanwhile is not in the file, so it is written again."""
    archive(books, SIDS[0])
    with books.database.read() as tx:
        (seen,) = dayfiles.changed_days(tx)
    archive(books, SIDS[1])
    with books.database.write() as tx:
        assert not dayfiles.day_is_written(tx, seen)
        assert [ChangedDay(DAY, 2)] == dayfiles.changed_days(tx)
        assert dayfiles.day_is_written(tx, ChangedDay(DAY, 2))
        assert not dayfiles.day_is_written(tx, ChangedDay(DAY, 2))


def test_a_day_can_be_marked_by_hand(books: Books) -> None:
    """Its files are then written anew, as after a change."""
    archive(books, SIDS[0])
    with books.database.write() as tx:
        dayfiles.mark_day(tx, DAY)
        dayfiles.mark_day(tx, "main/2026/02/01")
        expected = [ChangedDay("main/2026/02/01", 1), ChangedDay(DAY, 2)]
        assert expected == dayfiles.changed_days(tx)


def test_a_days_recordings_are_those_of_its_folder(books: Books) -> None:
    """Sorted by path; neither a day nor an account of a like name is among them."""
    folders = [DAY, "main/2026/02/0", "main-2/2026/02/09", "main/2026/02/090", DAY]
    for sid, folder in zip(reversed(SIDS[:5]), folders, strict=True):
        archive(books, sid, folder)
    with books.database.read() as tx:
        found = dayfiles.recordings_below(tx, DAY)
    expected = [(f"{DAY}/17/{sid}.mp3", "ab" * 32) for sid in (SIDS[0], SIDS[4])]
    assert expected == found
