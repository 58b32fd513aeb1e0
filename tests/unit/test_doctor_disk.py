"""What `doctor` says of disk and file systems."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.room import Written
from worker.doctor import disk, trial
from worker.doctor.check import Result
from worker.doctor.disk import Room, RootFacts
from worker.doctor.mounts import Mount, mount_of
from worker.doctor.trial import Trial

_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_GIB = 2**30


def _room(**more: int) -> Room:
    fields = {"free": 50 * _GIB, "total": 100 * _GIB, "inodes": 10**6, "inodes_free": 10**6 // 2}
    return Room(place="/srv", **(fields | more))


@pytest.mark.parametrize(
    ("free", "expected"),
    [(50, Result.PASSED), (2, Result.PASSED), (1, Result.WARNED), (0, Result.FAILED)],
)
def test_room_is_held_against_what_is_to_be_left_free(free: int, expected: Result) -> None:
    """Below it work pauses."""
    assert disk.judge_space(_room(free=free * _GIB), _GIB).result is expected


def test_room_is_told_in_units_that_fit_the_disk() -> None:
    """A small one has no 0.0 GB free of 0.0 GB, less than 0.0 GB."""
    small = Room(place="/srv", free=3_000_000, total=9_000_000, inodes=0, inodes_free=0)

    said = disk.judge_space(small, 5_000_000).said
    assert said.startswith("3.0 MB of 9.0 MB are free on /srv, less than min_free (5.0 MB)")


@pytest.mark.parametrize(
    ("total", "free", "expected"),
    [
        (0, 0, Result.PASSED),
        (10**6, 10**5, Result.PASSED),
        (10**6, 40_000, Result.WARNED),
        (10**6, 999, Result.FAILED),
    ],
)
def test_files_need_inodes(total: int, free: int, expected: Result) -> None:
    """Where the file system has a fixed number of them."""
    assert disk.judge_inodes(_room(inodes=total, inodes_free=free)).result is expected


@pytest.mark.parametrize(
    ("rooms", "expected", "word"),
    [
        ([], Result.SKIPPED, "see space"),
        ([_room(free=50 * _GIB)], Result.PASSED, "free on /srv"),
        ([_room(free=50 * _GIB), _room(free=500 * 2**20)], Result.WARNED, "524.3 MB of"),
        ([_room(free=50 * _GIB), _room(free=0)], Result.FAILED, "0 B of"),
        ([_room(inodes_free=10)], Result.FAILED, "10 inodes are free on /srv"),
        ([_room(inodes=0, inodes_free=0)], Result.PASSED, "free on /srv"),
    ],
)
def test_the_disks_of_state_and_catalog_need_room_as_well(
    rooms: list[Room], expected: Result, word: str
) -> None:
    """Where they are other ones: the one that is full counts."""
    found = disk.judge_others(rooms)
    assert found.result is expected
    assert word in found.said
    assert bool(found.do) is (expected in {Result.FAILED, Result.WARNED})


def test_a_disk_is_looked_at_once(tmp_path: Path) -> None:
    """And not at all where it is that of the recordings, which has a check of its own."""
    here = [tmp_path / "state", tmp_path / "state" / "catalog"]
    assert disk.rooms_beside(tmp_path / "recordings", here) == []
    (beside,) = disk.rooms_beside(Path("/proc"), here)
    assert beside.place == str(tmp_path)


def test_few_days_left_are_told() -> None:
    """By the week's pace above what is to be left free; nothing without one."""
    week = Written(7 * _GIB, _NOW - timedelta(days=7))
    found = [disk.judge_days_left(week, days * _GIB, _NOW) for days in (13, 14, 10**6)]
    assert [one.result for one in found] == [Result.WARNED, Result.PASSED, Result.PASSED]
    assert found[0].said == "at the rate of the last 7 days there is room for 13 days"
    assert found[2].said.endswith("for more than 10 years")
    none = disk.judge_days_left(Written(0, None), _GIB, _NOW)
    assert (none.result, none.said) == (
        Result.SKIPPED,
        "nothing was archived in the last 7 days",
    )
    young = disk.judge_days_left(Written(_GIB, _NOW - timedelta(minutes=9)), _GIB, _NOW)
    assert (young.result, "less than a day ago" in young.said) == (Result.SKIPPED, True)


def _root(**more: Any) -> RootFacts:  # noqa: ANN401 - fields of facts
    fields: dict[str, Any] = {
        "path": "/srv/recordings",
        "is_there": True,
        "is_ours": True,
        "nearest": "/srv/recordings",
        "is_archive": True,
        "has_recordings": True,
    }
    return RootFacts(**(fields | more))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (_root(), Result.PASSED),
        (_root(is_archive=False), Result.FAILED),
        (_root(is_ours=False), Result.FAILED),
        (_root(is_archive=False, has_recordings=False), Result.PASSED),
        (_root(is_there=False, is_archive=False, has_recordings=False), Result.PASSED),
    ],
)
def test_an_archive_that_should_be_there_is_there(facts: RootFacts, expected: Result) -> None:
    """An empty folder where recordings are known is a disk that is not mounted."""
    assert disk.judge_root(facts).result is expected


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [(1, 5, Result.PASSED), (51, 5, Result.WARNED), (1, 51, Result.WARNED)],
)
def test_slow_flushes_are_told(small: float, large: float, expected: Result) -> None:
    """Above 50 ms."""
    assert trial.judge_flush(small, large, "here").result is expected


def test_a_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    """And finds that this file system will do."""
    found = trial.try_out(tmp_path)
    assert found is not None
    assert (found.links, found.one_device, found.apart) == (True, True, True)
    assert list(tmp_path.iterdir()) == []
    assert trial.try_out(tmp_path / "nowhere") is None
    assert trial.try_flushes(tmp_path / "nowhere") is None


def test_what_publishing_needs_is_told_where_it_is_missing() -> None:
    """Links within one file system, and names that differ in their case."""
    good = Trial(small_ms=1, large_ms=1, links=True, one_device=True, apart=True)
    change = msgspec.structs.replace
    assert trial.judge_links(good).result is Result.PASSED
    assert trial.judge_links(change(good, links=False)).result is Result.FAILED
    assert trial.judge_links(change(good, one_device=False)).result is Result.FAILED
    assert trial.judge_names(good).result is Result.PASSED
    assert trial.judge_names(change(good, apart=False)).result is Result.WARNED


_MOUNTINFO = """\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
30 22 0:50 / /srv rw,relatime shared:9 - nfs4 server:/export rw,vers=4.2
31 30 8:3 / /srv/my\\040disk rw - xfs /dev/sdb1 rw
40 22 0:60 / /srvx rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib/callvault/catalog.db", Mount("/", "ext4")),
        ("/srv/catalog.db", Mount("/srv", "nfs4")),
        ("/srv/my disk/catalog.db", Mount("/srv/my disk", "xfs")),
        ("/srvx/catalog.db", Mount("/srvx", "cifs")),
        ("/srvy/catalog.db", Mount("/", "ext4")),
    ],
)
def test_a_path_lies_on_the_deepest_mount_above_it(path: str, expected: Mount) -> None:
    """By whole names, with blanks as the kernel writes them."""
    assert mount_of(Path(path), _MOUNTINFO) == expected


def test_of_two_mounts_in_one_place_the_later_one_counts() -> None:
    """It covers the other."""
    text = f"{_MOUNTINFO}50 30 0:70 / /srv rw - tmpfs tmpfs rw\n"
    assert mount_of(Path("/srv/catalog.db"), text) == Mount("/srv", "tmpfs")


@given(st.text())
def test_no_text_breaks_the_reading_of_mounts(text: str) -> None:
    """What is none is passed over."""
    assert mount_of(Path("/a"), text) is None or " - " in text
