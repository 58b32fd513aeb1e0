"""The disk under catalog and queue: what is told of it when it has no room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archive.errors import Exit
from tests.unit.terminal import SETTINGS
from worker.settings import Settings, load_settings
from worker.statedisk import LEAST, PATIENCE_S, Full, Lookout, full_disk, least_free, places_of

if TYPE_CHECKING:
    from pathlib import Path


def settings_in(folder: Path, more: str = "") -> Settings:
    """Return settings of a folder."""
    config = folder / "config.toml"
    config.write_text(f"{more}{SETTINGS}")
    return load_settings(config, {})


def test_the_catalogs_folder_is_looked_at_and_that_of_queue_and_spool(tmp_path: Path) -> None:
    """The latter where it is used at all: on a server's catalog it may never be made."""
    beside = settings_in(tmp_path, f'[catalog]\nurl = "sqlite:///{tmp_path}/far/catalog.db"\n')
    server = settings_in(tmp_path, '[catalog]\nurl = "postgresql://one/two"\n')
    both = (tmp_path / "far", tmp_path / "state")
    assert places_of(beside) == both[:1]
    assert places_of(server) == ()

    beside.queue.state.mkdir()

    assert places_of(beside) == both
    assert places_of(server) == both[1:]
    assert places_of(settings_in(tmp_path)) == both[1:]


@pytest.mark.parametrize(
    ("room", "expected"), [(0, True), (LEAST - 1, True), (LEAST, False), (None, False)]
)
def test_a_disk_is_full_below_a_mebibyte(room: int | None, expected: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a fact
    """One that does not tell is not said to be."""
    assert expected == (full_disk(settings_in(tmp_path), lambda _: room) is not None)


def test_of_several_disks_the_fullest_is_told_of(tmp_path: Path) -> None:
    """Whether or not the others tell."""
    rooms = {tmp_path / "a": 7, tmp_path / "b": None, tmp_path / "c": 5}
    assert Full(str(tmp_path / "c"), 5) == least_free(rooms, rooms.__getitem__)


def test_one_that_stays_full_ends_who_waits_and_one_that_gets_room_does_not() -> None:
    """The time counts from when it became full last; the end is fatal, and says what to do."""
    found = [None, FULL, None, FULL, FULL, FULL]
    # Asked once as it becomes full, and at each look while it is.
    times = iter([1, 1, 3, 3, 2.9 + PATIENCE_S, 3 + PATIENCE_S])
    looks = iter(found)
    lookout = Lookout(lambda: next(looks), lambda: next(times))
    told = [(lookout.look(), lookout.words) for _ in found]
    *before, (error, _) = told
    words = FULL.words
    assert before == [(None, ""), (None, words), (None, ""), (None, words), (None, words)]
    assert error is not None
    assert (error.exit_code, error.message) == (Exit.FATAL, words)
    assert "du -xh --max-depth=2 /state" in error.hint


FULL = Full("/state", 0)
