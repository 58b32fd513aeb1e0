"""What the catalog keeps of the runs of commands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.catalog import runs
from archive.catalog.database import open_database
from archive.catalog.runs import Run
from archive.clock import system_clock
from archive.errors import Exit
from tests.unit.books import NOW, SIDS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from archive.catalog.runs import Begun
    from tests.unit.books import Books
    from tests.unit.terminal import Terminal
    from tests.unit.vaulted import Vaulted

MINUTE = timedelta(minutes=1)


def started(books: Books, command: str, now: datetime) -> Begun:
    """Begin a run."""
    run = runs.begun(command, host="here", now=now)
    with books.database.write() as tx:
        runs.begin(tx, run)
    return run


def ended(books: Books, run: Begun, code: int, *, after: timedelta = MINUTE) -> None:
    """End it."""
    with books.database.write() as tx:
        runs.end(tx, run, code=code, note=f"code {code}", now=run.began + after)


def kept(books: Books) -> list[Run]:
    """Return all runs that there are."""
    with books.database.read() as tx:
        return runs.between(tx, NOW - timedelta(days=1), system_clock() + timedelta(days=1))


def test_a_run_is_kept_with_its_times_its_code_and_its_figures(books: Books) -> None:
    """Those of a time are told in their order; one that was killed has no end."""
    killed = started(books, "work", NOW)
    run = started(books, "verify", NOW + MINUTE)
    ended(books, run, 6)
    started(books, "verify", NOW + timedelta(days=1))
    with books.database.read() as tx:
        told = runs.between(tx, NOW, NOW + timedelta(days=1))
    assert told == [
        Run(id=killed.id, host="here", command="work", began=NOW, ended=None, code=None, note=""),
        Run(
            id=run.id,
            host="here",
            command="verify",
            began=NOW + MINUTE,
            ended=NOW + 2 * MINUTE,
            code=6,
            note="code 6",
        ),
    ]


def test_the_last_run_of_a_command_is_found(books: Books) -> None:
    """The last of all, or of those that ended with a code, of several commands if need be."""
    for minute, (command, code) in enumerate([("work", 0), ("run", 0), ("work", 5)]):
        ended(books, started(books, command, NOW + minute * MINUTE), code)
    started(books, "work", NOW + 9 * MINUTE)
    found = []
    with books.database.read() as tx:
        for commands, codes in (
            (("work",), None),
            (("work",), {5, 6}),
            (("work", "run"), {0}),
            (("verify",), None),
        ):
            one = runs.last(tx, *commands, codes=codes)
            found.append(one and (one.command, one.code, (one.began - NOW) // MINUTE))
    assert found == [("work", None, 9), ("work", 5, 2), ("run", 0, 1), None]


def test_a_run_whose_beginning_could_not_be_written_is_written_at_its_end(books: Books) -> None:
    """The catalog was locked, or there was none yet."""
    run = runs.begun("enqueue cdr", host="here", now=NOW)
    ended(books, run, 0)
    (one,) = kept(books)
    assert (one.began, one.ended, one.code) == (NOW, NOW + MINUTE, 0)


def test_commands_note_their_runs(vaulted: Vaulted) -> None:
    """As typed, without options; with figures where it went well, with the error where not."""
    before = system_clock() - timedelta(seconds=1)
    vaulted.terminal.says("enqueue", "sids", *SIDS[:3])
    export = vaulted.folder / "calls.csv"
    export.write_text(f"Sid\n{SIDS[3]}\n")
    vaulted.terminal.refuses("enqueue", "cdr", str(export), "nowhere.csv")
    vaulted.terminal.says("verify")
    told = kept(vaulted.books)
    expected = [
        ("enqueue sids", 0, "3 Sids: 3 calls new, 0 already known, 0 rows rejected"),
        ("verify", 0, "0 recordings read, 0 bytes, 0 faults"),
    ]
    assert expected == [(run.command, run.code, run.note) for run in (told[0], told[2])]
    assert told[1].code == Exit.USAGE
    assert "1 of 2 files" in told[1].note
    assert all(run.ended is not None and before <= run.began <= run.ended for run in told)


@pytest.mark.parametrize(
    "words", [["enqueue", "sids", "--dry-run", SIDS[0]], ["status"], ["enqueue", "--help"]]
)
def test_what_only_looks_is_no_run(
    books: Books,
    where: str | Path,
    terminal: Terminal,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dry run, and commands that have nothing to be noted."""
    url = where if isinstance(where, str) else f"sqlite:///{where}"
    monkeypatch.setenv("CALLVAULT_CATALOG_URL", url)
    terminal.says(*words)
    assert kept(books) == []


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "--sample", "nothing"],
        ["verify", "--day", "2026-13-01"],
        ["enqueue", "cdr", "nowhere.csv"],
        ["catalog", "backup", "nowhere/copy.db"],
        ["report", "--send", "--day", "someday"],
    ],
)
def test_what_was_typed_wrongly_is_no_run(vaulted: Vaulted, words: list[str]) -> None:
    """Nothing was done, and no report tells of a failed run in the morning."""
    assert vaulted.terminal.refuses(*words).exit_code == Exit.USAGE
    assert kept(vaulted.books) == []


def test_a_backup_holds_no_run_of_its_own(vaulted: Vaulted) -> None:
    """Restored, it would tell of a backup that goes on for ever; here it is noted as ended."""
    file = vaulted.folder / "copy.db"
    vaulted.terminal.says("catalog", "backup", str(file))
    (run,) = kept(vaulted.books)
    copy = open_database(file)
    try:
        with copy.read() as tx:
            assert runs.last(tx, "catalog backup") is None
    finally:
        copy.close()
    assert (run.command, run.code) == ("catalog backup", 0)


def test_a_note_makes_no_catalog(vaulted: Vaulted) -> None:
    """Who verifies without a catalog is told that there is none, and has none afterwards."""
    vaulted.catalog.unlink()
    assert "there is no catalog" in vaulted.terminal.refuses("verify").message
    assert not vaulted.catalog.exists()
