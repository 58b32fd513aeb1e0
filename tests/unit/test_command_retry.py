"""``callvault retry``: which calls are looked at once more, and that no archived one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts
from archive.errors import Exit, InputError
from archive.verdicts import Absent, Failed, Lost
from tests.unit.books import OTHER, SIDS, called, proved
from tests.unit.terminal import TWO_ACCOUNTS, Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books


@pytest.fixture
def settled(books: Books) -> Books:
    """An archived call, those that are not, one of them of unknown date, and one expected."""
    books.add(*map(called, SIDS[:5]), CallFacts(sid=SIDS[5]))
    books.claim(*SIDS[:4], SIDS[5])
    books.archive(proved(SIDS[0]))
    books.settle(SIDS[1], Failed("url-untrusted"))
    books.settle(SIDS[2], Lost("fetch-gone"))
    books.settle(SIDS[3], Absent("no-answer"))
    books.settle(SIDS[5], Failed("call-unknown"))
    return books


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--failed"], {1, 5}),
        (["--lost"], {2}),
        (["--absent"], {3}),
        (["--failed", "--lost", "--absent"], {1, 2, 3, 5}),
        (["--reason", "url-untrusted"], {1}),
        (["--reason", "url-untrusted", "--lost"], set()),
        (["--day", "2026-02-09"], {1, 2, 3}),
        (["--day", "2026-02-09", "--failed"], {1}),
        (["--day", "unknown"], {5}),
        ([SIDS[2]], {2}),
        ([SIDS[2], SIDS[3], "--absent"], {3}),
        ([SIDS[2], SIDS[0], SIDS[4], "n" * 32], {2}),
        (["--reason", "file-missing"], set()),
        (["--account", "main", "--failed"], {1, 5}),
    ],
)
def test_calls_are_chosen_by_state_reason_day_and_sid(
    settled: Books, terminal: Terminal, words: list[str], expected: set[int]
) -> None:
    """What is given together narrows; archived and unsettled calls are never touched."""
    assert terminal.says("retry", *words) == f"{len(expected)} calls are to be looked at again\n"
    found = {
        SIDS.index(row[0])
        for row in settled.sql("SELECT sid FROM calls WHERE reason = ?", "retried")
    }
    assert expected == found
    assert settled.row(SIDS[0])["state"] == "archived"
    assert settled.balance().faults == []


def test_named_calls_that_are_left_alone_are_told(settled: Books, terminal: Terminal) -> None:
    """Each once with where it stands, on standard error; the others are put back."""
    unknown = "n" * 32
    result = terminal.run("retry", SIDS[2], SIDS[0], SIDS[4], unknown, unknown)
    assert result.return_value == Exit.COMPLETE
    assert result.stdout == "1 calls are to be looked at again\n"
    assert result.stderr == (
        f"{SIDS[0]} is left as it is (archived)\n"
        f"{SIDS[4]} is left as it is (expected)\n"
        f"{unknown} is not known\n"
    )
    assert settled.row(SIDS[2])["reason"] == "retried"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([SIDS[0]], [f"{SIDS[0]} is left as it is (archived)"]),
        (["n" * 32, SIDS[4]], [f"{'n' * 32} is not known", f"{SIDS[4]} is left as it is (exp"]),
        ([SIDS[2], "--failed"], [f"{SIDS[2]} is left as it is (lost: fetch-gone)"]),
        ([SIDS[2], "--reason", "no-answer"], [f"{SIDS[2]} is left as it is (lost: fetch-gone)"]),
        ([SIDS[2], "--day", "unknown"], [f"{SIDS[2]} is left as it is (lost: fetch-gone)"]),
        (["\x1b[2J"], ["'\\x1b[2J' is not known"]),
    ],
)
def test_where_no_named_call_can_be_retried_it_is_a_mistake(
    settled: Books, terminal: Terminal, words: list[str], told: list[str]
) -> None:
    """Of usage: each Sid is named with its reason, and nothing is changed."""
    error = terminal.refuses("retry", *words)
    assert error.exit_code is Exit.USAGE
    for line in told:
        assert f"\n  {line}" in error.message
    assert "failed, were lost, absent or left out" in error.hint
    assert settled.sql("SELECT * FROM calls WHERE reason = 'retried'") == []


def test_a_reason_of_a_newer_callvault_is_known_by_its_calls(
    settled: Books, terminal: Terminal
) -> None:
    """It is in the catalog, though this version has no words for it."""
    settled.sql("UPDATE calls SET reason = 'eaten-by-moths' WHERE sid = ?", SIDS[1])
    assert terminal.tells("retry", "--reason", "eaten-by-moths") == {"retried": 1}


def test_as_json_the_number_alone_is_told(settled: Books, terminal: Terminal) -> None:
    """And what was put back is not put back again."""
    assert settled.balance().known == 6
    assert terminal.tells("retry", "--failed") == {"retried": 2}
    assert terminal.tells("retry", "--failed") == {"retried": 0}


def test_a_retried_call_tells_so(settled: Books, terminal: Terminal) -> None:
    """It keeps its former looks, and waits for any worker."""
    assert settled.row(SIDS[1])["reason"] == "url-untrusted"
    terminal.says("retry", SIDS[1])
    said = terminal.says("explain", SIDS[1])
    assert "the recording's URL is of a host that is not to be asked" in said
    assert "It is still to be archived: somebody asked for it to be tried again." in said
    assert "It is looked at again now, by any worker." in said


@pytest.mark.parametrize("words", [["--failed"], ["--failed", "--account", "other"]])
def test_all_accounts_are_meant_where_none_is_named(
    tmp_path: Path, books: Books, words: list[str]
) -> None:
    """Each account of the settings, or the one."""
    terminal = Terminal(tmp_path, TWO_ACCOUNTS)
    books.add(called(SIDS[0]))
    books.add(called(SIDS[0]), account=OTHER)
    books.sql("UPDATE calls SET state = 'failed'")
    assert terminal.tells("retry", *words) == {"retried": 1 if "other" in words else 2}


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([], "retry which calls?", "--failed"),
        (["--day", "2026-02-30"], "'2026-02-30' is no day", "YYYY-MM-DD"),
        (["--failed", "--account", "third"], "there is no account 'third'", "use: main"),
        (["--reason", "fetch-gonee"], "there is no reason 'fetch-gonee'", "mean: fetch-gone"),
        (["--reason", "qqqq"], "there is no reason 'qqqq'", "'callvault report' names them"),
        (["--lost", "--reason", "\x1b"], "there is no reason '\\x1b'", "report"),
    ],
)
def test_a_choice_that_cannot_be_used_changes_nothing(
    settled: Books, terminal: Terminal, words: list[str], message: str, hint: str
) -> None:
    """It says what to write."""
    error = terminal.refuses("retry", *words)
    assert isinstance(error, InputError)
    assert message in error.message
    assert hint in error.hint
    assert error.exit_code is Exit.USAGE
    assert settled.sql("SELECT * FROM calls WHERE reason = 'retried'") == []
