"""``callvault status`` and ``callvault report``: the balance, as text and as JSON."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from archive.call import CallFacts, State
from archive.catalog import pauses, processes, runs
from archive.errors import CallvaultError, Exit, InputError
from archive.verdicts import Absent, Again, Failed
from tests.unit.books import NOW, OTHER, SIDS, called, proved
from tests.unit.terminal import SETTINGS, TWO_ACCOUNTS, Terminal
from worker.commands.options import human_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books

COUNTS = {
    "known": 6,
    "expected": 2,
    "leased": 0,
    "archived": 1,
    "absent": 1,
    "excluded": 0,
    "lost": 0,
    "failed": 2,
    "purged": 0,
    "recordings": 1,
    "bytes": 1000,
    "balanced": True,
    "paused": None,
}


@pytest.fixture
def two(tmp_path: Path) -> Terminal:
    """A command line for two accounts."""
    return Terminal(tmp_path, TWO_ACCOUNTS)


@pytest.fixture
def full(books: Books) -> Books:
    """Calls of several states, of two accounts and of two days."""
    books.add(*map(called, SIDS[:4]), CallFacts(sid=SIDS[4]))
    books.add(called(SIDS[0]), account=OTHER)
    books.claim(*SIDS[:5])
    books.archive(proved(SIDS[0]))
    books.settle(SIDS[1], Absent("no-answer"))
    books.settle(SIDS[2], Failed("url-untrusted"))
    books.settle(SIDS[3], Again("not-ready", after=timedelta(minutes=1)))
    books.settle(SIDS[4], Failed("call-unknown"))
    return books


def test_status_says_how_many_calls_stand_where(full: Books, two: Terminal) -> None:
    """States without calls are left out; what holds work up stands last."""
    expected = """           6  known
           2  expected  still to be looked at
           1  archived  proved and on disk
           1  absent    there never was a recording
           2  failed    a person has to look
           1  recordings, 1.0 kB
the books balance: every known call is in exactly one line above
"""
    assert expected == two.says("status")
    with full.database.write() as tx:
        pauses.pause_by_operator(tx, pauses.ALL, why="moving the disks", now=NOW)
    assert f"{expected}PAUSED: all: operator (moving the disks)\n" == two.says("status")


def test_status_as_json_has_one_number_for_each_state(full: Books, two: Terminal) -> None:
    """Also of those without calls; of one account, if that is asked for."""
    assert full.balance().known == 6
    nobody_works = {"workers": 0, "troubles": [], "waiting_for_hours": [], "processes": []}
    found = two.tells("status")
    risks = found.pop("at_risk")
    assert found == COUNTS | nobody_works
    assert [risk["account"] for risk in risks["accounts"]] == ["main", "other"]
    zero = dict.fromkeys((state.value for state in State), 0)
    other = {"known": 1, **zero, "expected": 1, "recordings": 0, "bytes": 0}
    expected = {**other, "balanced": True, "paused": None, **nobody_works}
    found = two.tells("status", "--account", "other")
    assert [risk["account"] for risk in found.pop("at_risk")["accounts"]] == ["other"]
    assert expected == found


def test_status_lists_the_workers_of_all_hosts(books: Books, terminal: Terminal) -> None:
    """Each with its version, what it holds, its pace and its last sign of life."""
    now = datetime.now(UTC)
    began = now - timedelta(minutes=10)
    with books.database.write() as tx:
        for host, version, silent in (
            ("one", "0.1.0", 1),
            ("three", "0.1.0", 1),
            ("two", "0.2.0", 300),
        ):
            beat = processes.Beat(
                process=f"{host}-1",
                host=host,
                pid=7,
                version=version,
                started_at=began,
                recordings=100,
                bytes=5_000,
            )
            processes.beat(tx, beat, now - timedelta(seconds=silent))
        processes.retire(tx, "three-1", now)
    said = terminal.says("status").splitlines()
    at = next(number for number, line in enumerate(said) if line.startswith("WORKERS"))
    _, one, two, trouble = said[at:]
    since = (now - timedelta(seconds=300)).astimezone(ZoneInfo("Asia/Kolkata"))
    assert trouble.startswith(f"TROUBLE: worker on two since {since:%Y-%m-%d %H:%M} IST: ")
    assert one.split()[:6] == ["one", "7", "0", "0", "10", "100"]
    assert two.split()[:6] == ["two", "7", "0", "0", "20", "100"]
    assert (one.split()[-1], two.split()[-3:]) == ("0.1.0", ["5", "min", "0.2.0"])
    told = terminal.tells("status")["processes"]
    assert [(t["host"], t["version"], t["recordings_per_minute"]) for t in told] == [
        ("one", "0.1.0", 10.0),
        ("two", "0.2.0", 20.0),
    ]


def test_a_day_that_has_not_begun_has_no_report(books: Books, terminal: Terminal) -> None:
    """Nothing is known of it, which would look like a complete day; that of today has begun."""
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Kolkata")).date()
    books.add(called(SIDS[0]))
    refused = terminal.refuses("report", "--day", f"{today + timedelta(days=2)}")
    assert (refused.exit_code, "has not begun" in refused.message) == (Exit.USAGE, True)
    assert "yesterday" in refused.hint
    assert "Call recordings of" in terminal.says("report", "--day", "today")


def test_status_says_what_will_be_deleted_before_its_turn(books: Books, terminal: Terminal) -> None:
    """Of calls that are deleted within a day where no workers run, and what would help."""
    began = datetime.now(UTC) - timedelta(days=29, hours=12)
    books.add(called(SIDS[0], started_at=began, ended_at=began), now=datetime.now(UTC))
    assert "AT RISK: main: no workers run, and 1 recordings" in terminal.says("status")
    assert terminal.tells("status")["at_risk"]["calls"] == 1


def test_report_has_the_reasons(full: Books, two: Terminal) -> None:
    """Below each state, the most frequent first."""
    assert full.balance().known == 6
    said = two.says("report").splitlines()
    at = said.index("           2  failed    a person has to look")
    assert sorted(said[at + 1 : at + 3]) == [
        "                       1  call-unknown",
        "                       1  url-untrusted",
    ]
    assert "                       1  no-answer" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"day": None, "account": None, "known": 6}),
        (["--account", "main"], {"day": None, "account": "main", "known": 5}),
        (["--day", "2026-02-09"], {"day": "2026-02-09", "account": None, "known": 5}),
        (["--day", "2026-02-09", "--account", "other"], {"account": "other", "known": 1}),
        (["--day", "unknown"], {"day": "", "known": 1}),
        (["--day", "2020-01-01"], {"day": "2020-01-01", "known": 0}),
    ],
)
def test_report_as_json_is_of_what_was_asked_for(
    full: Books, two: Terminal, words: list[str], expected: dict[str, Any]
) -> None:
    """All of it, an account, or a day; each state with its total and reasons."""
    assert full.balance().known == 6
    document = two.tells("report", *words)
    assert expected == {key: document[key] for key in expected}
    assert expected["known"] == sum(document[state.value]["total"] for state in State)
    assert (document["balanced"], document["faults"], document["paused"]) == (True, [], None)
    if not words:
        assert document["failed"] == {
            "total": 2,
            "reasons": {"call-unknown": 1, "url-untrusted": 1},
        }


def test_a_day_is_told_with_its_verdict_and_what_helps(full: Books, terminal: Terminal) -> None:
    """In a sentence first, then the reasons with the command that helps."""
    assert full.balance().known == 6
    lines = terminal.says("report", "--day", "2026-02-09").splitlines()
    assert lines[0].startswith("INCOMPLETE: 3 of 5 calls of 9 February settled; 1 failed")
    helps = "      $ callvault retry --failed --day 2026-02-09 --reason url-untrusted"
    assert any(line.startswith(helps) for line in lines)
    morning = terminal.tells("report", "--day", "2026-02-09")["morning"]
    assert morning["verdict"]["level"] == "incomplete"
    assert morning["counts"]["calls"] == 5


def test_the_command_that_is_told_helps(full: Books, terminal: Terminal) -> None:
    """As it is written, it puts just the calls back that failed with this reason."""
    assert full.balance().known == 6
    (missing,) = (
        one
        for one in terminal.tells("report", "--day", "2026-02-09")["morning"]["missing"]
        if one["state"] == "failed"
    )
    assert missing["first"] == [SIDS[2]]
    program, *words = shlex.split(missing["command"])
    assert program == "callvault"
    assert terminal.tells(*words) == {"retried": 1}
    assert full.row(SIDS[2])["state"] == "expected"


def test_what_ran_and_what_holds_work_up_is_told(full: Books, two: Terminal) -> None:
    """The last verify and its end, pauses of the accounts that are told of, and no others'."""
    with full.database.write() as tx:
        run = runs.begun("verify", host="box", now=NOW - timedelta(hours=8))
        runs.end(tx, run, code=6, note="2 are missing", now=NOW - timedelta(hours=7))
        for name in ("main", "other"):
            scope = pauses.account_scope(name)
            pauses.pause_by_operator(tx, scope, why=f"of {name}", now=NOW)
    morning = two.tells("report", "--day", "2026-02-09", "--account", "main")["morning"]
    assert morning["verified"]["note"] == "2 are missing"
    notes = [note["text"] for note in morning["verdict"]["notes"]]
    assert "files of the archive on box are missing or damaged: 2 are missing" in notes
    (held,) = (note for note in notes if note.startswith("work is paused: "))
    assert "account:main: operator (of main)" in held
    assert morning["paused"] == "account:main: operator (of main)"
    assert "took" in two.says("report", "--day", "2026-02-09", "--format", "markdown")


@pytest.mark.parametrize(
    ("form", "begins"),
    [("html", "<!DOCTYPE html>"), ("markdown", "# Call recordings of "), ("json", '{"known":')],
)
def test_a_report_is_written_to_a_file(
    full: Books, two: Terminal, tmp_path: Path, form: str, begins: str
) -> None:
    """At once, over one that was there; nothing is printed and nothing is left beside it."""
    assert full.balance().known == 6
    file = tmp_path / "out" / "report"
    file.parent.mkdir()
    file.write_text("yesterday's")
    words = ["report", "--day", "2026-02-09", "--format", form, "--output", str(file)]
    assert two.says(*words) == ""
    assert file.read_text(encoding="utf-8").startswith(begins)
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_told(
    books: Books, terminal: Terminal, tmp_path: Path
) -> None:
    """With the name of the file."""
    assert books.balance().known == 0
    error = terminal.refuses("report", "--output", str(tmp_path / "nowhere" / "report.txt"))
    assert "nowhere/report.txt: No such file" in error.message


def test_check_ends_with_6_where_a_day_is_not_complete(full: Books, two: Terminal) -> None:
    """For monitors; without it the report itself was made, and that is all."""
    assert full.balance().known == 6
    assert two.run("report", "--day", "2026-02-09").return_value == Exit.COMPLETE
    assert two.run("report", "--day", "2026-02-09", "--check").return_value == 6
    assert two.run("report", "--day", "2020-01-01", "--check").return_value == Exit.COMPLETE


def test_a_page_is_of_yesterday_unless_a_day_is_named(books: Books, terminal: Terminal) -> None:
    """Calls of unknown date have no day to be told of."""
    assert books.balance().known == 0
    yesterday = terminal.tells("report", "--day", "yesterday")["morning"]["day"]
    assert yesterday[:4] in terminal.says("report", "--format", "markdown").splitlines()[0]
    error = terminal.refuses("report", "--day", "unknown", "--format", "html")
    assert "unknown date" in error.message
    assert "exclude each other" in terminal.refuses("report", "--json", "--format", "html").message


@pytest.mark.parametrize("day", ["today", "yesterday"])
def test_a_day_may_be_named(books: Books, terminal: Terminal, day: str) -> None:
    """In the account's zone."""
    assert books.balance().known == 0
    document = terminal.tells("report", "--day", day)
    assert len(document["day"]) == 10
    assert document["known"] == 0


def test_a_day_in_several_zones_needs_an_account(tmp_path: Path, books: Books) -> None:
    """Nobody else's today is taken: these two never have the same one."""
    assert books.balance().known == 0
    accounts = f'{SETTINGS}timezone = "Pacific/Kiritimati"\n[accounts.other]\nsid = "acme2"\n'
    terminal = Terminal(tmp_path, f'{accounts}timezone = "Pacific/Pago_Pago"\n')
    error = terminal.refuses("report", "--day", "today")
    assert "--account" in error.hint
    assert terminal.tells("report", "--day", "today", "--account", "other")["known"] == 0


def test_a_day_that_is_the_same_in_all_zones_needs_none(tmp_path: Path, books: Books) -> None:
    """So that one timer does for accounts of neighbouring zones."""
    assert books.balance().known == 0
    terminal = Terminal(tmp_path, f'{TWO_ACCOUNTS}timezone = "Asia/Colombo"\n')
    assert terminal.tells("report", "--day", "yesterday")["known"] == 0


@pytest.mark.parametrize("command", ["status", "report"])
def test_books_that_do_not_balance_end_a_command_with_an_error(
    full: Books, two: Terminal, command: str
) -> None:
    """They are shown all the same, with the fault."""
    full.sql("DELETE FROM recordings")
    fault = "1 calls are archived, but 0 have a recording"
    result = two.run(command)
    assert isinstance(result.exception, CallvaultError)
    assert result.exception.exit_code is Exit.UNEXPECTED
    assert "report this" in result.exception.hint
    assert f"THE BOOKS DO NOT BALANCE: {fault}\n" in result.stdout
    assert '"balanced":false' in two.run(command, "--json").stdout


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["report", "--day", "9 February"], "'9 February' is no day", "YYYY-MM-DD"),
        (["report", "--day", "2026-02-30"], "'2026-02-30' is no day", "YYYY-MM-DD"),
        (["report", "--day", "0001-01-01"], "'0001-01-01' is no day", "YYYY-MM-DD"),
        (["report", "--day", "9999-12-31"], "'9999-12-31' is no day", "YYYY-MM-DD"),
        (["report", "--day", "2026-W07-1"], "'2026-W07-1' is no day", "YYYY-MM-DD"),
        (["report", "--account", "third"], "there is no account 'third'", "main, other"),
        (["status", "--account", "third"], "there is no account 'third'", "main, other"),
    ],
)
def test_what_cannot_be_reported_on_is_told(
    two: Terminal, words: list[str], message: str, hint: str
) -> None:
    """With what to write instead."""
    error = two.refuses(*words)
    assert isinstance(error, InputError)
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (2e12, "2.00 TB")],
)
def test_sizes_are_written_for_people(size: float, expected: str) -> None:
    """In steps of a thousand."""
    assert expected == human_bytes(size)
