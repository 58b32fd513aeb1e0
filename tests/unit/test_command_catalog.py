"""The catalog is tidied, backed up and checked."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.call import Source
from archive.catalog import hearings, runs, tallies, tidy, troubles, upkeep, work
from archive.catalog.backup import is_backup_of, make_backup, name_of, owner_of
from archive.catalog.upkeep import Sizes, vacuum_or_why_not
from archive.clock import system_clock, to_ms
from archive.errors import CallvaultError, CatalogError, Exit, InputError
from archive.housekeeping import Tidier, horizons
from archive.leavings import is_left, writer_of
from archive.tallies import DOWNLOAD_MS, RECORDINGS, Count
from archive.verdicts import Again, Failed, Lost
from tests.unit.books import NOW, SIDS, Books, called
from tests.unit.vaulted import DAY, HOUR, Vaulted, sound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from archive.catalog.runs import Run
    from archive.catalog.work import Outcome
    from tests.unit.terminal import Terminal

IST = ZoneInfo("Asia/Kolkata")
HOUR_LONG = timedelta(hours=1)
DAY_LONG = timedelta(days=1)
GIB = 2**30
HERE = "vault.example"


def looked_at(books: Books, sid: str, *ages_days: int, end: Outcome | None = None) -> None:
    """Let a call be looked at so many days before `NOW`, and end archived or otherwise."""
    books.add(called(sid), now=NOW - timedelta(days=400))
    for age in ages_days:
        now = NOW - timedelta(days=age)
        books.claim(sid, lease=f"{sid}{age}")
        outcome = end or Again("not-ready", after=HOUR_LONG)
        with books.database.write() as tx:
            work.settle(tx, [(sid, outcome)], lease=f"{sid}{age}", account="main", now=now)
            work.end_batch(tx, lease=f"{sid}{age}")


def tidied(
    books: Books, *, steps: int = 1000, dry_run: bool = False, now: datetime = NOW
) -> dict[str, Any]:
    """Drop what is old, in at most so many steps."""
    left = iter(range(steps))
    done = Tidier(
        database=books.database,
        before=horizons(now, keep_looks=90 * DAY_LONG, keep_history=400 * DAY_LONG),
        zones={"main": IST},
        zone=UTC,
        go_on=lambda: next(left, None) is not None,
        rest=lambda: None,
        dry_run=dry_run,
    ).run()
    return {name: getattr(done, name) for name in done.__struct_fields__}


def looks(books: Books, sid: str) -> list[int]:
    """Return how many days ago the looks at a call were that are kept."""
    rows = books.sql("SELECT at_ms FROM looks WHERE sid = ? ORDER BY at_ms", sid)
    return [round((to_ms(NOW) - row["at_ms"]) / 86_400_000) for row in rows]


# --- Rows -----------------------------------------------------------------------------------------


def test_old_looks_of_settled_calls_go(books: Books) -> None:
    """What is lost, failed or still waits keeps its story; so does what is young."""
    looked_at(books, SIDS[0], 200, 100, 80)
    books.sql("UPDATE calls SET state = 'archived', settled_ms = 1 WHERE sid = ?", SIDS[0])
    looked_at(books, SIDS[1], 200, 100)
    looked_at(books, SIDS[2], 200, end=Lost("fetch-gone"))
    looked_at(books, SIDS[3], 200, end=Failed("body-empty"))
    counted = tidied(books, dry_run=True)
    assert looks(books, SIDS[0]) == [200, 100, 80]

    done = tidied(books)

    assert done == counted
    assert (done["looks"], done["finished"]) == (2, True)
    assert [looks(books, sid) for sid in SIDS[:4]] == [[80], [200, 100], [200], [200]]
    assert tidied(books)["looks"] == 0


def test_a_run_whose_time_is_over_is_gone_on_with(books: Books) -> None:
    """It says that it did not end; what went is gone, and nothing else."""
    for sid in SIDS[:3]:
        looked_at(books, sid, 200)
    books.sql("UPDATE calls SET state = 'absent', settled_ms = 1")
    cut = tidied(books, steps=0)
    assert (cut["looks"], cut["finished"]) == (0, False)
    done = tidied(books)
    assert (done["looks"], done["finished"]) == (3, True)


def test_history_goes_after_its_time_but_for_the_last_word_of_a_source(books: Books) -> None:
    """Without that one, a source that fell silent would be one that never spoke."""
    old = NOW - 500 * DAY_LONG
    with books.database.write() as tx:
        for source, moments in (
            (Source.CDR, (old, old + 9 * DAY_LONG)),
            (Source.WEBHOOK, (old, NOW - DAY_LONG)),
        ):
            for moment in moments:
                hearings.hear(tx, "main", source, moment, moment)
        for moment in (old, NOW - DAY_LONG):
            runs.begin(tx, runs.begun("verify", host="here", now=moment))
        troubles.note_trouble(tx, "queue", "away", host="there", now=old)
        troubles.note_trouble(tx, "queue", "away", host="here", now=NOW - DAY_LONG)
    done = tidied(books)
    assert (done["hearings"], done["runs"], done["troubles"]) == (2, 1, 1)
    kept = books.sql("SELECT source, COUNT(*) FROM hearings GROUP BY source ORDER BY source")
    assert [tuple(row) for row in kept] == [("cdr", 1), ("webhook", 1)]
    assert len(books.sql("SELECT * FROM runs")) == 1
    assert [row["host"] for row in books.sql("SELECT host FROM troubles")] == ["here"]


def sums(books: Books) -> tuple[list[Count], list[dict[tuple[str, str], int]]]:
    """Return the totals, and by account what was counted on each of its days."""
    with books.database.read() as tx:
        totals = tallies.totals(tx)
        days = []
        for account, zone in (("main", IST), ("other", UTC)):
            begin = (NOW - timedelta(days=50)).astimezone(zone).replace(hour=0, minute=0)
            for number in range(52):
                day = begin + timedelta(days=number)
                found: Counter[tuple[str, str]] = Counter()
                for one in tallies.between(tx, day, day + DAY_LONG):
                    if one.account == account:
                        found[account, one.name] += one.amount
                days.append(dict(found))
    return totals, days


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 24 * 45),
            st.sampled_from(["here", "there"]),
            st.sampled_from(["main", "other"]),
            st.integers(1, 1000),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_tallies_of_a_day_become_one_and_no_sum_changes(
    counted: list[tuple[int, str, str, int]],
) -> None:
    """Neither the totals nor those of any day of an account's zone, however often it runs."""
    with TemporaryDirectory() as folder:
        books = Books(Path(folder) / "catalog.db")
        with books.database.write() as tx:
            for hours, host, account, amount in counted:
                counts = [Count(account, name, "", amount) for name in (RECORDINGS, DOWNLOAD_MS)]
                tallies.add(tx, counts, host=host, now=NOW - hours * HOUR_LONG)
        before = sums(books)
        for _ in range(2):
            tidied(books)
            assert before == sums(books)
        with books.database.read() as tx:
            old = NOW - 35 * DAY_LONG
            assert tidy.tally_days(tx, old, {"main": IST}, UTC) == []
        books.database.close()


def test_hours_of_old_tallies_go_and_young_ones_stay(books: Books) -> None:
    """A day of 24 rows is one afterwards."""
    with books.database.write() as tx:
        for hours in (*range(24 * 40, 24 * 42), *range(24)):
            counts = [Count("main", RECORDINGS, "", 1)]
            tallies.add(tx, counts, host="here", now=NOW - hours * HOUR_LONG)
    assert tidied(books)["tallies"] == 48 - 3
    assert len(books.sql("SELECT * FROM tallies")) == 24 + 3


# --- The command ----------------------------------------------------------------------------------


def age(path: Path, days: int) -> Path:
    """Make a file look as if it had been written so many days ago."""
    moment = (system_clock() - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
    return path


def left(path: Path, *, days: int = 2) -> Path:
    """Leave a file as a killed process does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a part")
    return age(path, days)


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


NOBODY = 2**22 + 1
"""The number of no process: above the kernel's most."""


def test_tidy_removes_what_killed_processes_have_left(vaulted: Vaulted) -> None:
    """Part files of no batch, temporary files, rejected rows; recordings and the rest stay."""
    path = vaulted.archive(SIDS[0], sound(0))
    vaulted.write_days()
    vaulted.books.add(called(SIDS[1]))
    vaulted.books.claim(SIDS[1], lease="living")
    rejected = vaulted.folder / "state" / "rejected"
    goes = {
        "parts": [left(vaulted.root / ".parts" / f"dead.{SIDS[1]}.part", days=0)],
        "temporary": [
            left(vaulted.root / ".parts" / f"probe.{NOBODY}.part"),
            left(vaulted.root / DAY / f".SHA256SUMS.{NOBODY}"),
            left(vaulted.root / "main" / f".manifest.jsonl.{NOBODY}"),
            left(vaulted.root / HOUR / f".{SIDS[0]}.json.{NOBODY}"),
            left(vaulted.root / ".quarantine/main" / f".{SIDS[0]}.ab12.not-audio.{NOBODY}.7"),
        ],
        "rejected": [left(rejected / "20250101T000000Z.csv", days=401)],
    }
    stays = [
        left(vaulted.root / ".parts" / f"living.{SIDS[1]}.part"),
        left(vaulted.root / DAY / f".SHA256SUMS.{os.getpid()}"),
        left(vaulted.root / DAY / f".manifest.jsonl.{NOBODY}", days=0),
        left(vaulted.root / DAY / ".hidden"),
        left(vaulted.root / ".quarantine/main" / f"{SIDS[0]}.ab12.not-audio", days=999),
        left(rejected / "20260101T000000Z.csv", days=399),
        left(rejected / "mine.csv", days=999),
        vaulted.file(path),
        vaulted.sidecar(path),
    ]
    counted = vaulted.terminal.tells("catalog", "tidy", "--dry-run")
    told = vaulted.terminal.tells("catalog", "tidy")
    expected = {kind: len(files) for kind, files in goes.items()}
    assert expected == {kind: counted[kind] for kind in goes}
    assert expected == {kind: told[kind] for kind in goes}
    assert not [file for files in goes.values() for file in files if file.exists()]
    assert [file for file in stays if not file.exists()] == []
    assert "1 look dropped, 7 files removed" in runs_of(vaulted)[-1].note


def runs_of(vaulted: Vaulted) -> list[Run]:
    """Return the runs that were noted."""
    with vaulted.books.database.read() as tx:
        return runs.between(tx, NOW, system_clock() + DAY_LONG)


def test_tidy_tends_the_file(vaulted: Vaulted) -> None:
    """The WAL is folded and emptied; the size is told; the run is noted."""
    vaulted.archive(SIDS[0], sound(0))
    told = vaulted.terminal.tells("catalog", "tidy")
    assert told["size"]["bytes"] == vaulted.catalog.stat().st_size
    assert told["why_not_vacuumed"] == "little is free"
    assert [(run.command, run.code) for run in runs_of(vaulted)] == [("catalog tidy", 0)]
    assert "sound" in vaulted.terminal.says("catalog", "check")


def test_tidy_says_what_went(books: Books, terminal: Terminal) -> None:
    """In a line a kind; a dry run says that it is one."""
    looked_at(books, SIDS[0], 400)
    books.sql("UPDATE calls SET state = 'absent', settled_ms = 1")
    assert "dry run" in terminal.says("catalog", "tidy", "--dry-run")
    assert "1  looks at settled calls" in terminal.says("catalog", "tidy")
    story = terminal.says("explain", SIDS[0])
    assert "are no longer kept" in story


@pytest.mark.parametrize("command", [["tidy"], ["backup"], ["check"]])
def test_where_there_is_no_catalog_none_is_made(
    terminal: Terminal, tmp_path: Path, command: list[str]
) -> None:
    """It says so instead."""
    assert "there is no catalog" in terminal.refuses("catalog", *command).message
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("sizes", "room", "workers", "why"),
    [
        (Sizes(GIB, GIB // 2), 9 * GIB, 0, ""),
        (Sizes(GIB, GIB // 5), 9 * GIB, 0, "little is free"),
        (Sizes(2**20, 2**19), 9 * GIB, 0, "little is free"),
        (Sizes(GIB, GIB // 2), 9 * GIB, 1, "workers are at work"),
        (Sizes(9 * GIB, 4 * GIB), 99 * GIB, 0, "it is too large"),
        (Sizes(GIB, GIB // 2), GIB, 0, "the disk has no room"),
    ],
)
def test_the_file_is_written_anew_only_when_it_pays_and_hurts_nobody(
    sizes: Sizes, room: int, workers: int, why: str
) -> None:
    """Much is free, nobody is at work, it is soon done, and there is room."""
    found = vacuum_or_why_not(sizes, room=room, workers=workers)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_a_vacuum_gives_back_what_is_free(books: Books) -> None:
    """And the books are the same."""
    books.add(*(called(f"{number:032d}") for number in range(3000)))
    books.sql("CREATE TABLE ballast AS SELECT * FROM calls")
    books.sql("DROP TABLE ballast")
    before = upkeep.sizes_of(books.database)
    upkeep.vacuum(books.database)
    after = upkeep.sizes_of(books.database)
    assert (before.free > 0, after.free) == (True, 0)
    assert after.bytes <= before.used
    assert books.balance().known == 3000


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        (".SHA256SUMS.17", 17),
        (".SHA256SUMS.0123abcd.17", 17),
        (".manifest.jsonl.17", 17),
        (f".{SIDS[0]}.json.17", 17),
        (f".{SIDS[0]}_2.0123456789ab.not-audio.17.1402", 17),
        ("probe.17.part", 17),
        ("SHA256SUMS", None),
        (f"{SIDS[0]}.mp3", None),
        (f"{SIDS[0]}.json", None),
        (".nfs000000000000001700000001", None),
        (f"lease.{SIDS[0]}.part", None),
        ("manifest.20260101T000000000000Z.jsonl", None),
    ],
)
def test_temporary_names_are_told_from_all_others(name: str, writer: int | None) -> None:
    """By the names that are given to what is being written."""
    assert writer == writer_of(name)
    old = NOW - 2 * DAY_LONG
    assert (writer is not None) == is_left(name, old, NOW, lambda _: False)
    assert not is_left(name, old, NOW, lambda _: True)
    assert not is_left(name, NOW - HOUR_LONG, NOW, lambda _: False)


# --- Backups --------------------------------------------------------------------------------------


def test_a_backup_is_a_whole_catalog(vaulted: Vaulted) -> None:
    """One private file that nothing lies beside, by default in a folder of the catalog's."""
    vaulted.archive(SIDS[0], sound(0))
    told = vaulted.terminal.tells("catalog", "backup")
    file = Path(told["file"])
    assert file.parent == vaulted.catalog.parent / "backups"
    assert [file.name] == names(file.parent)
    assert file.stat().st_mode & 0o777 == 0o600
    assert told["bytes"] == file.stat().st_size
    before = vaulted.told()
    vaulted.lose_catalog()
    file.rename(vaulted.catalog)
    vaulted.reopen()
    assert before == vaulted.told()
    assert not vaulted.books.balance().faults


def test_a_backup_is_of_one_moment_while_others_write(books: Books, tmp_path: Path) -> None:
    """A writer that never rests neither waits for it nor keeps it from ending."""
    stop, written = threading.Event(), threading.Semaphore(0)

    def write() -> None:
        mine = Books(books.path)
        number = 0
        while not stop.is_set():
            # Two calls in each transaction: a copy of a moment within one would have an odd count.
            mine.add(called(f"{number:032d}"), called(f"{number + 1:032d}"))
            number += 2
            written.release()
        mine.database.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.acquire(timeout=60)
        file = tmp_path / "copy.db"
        for number in range(5):
            make_backup(books.path, file.with_name(f"{number}.db"), host=HERE, now=NOW)
            assert written.acquire(timeout=60)
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        copy = Books(file.with_name(f"{number}.db"))
        assert not copy.balance().faults
        assert copy.balance().known % 2 == 0
        copy.database.close()


def test_only_the_oldest_backups_of_this_catalog_go(vaulted: Vaulted, tmp_path: Path) -> None:
    """Whatever else lies in the folder stays."""
    folder = tmp_path / "kept"
    folder.mkdir()
    host = socket.gethostname()
    mine = owner_of(vaulted.catalog, host)
    old = [f"{mine}-202601{day:02}T000000Z.db" for day in range(1, 6)]
    foreign = [
        # Of another host, of another catalog of this one, and of an older callvault.
        name_of(vaulted.catalog, f"{host}2", NOW),
        name_of(tmp_path / "other" / vaulted.catalog.name, host, NOW),
        "catalog-20250101T000000Z.db",
        "catalog-notes.db",
        f"{mine}-20250101T000000Z.db.gz",
        f"{mine}-before-20250101T000000Z.db",
    ]
    for name in (*old, *foreign):
        (folder / name).write_text("x")
    link = f"{mine}-20240101T000000Z.db"
    (folder / link).symlink_to(vaulted.catalog)
    told = vaulted.terminal.tells("catalog", "backup", str(folder), "--keep", "3")
    assert old[:3] == told["removed"]
    assert {*old[3:], *foreign, Path(told["file"]).name, link} == set(names(folder))


@pytest.mark.parametrize(
    ("target", "options", "told"),
    [
        ("config.toml", [], "exists already"),
        ("nowhere/copy.db", [], "there is no folder"),
        ("copy.db", ["--keep", "3"], "--keep is for a folder"),
    ],
)
def test_a_backup_overwrites_nothing(
    vaulted: Vaulted, target: str, options: list[str], told: str
) -> None:
    """A file that is there stays; a mistake is told before anything is copied."""
    before = (vaulted.folder / "config.toml").read_text()
    words = ("catalog", "backup", str(vaulted.folder / target), *options)
    error = vaulted.terminal.refuses(*words)
    assert isinstance(error, InputError)
    assert told in error.message
    assert before == (vaulted.folder / "config.toml").read_text()


def test_a_backup_that_fails_leaves_nothing(vaulted: Vaulted, tmp_path: Path) -> None:
    """A damaged catalog makes no backup; what a killed one has left goes with the next."""
    vaulted.books.add(*(called(f"{number:032d}") for number in range(2000)))
    vaulted.books.database.close()
    with vaulted.catalog.open("r+b") as file:
        file.seek(9 * 8192)
        file.write(os.urandom(40 * 8192))
    folder = tmp_path / "kept"
    folder.mkdir()
    other = f".other-20260101T000000Z.db.{NOBODY}"
    (folder / f".{name_of(vaulted.catalog, HERE, NOW)}.{NOBODY}").write_text("half")
    (folder / other).write_text("another host's, whose processes nobody here knows")
    with pytest.raises(CatalogError):
        make_backup(vaulted.catalog, folder, host=HERE, now=NOW)
    assert [other] == names(folder)
    vaulted.lose_catalog()
    vaulted.reopen()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_backup_that_the_disk_refuses_leaves_nothing(books: Books, tmp_path: Path) -> None:
    """Not half a file, nor one that only looks like a backup."""
    books.add(*(called(f"{number:032d}") for number in range(3000)))
    folder = tmp_path / "kept"
    folder.mkdir()
    with (
        files_of_at_most(2**18),
        pytest.raises(CatalogError, match="copying the catalog"),
    ):
        make_backup(books.path, folder, host=HERE, now=NOW)
    assert names(folder) == []
    make_backup(books.path, folder, host=HERE, now=NOW)
    assert names(folder) == [name_of(books.path, HERE, NOW)]


def test_names_of_backups_have_the_time_in_utc() -> None:
    """And are told from all others."""
    catalog = Path("/x/catalog.db")
    name = name_of(catalog, "vault.example", NOW)
    assert re.fullmatch(r"catalog-vault\.example-[0-9a-f]{8}-20260210T120000Z\.db", name)
    assert is_backup_of(catalog, "vault.example", name)
    assert not is_backup_of(Path("/x/other.db"), "vault.example", name)
    assert "/" not in name_of(catalog, "../../etc", NOW)


# --- Checks ---------------------------------------------------------------------------------------


def test_what_contradicts_is_counted(vaulted: Vaulted) -> None:
    """Each kind with its number; the exit code is that of books that do not balance."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.archive(SIDS[1], sound(1))
    vaulted.archive(SIDS[5], sound(5))
    vaulted.books.add(called(SIDS[2]), called(SIDS[3]), called(SIDS[4]))
    for statement, *values in (
        ("DELETE FROM recordings WHERE sid = ?", SIDS[0]),
        ("DELETE FROM sightings WHERE sid = ?", SIDS[1]),
        ("DELETE FROM calls WHERE sid = ?", SIDS[2]),
        ("UPDATE calls SET state = 'leased', lease = 'gone' WHERE sid = ?", SIDS[3]),
        ("UPDATE calls SET state = 'absent' WHERE sid = ?", SIDS[4]),
        ("UPDATE recordings SET sid = 'stranger' WHERE sid = ?", SIDS[5]),
        ("INSERT INTO looks VALUES ('main', 'stranger', 1, 'absent', '', '')",),
    ):
        vaulted.books.sql(statement, *values)
    result = vaulted.terminal.run("catalog", "check", "--json")
    told = json.loads(result.stdout)
    assert isinstance(result.exception, CallvaultError)
    assert result.exception.exit_code == Exit.UNEXPECTED
    assert told["damage"] == []
    assert told["faults"]
    assert told["contradictions"] == {
        "recordings of calls that are not known": 1,
        "archived calls without a recording": 2,
        "calls that no source has seen": 1,
        "sightings of calls that are not known": 1,
        "leased calls of no batch": 1,
        "settled calls that do not say since when": 1,
        "looks at calls that are not known": 1,
    }


def test_a_damaged_file_is_told(books: Books, terminal: Terminal) -> None:
    """With the hint to keep it."""
    books.add(*(called(f"{number:032d}") for number in range(2000)))
    books.database.close()
    with books.path.open("r+b") as file:
        file.seek(9 * 8192)
        file.write(os.urandom(40 * 8192))
    assert isinstance(terminal.refuses("catalog", "check"), CatalogError)
