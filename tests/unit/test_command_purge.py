"""Recordings are deleted when they may be, never before, and never come back."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import Source, State
from archive.catalog import purge as rows
from archive.catalog.purge import Group
from archive.catalog.story import read_story
from archive.catalog.writer import Catalog
from archive.clock import system_clock, to_ms
from archive.errors import InputError
from archive.layout import CHECKSUMS, MANIFEST
from archive.purging import (
    KEEP_DAYS,
    MARGIN,
    Horizon,
    horizon,
    remove_files,
)
from archive.retention import kept_for
from jobs.daykeeper import write_changed_days
from jobs.purging import Purger
from tests.unit.aged import (
    KEEPING,
    archive_lately,
    files,
    kept_files,
    purge,
    states,
    verify_finds,
)
from tests.unit.books import ACCOUNT, NOW, SIDS, called
from tests.unit.terminal import Terminal
from tests.unit.vaulted import DAY, Vaulted, sound

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from archive.catalog.purge import Buried
    from archive.purging import Removed

HOUR = timedelta(hours=1)
URL = "https://recordings.exotel.com/exotelrecordings/acme1/{}.mp3"


def test_what_is_old_goes_and_a_tombstone_stays(aged: Vaulted) -> None:
    """Recording, sidecar and lists; the books balance, verify is silent, explain tells it."""
    told = purge(aged, "--yes")
    assert (told["calls"], told["recordings"], told["removed"], told["left"]) == (2, 2, 2, 0)
    assert kept_files(SIDS[2]) == files(aged)
    assert states(aged) == ["purged", "purged", "archived"]
    assert aged.state(SIDS[0]) == ("purged", KEEP_DAYS)
    assert not aged.books.balance().faults
    assert not aged.file(f"{DAY}/{CHECKSUMS}").exists()
    lines = [json.loads(line) for line in aged.file(f"{DAY}/{MANIFEST}").read_text().splitlines()]
    assert [(line["state"], line["recordings"], line["purged"][0]["why"]) for line in lines] == [
        ("purged", [], "older than 30 days")
    ] * 2
    assert verify_finds(aged) == []
    story = aged.terminal.says("explain", SIDS[0])
    assert "Its recordings were deleted from the archive" in story
    assert f"{DAY}/17/{SIDS[0]}.mp3" in story
    assert "older than 30 days" in story
    assert aged.terminal.tells("status")["purged"] == 2
    found = aged.terminal.says("find", "--state", "purged", "--json").splitlines()
    assert [(SIDS[0], []), (SIDS[1], [])] == [
        (one["sid"], one["recordings"]) for one in map(json.loads, found)
    ]


def test_a_dry_run_changes_nothing(aged: Vaulted) -> None:
    """It tells what would go."""
    before = aged.told(), files(aged)
    told = purge(aged, "--dry-run")
    assert (told["calls"], told["recordings"]) == (2, 2)
    assert told["bytes"] == len(sound(0)) + len(sound(1))
    assert before == (aged.told(), files(aged))


def test_nothing_goes_before_somebody_says_so(aged: Vaulted) -> None:
    """Without a terminal to ask on, --yes is needed."""
    assert "cannot be undone" in aged.terminal.refuses("purge").message
    assert states(aged) == ["archived"] * 3


def test_without_keep_days_everything_is_kept(vaulted: Vaulted) -> None:
    """Whoever purges then is told what is missing."""
    vaulted.archive(SIDS[0], sound(0))
    assert "keep_days is not set" in vaulted.terminal.refuses("purge", "--yes").message


@pytest.mark.parametrize(
    ("age", "deleted", "goes"),
    [
        (timedelta(days=31), MARGIN + HOUR, True),
        (timedelta(days=30) - HOUR, MARGIN + HOUR, False),
        (timedelta(days=300), MARGIN - HOUR, False),
        (timedelta(days=300), -timedelta(days=60), False),
        (None, MARGIN + HOUR, False),
    ],
)
def test_age_and_the_providers_deletion_both_count(
    age: timedelta | None,
    deleted: timedelta,
    goes: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Old enough, and a week past the deletion day; never what has no known time."""
    limit = horizon(NOW, 30)
    assert limit is not None
    began = None if age is None else NOW - age
    assert goes == limit.lets_go(began, NOW - deleted)
    assert horizon(NOW, 0) is None


def test_the_query_decides_as_the_function_does(vaulted: Vaulted) -> None:
    """Of calls of all ages around both limits, with time and without."""
    limit = Horizon(NOW - timedelta(days=40), NOW - timedelta(days=9))
    expected = set()
    for number, sid in enumerate(SIDS):
        began = NOW - timedelta(days=36 + number)
        vaulted.archive(sid, sound(number), started_at=began, ended_at=began)
        delete_by = began + kept_for(called(sid), ACCOUNT) + timedelta(days=number % 3)
        vaulted.books.sql("UPDATE calls SET delete_by_ms = ? WHERE sid = ?", to_ms(delete_by), sid)
        if limit.lets_go(began, delete_by):
            expected.add(sid)
    vaulted.books.sql("UPDATE calls SET began_ms = NULL WHERE sid = ?", SIDS[8])
    expected.discard(SIDS[8])
    with vaulted.books.database.read() as tx:
        found = {
            call.sid
            for day in rows.days(tx, "main", "2026-12-31")
            for call in rows.due(tx, Group("main", day, ""), limit, 100)
        }
    assert expected == found
    assert expected


def test_unsettled_failed_and_unrecorded_calls_are_left_alone(aged: Vaulted) -> None:
    """Whatever their age."""
    aged.books.sql("UPDATE calls SET state = 'expected' WHERE sid = ?", SIDS[0])
    aged.books.sql("UPDATE calls SET state = 'failed' WHERE sid = ?", SIDS[1])
    aged.books.add(called(SIDS[3]))
    aged.books.sql("UPDATE calls SET state = 'absent', settled_ms = 1 WHERE sid = ?", SIDS[3])
    assert purge(aged, "--yes")["calls"] == 0
    assert aged.state(SIDS[3])[0] == "absent"
    assert kept_files(*SIDS[:3]) == files(aged)


def test_a_day_or_an_account_narrows_it(aged: Vaulted) -> None:
    """Only what is named goes."""
    assert purge(aged, "--yes", "--day", "2026-02-08")["calls"] == 0
    assert purge(aged, "--yes", "--day", "2026-02-09", "--account", "main")["calls"] == 2


def test_a_persons_request_is_met_at_any_time(vaulted: Vaulted) -> None:
    """With its reason; and it is told that the provider still has it."""
    archive_lately(vaulted, SIDS[0], sound(0), days=1)
    aside = vaulted.root / ".quarantine" / "main"
    aside.mkdir(parents=True)
    (aside / f"{SIDS[0]}.0123456789ab.changed").write_bytes(b"its voice")
    (aside / f"{SIDS[1]}.0123456789ab.changed").write_bytes(b"another's")
    words = ("purge", "--sid", SIDS[0], "--reason", "asked\nby letter", "--yes")
    result = vaulted.terminal.run(*words)
    assert result.exception is None
    assert f"the provider may have the recording of {SIDS[0]}" in result.stderr
    assert vaulted.state(SIDS[0]) == ("purged", "on-request")
    assert files(vaulted) == set()
    assert [f"{SIDS[1]}.0123456789ab.changed"] == [path.name for path in aside.iterdir()]
    with vaulted.books.database.read() as tx:
        story = read_story(tx, "main", SIDS[0])
    assert story is not None
    assert [gone.why for gone in story.purged] == ["asked by letter"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sid", SIDS[0]], "needs its why"),
        (["--reason", "so"], "is for named calls"),
        (["--sid", SIDS[0], "--reason", "so", "--day", "2026-02-09"], "--day is for"),
        (["--sid", SIDS[4], "--reason", "so"], "is not known"),
        (["--sid", SIDS[3], "--reason", "so"], "still to be archived"),
        (["--sid", SIDS[0], "--sid", SIDS[5], "--reason", "so"], "it is absent"),
    ],
)
def test_a_request_that_cannot_be_met_deletes_nothing(
    aged: Vaulted, words: list[str], told: str
) -> None:
    """Not one of the named calls, if another one is wrong."""
    aged.books.add(called(SIDS[3]), called(SIDS[5]))
    aged.books.sql("UPDATE calls SET state = 'absent', settled_ms = 1 WHERE sid = ?", SIDS[5])
    error = aged.terminal.refuses("purge", "--yes", *words)
    assert isinstance(error, InputError)
    assert told in error.message
    assert kept_files(*SIDS[:3]) == files(aged)


def test_what_was_purged_does_not_come_back(aged: Vaulted) -> None:
    """By an export, a listing, a further recording, a retry, or an adopted file."""
    purge(aged, "--yes")
    for source in (Source.CDR, Source.LISTING):
        aged.books.add(
            called(SIDS[0], recording_urls=(URL.format(SIDS[0]), URL.format("other"))),
            source=source,
        )
    aged.terminal.says("retry", "--reason", KEEP_DAYS)
    assert "retried" in aged.terminal.refuses("retry", SIDS[0]).message
    other = aged.folder / "other"
    other.mkdir()
    (other / f"{SIDS[0]}.mp3").write_bytes(sound(0))
    aged.terminal.says("adopt", str(other))
    assert aged.state(SIDS[0]) == ("purged", KEEP_DAYS)
    assert kept_files(SIDS[2]) == files(aged)
    assert not aged.books.balance().faults


def test_a_rebuilt_catalog_knows_what_was_purged(aged: Vaulted) -> None:
    """Its manifest says so; what crept back to the disk is not taken in, and goes again."""
    purge(aged, "--yes")
    path = f"{DAY}/17/{SIDS[0]}.mp3"
    before = aged.told()
    aged.lose_catalog()
    aged.file(path).parent.mkdir(exist_ok=True)
    aged.file(path).write_bytes(sound(0))

    result = aged.terminal.run("rebuild", "--json")
    aged.reopen()

    assert before == aged.told()
    assert json.loads(result.stdout)["strange"] == 1
    assert f"{path}: is of a purged call" in result.stderr
    assert verify_finds(aged) == [("extra", False)]
    assert purge(aged, "--yes")["removed"] == 2
    assert not aged.file(path).exists()


class Killed(Exception):  # noqa: N818 - it is no error: it stands for a process's end
    """The process ends here."""


def cut_short(aged: Vaulted, step: str) -> None:
    """Purge up to a step, and end there as a killed process does."""
    limit = horizon(system_clock(), 30)
    assert limit is not None

    def remove(root: Path, buried: Iterable[Buried]) -> Removed:
        for one in buried:
            if step == "one file removed":
                (root / one.path).unlink()
                raise Killed
            if step == "files removed":
                remove_files(root, [one])
        raise Killed

    async def run() -> None:
        catalog = await Catalog.open(aged.catalog)
        try:
            if step == "noted":
                group = Group("main", "2026-02-09", "")
                calls = await catalog.read(rows.due, group, limit, 9)
                await catalog.write(
                    rows.bury, calls, reason=KEEP_DAYS, why="older than 30 days", now=NOW
                )
                return
            purger = Purger(catalog=catalog, root=aged.root, clock=system_clock, remove=remove)
            await purger.by_age([ACCOUNT], limit, day=None, why="older than 30 days")
        finally:
            await catalog.close()

    if step == "noted":
        asyncio.run(run())
    else:
        with pytest.raises(Killed):
            asyncio.run(run())


@pytest.mark.parametrize("finish", [("purge", "--yes"), ("catalog", "tidy")])
@pytest.mark.parametrize("step", ["noted", "lists written", "one file removed", "files removed"])
def test_what_was_cut_short_is_finished_by_the_next_run(
    aged: Vaulted, step: str, finish: tuple[str, ...]
) -> None:
    """At no moment is anything missing; in the end everything is as if nothing had happened."""
    cut_short(aged, step)
    assert not any(fault for _, fault in verify_finds(aged))
    assert not aged.books.balance().faults

    aged.terminal.says(*finish)

    assert kept_files(SIDS[2]) == files(aged)
    assert states(aged) == ["purged", "purged", "archived"]
    assert verify_finds(aged) == []
    assert aged.books.sql("SELECT COUNT(*) FROM purged WHERE removed_ms IS NOT NULL")[0][0] == 2


def test_files_stay_while_a_list_still_tells_of_them(aged: Vaulted) -> None:
    """Else a new catalog made of that list would have them fetched again. The next run goes on."""
    manifest = aged.file(f"{DAY}/{MANIFEST}")
    manifest.unlink()
    manifest.mkdir()  # nothing can be renamed over it
    result = aged.terminal.run("purge", "--yes", "--json")
    assert (result.return_value, json.loads(result.stdout)["left"]) == (5, 2)
    assert kept_files(*SIDS[:3]) == files(aged)
    manifest.rmdir()
    assert purge(aged, "--yes")["removed"] == 2
    assert kept_files(SIDS[2]) == files(aged)


def test_a_tombstone_is_no_way_to_another_file(aged: Vaulted) -> None:
    """A manifest that was written by somebody else names a living recording: it stays."""
    for sid, path in (
        (SIDS[0], f"{DAY}/17/{SIDS[1]}.mp3"),
        (SIDS[3], f"{DAY}/17/{SIDS[0]}.mp3"),
        (SIDS[4], f"{DAY}/17/../17/{SIDS[4]}.mp3"),
    ):
        aged.books.sql(
            "INSERT INTO purged VALUES ('main', ?, 'x', ?, 'ab', 1, 1, 'so', NULL, 1)", sid, path
        )
    aged.terminal.run("catalog", "tidy")
    assert kept_files(*SIDS[:3]) == files(aged)


def test_tidy_purges_only_where_the_settings_say_so_twice(aged: Vaulted) -> None:
    """keep_days alone deletes nothing by itself."""
    aged.terminal.says("catalog", "tidy")
    assert states(aged) == ["archived"] * 3
    aged.terminal = Terminal(aged.folder, f'{KEEPING}purge = "automatic"\n')
    assert aged.terminal.tells("catalog", "tidy", "--dry-run")["purged"]["recordings"] == 2
    assert states(aged) == ["archived"] * 3
    assert aged.terminal.tells("catalog", "tidy")["purged"]["removed"] == 2
    assert states(aged) == ["purged", "purged", "archived"]


def test_a_busy_day_keeps_no_old_one_from_going(aged: Vaulted) -> None:
    """Files of a day whose lists are written go, whatever changes elsewhere."""

    async def run() -> int:
        catalog = await Catalog.open(aged.catalog)
        try:
            limit = horizon(system_clock(), 30)
            assert limit is not None
            purger = Purger(catalog=catalog, root=aged.root, clock=system_clock)
            busy = aged.file(f"main/2026/02/08/{MANIFEST}")
            aged.books.add(called(SIDS[5], started_at=NOW - timedelta(days=2)))
            assert await write_changed_days(catalog, aged.root) == 0
            busy.unlink()
            busy.mkdir()
            aged.books.add(called(SIDS[6], started_at=NOW - timedelta(days=2)))
            done = await purger.by_age([ACCOUNT], limit, day=None, why="age")
            assert await write_changed_days(catalog, aged.root) == 1
            return done.removed
        finally:
            await catalog.close()

    assert asyncio.run(run()) == 2


def test_every_state_that_settles_is_told(aged: Vaulted) -> None:
    """The time of a purge is its settling."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    purge(aged, "--yes")
    row = aged.books.row(SIDS[0])
    assert row["state"] == State.PURGED
    assert row["settled_ms"] >= to_ms(before)
