"""``callvault enqueue``: exports and bare Sids, counted, with what was rejected beside them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from archive.errors import Exit, InputError
from tests.unit.books import SIDS
from tests.unit.exports import as_zip
from tests.unit.terminal import TWO_ACCOUNTS, Terminal
from worker.commands.moments import parse_moment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books

IST = ZoneInfo("Asia/Kolkata")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export of three calls, one of them twice, with a row in between that has no Sid."""
    path = tmp_path / "november.csv"
    rows = [f"{sid},2026-02-09 17:30:00" for sid in (SIDS[0], SIDS[1], "no sid", *SIDS[1:3])]
    path.write_text("\n".join(["Sid,StartTime", *rows, ""]))
    return path


def test_an_export_is_counted_and_its_bad_rows_are_named(
    books: Books, terminal: Terminal, export: Path
) -> None:
    """With file and line, apart from the result; a second time all is known."""
    result = terminal.run("enqueue", "cdr", str(export))
    assert result.return_value == 0
    assert result.stdout == ("5 rows read: 3 calls new, 1 already known, 1 row rejected\n")
    assert result.stderr.startswith(f"{export}:4: ")
    (_, note) = result.stderr.splitlines()
    assert "rejected rows are in" in note
    expected = {"rows": 5, "new": 0, "known": 4, "rejected": 1}
    assert expected == terminal.tells("enqueue", "cdr", str(export))
    assert books.balance().known == 3


def test_several_exports_are_counted_together(
    books: Books, terminal: Terminal, export: Path
) -> None:
    """One that cannot be read is told of and stops no other; the exit code says so."""
    expected = {"rows": 10, "new": 3, "known": 5, "rejected": 2}
    assert expected == terminal.tells("enqueue", "cdr", str(export), str(export))
    books.sql("DELETE FROM sightings")
    books.sql("DELETE FROM calls")
    error = terminal.refuses("enqueue", "cdr", str(export.parent / "nowhere.csv"), str(export))
    assert isinstance(error, InputError)
    assert "1 of 2 files" in error.message
    assert error.exit_code is Exit.USAGE
    assert books.balance().known == 3


@pytest.mark.parametrize("source", [["cdr"], ["sids", *SIDS[:3]]])
def test_a_dry_run_says_the_same_and_changes_nothing(
    books: Books, terminal: Terminal, export: Path, source: list[str]
) -> None:
    """And says that it was one."""
    words = ["enqueue", *source, *([str(export)] if source == ["cdr"] else [])]
    dry = terminal.says(*words, "--dry-run")
    assert books.balance().known == 0
    first, _, preflight = dry.partition(" (dry run: nothing was changed)\n")
    assert f"{first}\n" == terminal.says(*words)
    assert ("calls would be new" in preflight) == (source == ["cdr"])
    assert books.balance().known == 3


def test_bare_sids_are_taken_from_the_command_line(books: Books, terminal: Terminal) -> None:
    """What is no Sid is named and stops nothing; the same one twice is one call."""
    result = terminal.run("enqueue", "sids", SIDS[0], "../etc", SIDS[0])
    assert result.return_value == 0
    assert result.stdout == "3 Sids: 1 call new, 1 already known, 1 row rejected\n"
    assert result.stderr == "sids:2: '../etc' is no Sid (6 to 64 letters, digits, '-' or '_')\n"
    assert books.balance().known == 1


def test_bare_sids_are_read_from_standard_input(books: Books, terminal: Terminal) -> None:
    """One a line; empty lines are none, and bytes that are no text are no Sid."""
    typed = f"{SIDS[0]}\r\n\n  {SIDS[1]}\n".encode() + b"\xff\xfe\n" + SIDS[2].encode()
    expected = {"rows": 4, "new": 3, "known": 0, "rejected": 1}
    assert expected == terminal.tells("enqueue", "sids", "-", typed=typed)
    assert books.balance().known == 3


def test_sids_none_of_which_is_one_are_a_wrong_usage(books: Books, terminal: Terminal) -> None:
    """Most likely it was something else that was given."""
    result = terminal.run("enqueue", "sids", "a", "b")
    assert result.return_value is Exit.USAGE
    assert books.balance().known == 0


def test_of_many_rejected_rows_the_first_are_named(books: Books, terminal: Terminal) -> None:
    """The others are a number."""
    result = terminal.run("enqueue", "sids", SIDS[0], *["x"] * 30)
    assert len(result.stderr.splitlines()) == 21
    assert result.stderr.splitlines()[-1] == "... and 10 more rows rejected"
    assert books.balance().known == 1


@pytest.mark.parametrize("words", [["sids", SIDS[0]], ["cdr", "november.csv"]])
def test_one_of_several_accounts_has_to_be_named(
    tmp_path: Path, books: Books, export: Path, words: list[str]
) -> None:
    """Else nobody knows whose calls they are."""
    terminal = Terminal(tmp_path, TWO_ACCOUNTS)
    words = [str(export) if word == export.name else word for word in words]
    assert "--account" in terminal.refuses("enqueue", *words).hint
    terminal.says("enqueue", *words, "--account", "other")
    assert {row[0] for row in books.sql("SELECT account FROM calls")} == {"other"}


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2026-02-10", "2026-02-09", "ends (2026-02-09) before it begins (2026-02-10)"),
        ("9 February", "today", "'9 February' is no moment"),
        ("today", "2026-02-30", "'2026-02-30' is no moment"),
        ("today", "1000 days ago", "'1000 days ago' is no moment"),
    ],
)
def test_a_range_that_is_none_is_told_before_anybody_is_asked(
    terminal: Terminal, start: str, end: str, message: str
) -> None:
    """It needs neither the queue nor a key to say so."""
    error = terminal.refuses("enqueue", "range", "--from", start, "--to", end)
    assert isinstance(error, InputError)
    assert message in error.message


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-02-09", "2026-02-08T18:30:00", "2026-02-09T18:29:59"),
        ("2026-02-09 17:30:00", "2026-02-09T12:00:00", "2026-02-09T12:00:00"),
        ("2026-02-09T17:30:00+00:00", "2026-02-09T17:30:00", "2026-02-09T17:30:00"),
    ],
)
def test_a_moment_is_in_the_accounts_zone(text: str, start: str, end: str) -> None:
    """A day alone means its first moment, or as an end its last; a zone of its own holds."""
    for expected, last in ((start, False), (end, True)):
        moment = datetime.fromisoformat(expected).replace(tzinfo=UTC)
        assert moment == parse_moment(text, IST, end=last)


@pytest.mark.parametrize(
    ("text", "days"), [("today", 0), ("yesterday", 1), ("1 day ago", 1), ("30 days ago", 30)]
)
def test_days_may_be_counted_back(text: str, days: int) -> None:
    """From midnight to midnight in the account's zone."""
    midnight = parse_moment("today", IST, end=False)
    start, end = (parse_moment(text, IST, end=last) for last in (False, True))
    assert (midnight - timedelta(days=days), start + timedelta(days=1, seconds=-1)) == (start, end)


def test_dates_of_either_order_are_asked_for_and_said(
    books: Books, terminal: Terminal, tmp_path: Path
) -> None:
    """Nothing is taken in until --dates says which; where the file tells, a note says so."""
    path = tmp_path / "resaved.csv"
    path.write_text(f"CallSid,StartTime\n{SIDS[0]},03/02/2026 10:00\n")
    error = terminal.refuses("enqueue", "cdr", str(path))
    assert "--dates dmy" in error.hint
    assert books.balance().known == 0
    assert terminal.run("enqueue", "cdr", "--dates", "dmy", str(path)).return_value == 0
    assert books.balance().known == 1
    path.write_text(f"CallSid,StartTime\n{SIDS[1]},13/02/2026 10:00\n")
    said = terminal.run("enqueue", "cdr", str(path)).stderr
    assert said == f"note: {path}: dates are day first (13/02/2026 10:00 in line 2)\n"


def test_the_rows_before_the_end_of_a_cut_archive_are_kept(
    books: Books, terminal: Terminal, tmp_path: Path
) -> None:
    """The error says that the rest is missing; without its end the archive is no whole one."""
    path = tmp_path / "calls.csv.gz"
    path.write_bytes(gzip.compress(f"CallSid\n{SIDS[0]}\n{SIDS[1]}\n".encode())[:-8])
    error = terminal.refuses("enqueue", "cdr", str(path))
    assert "the rest is missing" in error.message
    assert error.exit_code is Exit.USAGE
    assert books.balance().known == 2


def test_rejected_rows_are_kept_and_fed_in_again(
    books: Books, terminal: Terminal, export: Path, tmp_path: Path
) -> None:
    """The file's path is told; corrected, its calls are taken in. A dry run keeps none."""
    terminal.run("enqueue", "cdr", "--dry-run", str(export))
    kept = tmp_path / "bad rows.csv"
    said = terminal.run("enqueue", "cdr", "--rejected", str(kept), str(export)).stderr
    assert f"rejected rows are in {kept}" in said
    assert not list(tmp_path.rglob("rejected/*"))
    assert (
        "exists already" in terminal.refuses("enqueue", "cdr", "--rejected", str(kept), "-").message
    )
    kept.write_text(kept.read_text(encoding="utf-8").replace(",no sid,", f",{SIDS[3]},"))
    expected = {"rows": 1, "new": 1, "known": 0, "rejected": 0}
    assert expected == terminal.tells("enqueue", "cdr", str(kept))
    assert books.balance().known == 4


def test_a_folder_and_a_pattern_are_read_and_each_file_is_told(
    books: Books, terminal: Terminal, tmp_path: Path
) -> None:
    """The sum alone goes to standard output."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.csv").write_text(f"CallSid\n{SIDS[number]}\n")
    (folder / "page.csv").write_text("Name,City\na,b\n")
    result = terminal.run("enqueue", "cdr", f"{folder}/?.csv")
    assert result.stdout == "2 rows read: 2 calls new, 0 already known, 0 rows rejected\n"
    assert [f"{folder}/{n}.csv: 1 row read" for n in range(2)] == [
        line.split(": 1 call ")[0] for line in result.stderr.splitlines()
    ]
    error = terminal.refuses("enqueue", "cdr", str(folder), f"{folder}/*.none")
    assert "2 of 4 files" in error.message
    assert books.balance().known == 2


def test_of_an_archive_all_that_can_be_read_is_taken_in(
    books: Books, terminal: Terminal, tmp_path: Path
) -> None:
    """Each bad member is told; a single one is the error itself."""
    path = tmp_path / "all.zip"
    good = {"a.csv": f"CallSid\n{SIDS[0]}".encode(), "z.csv": f"CallSid\n{SIDS[1]}".encode()}
    path.write_bytes(as_zip({**good, "b.csv": b"", "c.csv": b"%PDF-"}))
    result = terminal.run("enqueue", "cdr", str(path))
    assert isinstance(result.exception, InputError)
    assert "c.csv is no CSV file" in result.exception.message
    assert "b.csv is empty" in result.stderr
    assert books.balance().known == 2


def test_large_exports_keep_their_rejected_rows(
    books: Books, terminal: Terminal, tmp_path: Path
) -> None:
    """They come from another process, with their cells and their columns."""
    path = tmp_path / "large.csv"
    filler = " " * 100_000
    with path.open("w") as file:
        file.write("CallSid,From\n")
        file.writelines(f"bad{number},{filler}\n" for number in range(90))
    kept = tmp_path / "kept.csv"
    terminal.says("enqueue", "cdr", "--rejected", str(kept), str(path))
    lines = kept.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "callvault_file,callvault_line,callvault_reason,CallSid,From"
    assert len(lines) == 91
    assert lines[90].endswith(f"bad89,{filler}")
    assert books.balance().known == 0
