"""Which day folders are behind, and what their files are to say."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts, Source, State
from archive.catalog import dayfiles, work
from archive.catalog.dayfiles import ChangedDay
from archive.catalog.story import put_back
from archive.manifest import Line, Seen, Told
from archive.verdicts import Absent, Failed, Lost
from tests.unit.books import ACCOUNT, NOW, SIDS, called, proved

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.catalog.work import Outcome
    from tests.unit.books import Books

DAY = "main/2026/02/09"


def archive(books: Books, sid: str, folder: str = DAY) -> None:
    """Archive one call."""
    books.add(called(sid))
    books.claim(sid, lease=sid)
    books.archive(proved(sid, folder=folder), lease=sid)


def behind(books: Books) -> dict[str, int]:
    """Return the folders that are behind, with their changes."""
    with books.database.read() as tx:
        return {day.folder: day.changes for day in dayfiles.changed_days(tx)}


def write_all(books: Books) -> None:
    """Note that all days were written."""
    with books.database.write() as tx:
        for day in dayfiles.changed_days(tx):
            assert dayfiles.day_is_written(tx, day)


def changed_by(books: Books, step: Callable[[], object]) -> set[str]:
    """Return the folders that a step leaves behind, when all were written before it."""
    write_all(books)
    step()
    return set(behind(books))


def test_each_recording_changes_its_day(books: Books) -> None:
    """The folder that it lies in, and that of its call's day, which may be another one."""
    books.add(*map(called, SIDS[:2]))
    for sid, folder in zip(SIDS, [DAY, "main/2026/02/08"], strict=False):
        books.claim(sid, lease=sid)
        step = partial(books.archive, proved(sid, folder=folder), lease=sid)
        assert {DAY, folder} == changed_by(books, step)


def test_a_day_that_changes_while_it_is_written_stays_behind(books: Books) -> None:
    """What was archived meanwhile is not in the file, so it is written again."""
    archive(books, SIDS[0])
    with books.database.read() as tx:
        (seen,) = dayfiles.changed_days(tx)
    archive(books, SIDS[1])
    with books.database.write() as tx:
        assert not dayfiles.day_is_written(tx, seen)
        (now,) = dayfiles.changed_days(tx)
        assert now.changes > seen.changes
        assert dayfiles.changes_of(tx, DAY) == now
        assert dayfiles.day_is_written(tx, now)
        assert not dayfiles.day_is_written(tx, now)
        assert not dayfiles.changes_of(tx, DAY).is_behind


def test_a_day_can_be_marked_by_hand(books: Books) -> None:
    """Its files are then written anew, as after a change."""
    with books.database.write() as tx:
        for folder in (DAY, "main/2026/02/01", DAY):
            dayfiles.mark_day(tx, folder)
        expected = [ChangedDay("main/2026/02/01", 1), ChangedDay(DAY, 2)]
        assert expected == dayfiles.changed_days(tx)


def test_an_intake_marks_each_of_its_days_once(books: Books) -> None:
    """A thousand calls of a day are one change; a call of unknown day has a folder of its own."""
    calls = [called(f"{index:032}") for index in range(1000)]
    books.add(*calls, CallFacts(sid=SIDS[0]), called(SIDS[1], started_at=NOW))
    assert behind(books) == {DAY: 1, "main": 1, "main/2026/02/10": 1}


def test_a_second_sighting_marks_the_day_the_call_stands_on(books: Books) -> None:
    """Whatever the source says of its day: the manifest tells of the sighting."""
    books.add(called(SIDS[0]))
    bare = CallFacts(sid=SIDS[0])
    step = partial(books.add, bare, source=Source.SIDS)
    assert changed_by(books, step) >= {DAY}


def test_a_call_whose_day_is_learnt_marks_both(books: Books) -> None:
    """It goes from one manifest to another, by an export as by the provider."""
    books.add(CallFacts(sid=SIDS[0]), CallFacts(sid=SIDS[1]))
    assert {"main", DAY} == changed_by(books, partial(books.add, called(SIDS[0])))

    def learn() -> None:
        with books.database.write() as tx:
            work.learn(tx, [called(SIDS[1])], lease="lease", account=ACCOUNT, now=NOW)

    books.claim(SIDS[1])
    assert {"main", DAY} == changed_by(books, learn)
    assert set() == changed_by(books, learn), "nothing new was learnt"


@pytest.mark.parametrize("outcome", [Absent("no-answer"), Lost("fetch-gone"), Failed("x")])
def test_each_settling_and_each_retry_marks_the_day(books: Books, outcome: Outcome) -> None:
    """Whatever a call came to, its manifest is behind then."""
    books.add(called(SIDS[0]))
    assert set() == changed_by(books, partial(books.claim, SIDS[0]))
    assert {DAY} == changed_by(books, partial(books.settle, SIDS[0], outcome))

    def retry() -> None:
        with books.database.write() as tx:
            put_back(tx, accounts=["main"], states=State, reason=None, day=None, sids=None, now=NOW)

    assert {DAY} == changed_by(books, retry)


def test_holding_a_call_marks_nothing(books: Books) -> None:
    """A leased call is told of as expected, so that claims and rescues write no files."""
    books.add(called(SIDS[0]))
    assert set() == changed_by(books, partial(books.claim, SIDS[0]))
    assert set() == changed_by(books, books.end)


def test_a_recording_that_goes_marks_its_calls_day(books: Books) -> None:
    """As verify does when a file is wrong."""
    archive(books, SIDS[0])
    assert {DAY} == changed_by(books, partial(books.sql, "DELETE FROM recordings"))


def test_a_recording_that_is_another_marks_its_calls_day(books: Books) -> None:
    """As when it is fetched anew: the manifest has its hash."""
    archive(books, SIDS[0])
    change = partial(books.sql, "UPDATE recordings SET sha256 = 'cd'")
    assert {DAY} == changed_by(books, change)


def test_a_further_recording_marks_its_calls_day(books: Books) -> None:
    """When a source tells of it, and when its bytes turn out to be another's."""
    books.add(called(SIDS[0]))
    told = "INSERT INTO candidates VALUES ('main', ?, '2.mp3', 'https://x', 'cdr', 1, '')"
    assert {DAY} == changed_by(books, partial(books.sql, told, SIDS[0]))
    same = "UPDATE candidates SET same_as = '1.mp3'"
    assert {DAY} == changed_by(books, partial(books.sql, same))


def test_a_manifest_tells_all_of_a_day(books: Books) -> None:
    """Calls of all states with their sightings and recordings, and no calls of other days."""
    archive(books, SIDS[0], folder="main/2026/02/08")
    books.add(called(SIDS[0]), source=Source.LISTING)
    books.add(called(SIDS[1], status="no-answer"), CallFacts(sid=SIDS[2]))
    books.claim(SIDS[1])
    with books.database.read() as tx:
        day = {line.sid: line for line in dayfiles.manifest_lines(tx, "main", "2026-02-09")}
        unknown = [line.sid for line in dayfiles.manifest_lines(tx, "main", "")]
        assert not list(dayfiles.manifest_lines(tx, "other", "2026-02-09"))
    assert [SIDS[2]] == unknown
    assert {*SIDS[:2]} == set(day)
    expected = Line(
        account="main",
        sid=SIDS[0],
        state=State.ARCHIVED,
        reason="",
        call=called(SIDS[0]),
        sightings=[Seen("cdr", NOW), Seen("listing", NOW)],
        delete_by=NOW + timedelta(days=29),
        settled_at=NOW,
        recordings=[
            Told(
                object=f"{SIDS[0]}.mp3",
                file=f"../08/17/{SIDS[0]}.mp3",
                sha256="ab" * 32,
                bytes=1000,
                format="mp3",
                channels=1,
                sample_rate=8000,
                seconds=65.0,
                flag="",
                archived_at=NOW,
            )
        ],
    )
    assert expected == day[SIDS[0]]
    assert (
        day[SIDS[1]].state,
        day[SIDS[1]].recordings,
        day[SIDS[1]].settled_at,
    ) == (State.EXPECTED, [], None)


def test_a_folder_is_owned_once_it_is_said_to_be(books: Books) -> None:
    """A manifest that lies in another one was written by a former catalog."""
    with books.database.write() as tx:
        assert not dayfiles.is_owned(tx, DAY)
        dayfiles.own_day(tx, DAY)
        dayfiles.own_day(tx, DAY)
        assert dayfiles.is_owned(tx, DAY)
        assert not dayfiles.is_owned(tx, "main")


def test_a_days_recordings_are_those_of_its_folder(books: Books) -> None:
    """Sorted by path; neither a day nor an account of a like name is among them."""
    folders = [DAY, "main/2026/02/0", "main-2/2026/02/09", "main/2026/02/090", DAY]
    for sid, folder in zip(reversed(SIDS[:5]), folders, strict=True):
        archive(books, sid, folder)
    with books.database.read() as tx:
        found = list(dayfiles.recordings_below(tx, DAY))
    expected = [(f"{DAY}/17/{sid}.mp3", "ab" * 32) for sid in (SIDS[0], SIDS[4])]
    assert expected == found
