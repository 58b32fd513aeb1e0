"""What `doctor` says of disk and file systems."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.catalog.examine import Written
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


def test_days_left_follow_from_a_week() -> None:
    """7 GiB in seven days, and 30 GiB of room: 30 days."""
    written = Written(1000, 7 * _GIB, _NOW - timedelta(days=7))
    assert disk.days_left(written, 30 * _GIB, _NOW) == pytest.approx(30)


def test_a_young_archive_is_measured_since_its_beginning() -> None:
    """Its first day is not spread over a week."""
    written = Written(1000, _GIB, _NOW - timedelta(days=1))
    assert disk.days_left(written, 30 * _GIB, _NOW) == pytest.approx(30)


@given(
    st.integers(0, 2**50),
    st.integers(-(2**50), 2**50),
    st.timedeltas(timedelta(days=-1), timedelta(days=30)),
)
def test_days_left_are_never_negative(size: int, free: int, age: timedelta) -> None:
    """Whatever the catalog says, clocks that were set back included."""
    left = disk.days_left(Written(1, size, _NOW - age), free, _NOW)
    assert left is None or left >= 0


def test_nothing_archived_says_nothing_of_days() -> None:
    """And few days left are told."""
    assert disk.days_left(Written(0, 0, None), _GIB, _NOW) is None
    found = [disk.judge_days_left(left).result for left in (None, 13.9, 14.0)]
    assert found == [Result.SKIPPED, Result.WARNED, Result.PASSED]


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
