"""Several roots in one catalog: which one is which, and that none sees to another's files."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from archive.catalog import dayfiles, purge, roots, verify
from archive.catalog.dayfiles import ChangedDay
from archive.errors import StoreError
from archive.layout import PARTS
from archive.roots import Root, RootFiles, which_root
from tests.unit.books import NOW, SIDS, called, proved

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books

DAY = "main/2026/02/09"
FIRST = Root(number=1, mark="a" * 16, places=(("one", "/r"),), has_recordings=True)
OLD = Root(number=1, mark="", has_recordings=True)
EMPTY = Root(number=1, mark="")
SECOND = Root(number=2, mark="b" * 16, places=(("two", "/r"),), has_recordings=True)


def begun(folder: Path) -> RootFiles:
    """Return a root that is an archive."""
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    return RootFiles(folder)


def register(
    books: Books, files: RootFiles, *, host: str = "one", shared: bool = True, mark: str = "a" * 16
) -> int:
    """Register a root as a worker does when it starts, and look at the catalog from it."""
    with books.database.write() as tx:
        number = roots.register(tx, files, host=host, shared=shared, fresh_mark=mark, now=NOW)
    books.database.root = number
    return number


@pytest.mark.parametrize(
    ("known", "mark", "where", "shared", "holds", "expected"),
    [
        # By its mark, wherever it is by now.
        ([FIRST, SECOND], "b" * 16, ("one", "/r"), True, 0, 2),
        # Without its mark: by its place, or by what lies in it.
        ([FIRST, SECOND], "", ("two", "/r"), True, 0, 2),
        ([FIRST, SECOND], "", ("new", "/r"), True, 2, 2),
        # Of before there were marks: whoever has its files.
        ([OLD], "", ("one", "/r"), False, 1, 1),
        ([OLD], "c" * 16, ("one", "/r"), False, 1, 1),
        # One host, or shared storage.
        ([EMPTY], "", ("one", "/r"), True, 0, 1),
        ([OLD], "", ("one", "/r"), True, 0, 1),
        # A root of its own.
        ([OLD], "", ("two", "/r"), False, 0, None),
        ([FIRST], "", ("two", "/r"), False, 0, None),
        ([FIRST], "c" * 16, ("two", "/r"), False, 0, None),
        # What should be the common one, and is not.
        ([FIRST], "", ("two", "/r"), True, 0, StoreError),
        ([FIRST], "c" * 16, ("one", "/r"), True, 0, StoreError),
        # Two new hosts that say nothing must not each take their own disk for the common one.
        ([replace(FIRST, has_recordings=False)], "", ("two", "/r"), True, 0, StoreError),
    ],
)
def test_a_root_is_known_by_its_mark_its_place_or_its_files(
    known: list[Root],
    mark: str,
    where: tuple[str, str],
    shared: bool,  # noqa: FBT001 - a column of the table
    holds: int,
    expected: int | type[StoreError] | None,
) -> None:
    """None of them is taken for another; an unmounted share is no new root."""
    ask = partial(
        which_root,
        known,
        mark=mark,
        host=where[0],
        path=where[1],
        shared=shared,
        holds=lambda root: root.number == holds,
    )
    if expected is StoreError:
        with pytest.raises(StoreError, match="none that the catalog knows"):
            ask()
    else:
        found = ask()
        assert expected == (None if found is None else found.number)


def test_hosts_get_roots_of_their_own(books: Books, tmp_path: Path) -> None:
    """The second is numbered; each is the same again, also at another place."""
    one, two = begun(tmp_path / "one"), begun(tmp_path / "two")
    assert register(books, one) == 1
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    books.archive(proved(SIDS[0]))
    assert register(books, two, host="two", shared=False, mark="b" * 16) == 2
    two.path.rename(tmp_path / "moved")
    moved = RootFiles(tmp_path / "moved")
    assert register(books, moved, host="three", mark="c" * 16) == 2
    with books.database.read() as tx:
        held = {root.number: root for root in roots.held(tx)}
    assert {number: root.recordings for number, root in held.items()} == {1: 1, 2: 0}
    assert [place.host for place in held[2].places] == ["three", "two"]


def test_a_share_that_is_not_mounted_is_no_root(books: Books, tmp_path: Path) -> None:
    """Nothing is written into the folder that it should be mounted at."""
    register(books, begun(tmp_path / "one"))
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    books.archive(proved(SIDS[0]))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StoreError, match="none that the catalog knows"):
        register(books, RootFiles(empty), host="two")
    # The same host, whose disk is not mounted.
    (tmp_path / "one").rename(tmp_path / "away")
    (tmp_path / "one").mkdir()
    with pytest.raises(StoreError, match="but the catalog knows recordings in it"):
        register(books, RootFiles(tmp_path / "one"))
    assert not list(empty.iterdir())
    assert not list((tmp_path / "one").iterdir())


def test_what_is_no_mark_is_refused(books: Books, tmp_path: Path) -> None:
    """A file that somebody else wrote there decides nothing."""
    files = begun(tmp_path / "one")
    (files.path / ".root").write_text("../../etc")
    with pytest.raises(StoreError, match="is no mark of a root"):
        register(books, files)


def test_each_root_has_lists_of_its_own(books: Books, tmp_path: Path) -> None:
    """Recordings where they are, in each; calls without any in all; a change is behind in both."""
    register(books, begun(tmp_path / "one"))
    books.add(*(called(sid) for sid in SIDS[:4]))
    books.claim(*SIDS[:3])
    books.archive(proved(SIDS[0]), proved(SIDS[2]))
    register(books, begun(tmp_path / "two"), host="two", shared=False, mark="b" * 16)
    second = proved(SIDS[2], object_name="second.mp3", number=2)
    books.sql("UPDATE calls SET state = 'leased', lease = 'later' WHERE sid = ?", SIDS[2])
    books.archive(replace(proved(SIDS[2]), root=1), second, lease="later")
    books.archive(proved(SIDS[1]))
    for root, sums, told in (
        (1, [proved(SIDS[0]).path, proved(SIDS[2]).path], [SIDS[0], SIDS[2], SIDS[3]]),
        (2, [proved(SIDS[1]).path, second.path], [SIDS[1], SIDS[2], SIDS[3]]),
    ):
        books.database.root = root
        with books.database.read() as tx:
            assert sums == [path for path, _ in dayfiles.recordings_below(tx, DAY)]
            lines = {line.sid: line for line in dayfiles.manifest_lines(tx, "main", "2026-02-09")}
            (day,) = dayfiles.changed_days(tx)
        assert told == sorted(lines)
        assert len(lines[SIDS[2]].recordings) == 1
        with books.database.write() as tx:
            assert dayfiles.day_is_written(tx, day)
            assert dayfiles.changed_days(tx) == []
    # The second wrote what the first left to it; nothing goes round in circles.
    books.database.root = 1
    with books.database.read() as tx:
        assert dayfiles.changed_days(tx) == []


def test_two_keepers_that_write_the_same_change_end(books: Books, tmp_path: Path) -> None:
    """Whoever comes second writes once more, and the first is not disturbed by that."""
    register(books, begun(tmp_path / "one"))
    register(books, begun(tmp_path / "two"), host="two", shared=False, mark="b" * 16)
    books.add(called(SIDS[0]))
    with books.database.read() as tx:
        (seen,) = dayfiles.changed_days(tx)
    books.database.root = 1
    with books.database.write() as tx:
        assert dayfiles.day_is_written(tx, seen)
    books.database.root = 2
    with books.database.write() as tx:
        assert not dayfiles.day_is_written(tx, seen)
        dayfiles.mark_again(tx, DAY)
        assert [ChangedDay(DAY, 0, 2)] == dayfiles.changed_days(tx)
        assert dayfiles.day_is_written(tx, ChangedDay(DAY, 0, 2))
        assert dayfiles.changed_days(tx) == []
    books.database.root = 1
    with books.database.read() as tx:
        assert dayfiles.changed_days(tx) == []


def test_verify_and_purge_see_to_one_root(books: Books, tmp_path: Path) -> None:
    """Another's recordings are elsewhere; its files are removed by whoever has them."""
    register(books, begun(tmp_path / "one"))
    books.add(called(SIDS[0]), called(SIDS[1]))
    books.claim(*SIDS[:2])
    books.archive(proved(SIDS[0]))
    register(books, begun(tmp_path / "two"), host="two", shared=False, mark="b" * 16)
    books.archive(proved(SIDS[1]))
    with books.database.read() as tx:
        (kept,) = verify.kept_in(tx, f"{DAY}/17")
        assert kept.sid == SIDS[1]
        assert verify.amount(tx, "main") == (1, 1000)
        assert verify.elsewhere(tx, "main") == (1, 1000)
        assert verify.kept_at(tx, proved(SIDS[0]).path) is None
        named = [purge.named(tx, "main", sid) for sid in SIDS[:2]]
    with books.database.write() as tx:
        calls = [call for call in named if call is not None]
        assert purge.bury(tx, calls, reason="on-request", why="asked", now=NOW) == 2
        (here,) = purge.to_remove(tx, "", 10)
        assert (here.sid, purge.left_to_remove(tx), purge.left_elsewhere(tx)) == (SIDS[1], 1, 1)
        purge.note_removed(tx, [here], NOW + timedelta(hours=1))
    books.database.root = 1
    with books.database.read() as tx:
        assert [one.sid for one in purge.to_remove(tx, "", 10)] == [SIDS[0]]
    assert books.balance().faults == []


def test_recordings_of_another_root_are_kept_when_a_call_is_archived_again(
    books: Books, tmp_path: Path
) -> None:
    """What the claim tells of them stays as it is, root included."""
    register(books, begun(tmp_path / "one"))
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    books.archive(proved(SIDS[0]))
    books.end()
    register(books, begun(tmp_path / "two"), host="two", shared=False, mark="b" * 16)
    books.sql("UPDATE calls SET state = 'expected' WHERE sid = ?", SIDS[0])
    (call,) = books.claim(SIDS[0], lease="second")
    books.archive(*call.kept, proved(SIDS[0], object_name="b.mp3", number=2), lease="second")
    with books.database.read() as tx:
        found = {one.object_name: one.root for one in roots.locate(tx, SIDS[0])}
    assert found == {f"{SIDS[0]}.mp3": 1, "b.mp3": 2}
    assert books.balance().faults == []
