"""``callvault pause`` and ``callvault resume``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click
import pytest

from archive.catalog import pauses
from archive.errors import Exit
from tests.unit.books import NOW
from tests.unit.terminal import TWO_ACCOUNTS, Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books


@pytest.fixture
def two(tmp_path: Path) -> Terminal:
    """A command line for two accounts."""
    return Terminal(tmp_path, TWO_ACCOUNTS)


def held(books: Books) -> dict[str, str]:
    """Return what is paused, and why."""
    with books.database.read() as tx:
        return {paused.scope: f"{paused.reason}: {paused.detail}" for paused in pauses.pauses(tx)}


def trouble(books: Books, scope: str) -> None:
    """Pause as a worker does."""
    with books.database.write() as tx:
        pauses.pause(
            tx,
            scope,
            reason="api-timeout",
            detail="d",
            fatal=False,
            after=timedelta(minutes=1),
            now=NOW,
        )


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        ([], "all"),
        (["--account", "main"], "account:main"),
        (["--account", "other"], "account:other"),
    ],
)
def test_what_is_paused_stays_so_until_it_is_resumed(
    books: Books, two: Terminal, words: list[str], scope: str
) -> None:
    """Everything or one account, with the words that are shown wherever somebody wonders."""
    said = two.says("pause", "--why", "moving the disks", *words)
    assert said == f"paused: {scope}; let it go on with: callvault resume\n"
    assert {scope: "operator: moving the disks"} == held(books)
    trouble(books, scope)
    assert {scope: "operator: moving the disks"} == held(books)
    assert two.tells("status")["paused"] == f"{scope}: operator (moving the disks)"
    assert two.says("resume", *words) == f"resumed: {scope}\n"
    assert held(books) == {}
    assert two.tells("status")["paused"] is None
    assert two.says("resume", *words) == "nothing was paused\n"


def test_resume_without_an_account_lifts_whatever_paused(books: Books, two: Terminal) -> None:
    """A person's pauses, and those that workers made of their own accord."""
    two.says("pause", "--why", "w")
    two.says("pause", "--why", "w", "--account", "other")
    trouble(books, "account:main")
    trouble(books, "host:here")
    said = two.says("resume")
    assert said == "resumed: account:main, account:other, all, host:here\n"
    assert held(books) == {}


def test_resume_of_an_account_lifts_that_alone(books: Books, two: Terminal) -> None:
    """What holds everything stays."""
    for words in ([], ["--account", "main"], ["--account", "other"]):
        two.says("pause", "--why", "w", *words)
    assert two.says("resume", "--account", "main") == "resumed: account:main\n"
    assert set(held(books)) == {"all", "account:other"}


@pytest.mark.parametrize("command", [["pause", "--why", "w"], ["resume"]])
def test_an_account_that_is_not_configured_is_told(
    books: Books, two: Terminal, command: list[str]
) -> None:
    """A pause of a misspelt account would hold nothing."""
    error = two.refuses(*command, "--account", "mian")
    assert "there is no account 'mian'" in error.message
    assert error.hint == "use: main, other"
    assert held(books) == {}


def test_a_pause_needs_its_why(books: Books, two: Terminal) -> None:
    """The next person who wonders has nobody else to ask."""
    assert isinstance(two.run("pause").exception, click.MissingParameter)
    assert held(books) == {}


@pytest.mark.parametrize("why", ["", " ", " \t\n", "\u00a0"])
def test_a_why_of_blanks_is_none(books: Books, two: Terminal, why: str) -> None:
    """It is a mistake of usage, and nothing is held."""
    error = two.refuses("pause", "--why", why)
    assert error.message == "a pause needs its why"
    assert "--why" in error.hint
    assert error.exit_code is Exit.USAGE
    assert held(books) == {}
