"""``callvault find``: calls and their files, by what their rows know."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.books import NOW, SIDS, called
from tests.unit.vaulted import Vaulted, sound
from worker.commands.find import cell, shown

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND, THIRD, FOURTH = SIDS[:4]


@pytest.fixture
def vault(tmp_path: Path) -> Vaulted:
    """An archived call, one that waits, one of another day, and one of unknown date."""
    vaulted = Vaulted(tmp_path)
    vaulted.archive(
        FIRST, sound(1), from_number="09876543210", exophone="08047112233", direction="inbound"
    )
    later = {"started_at": NOW, "ended_at": NOW, "duration_s": 7, "status": "busy"}
    vaulted.books.add(called(SECOND, to_number="+919876543210", from_number="=1+1\x1b[2J"))
    vaulted.books.add(called(THIRD, **later))
    unknown = {"started_at": None, "ended_at": None, "duration_s": None, "status": ""}
    vaulted.books.add(called(FOURTH, **unknown))
    return vaulted


def sids(vault: Vaulted, *words: str) -> set[str]:
    """Return the Sids that are found."""
    return {
        json.loads(line)["sid"]
        for line in vault.terminal.says("find", *words, "--json").splitlines()
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {FIRST, SECOND, THIRD, FOURTH}),
        (["--number", "+91 98765-43210"], {FIRST, SECOND}),
        (["--number", "43210"], {FIRST, SECOND}),
        (["--number", "9876543211"], set()),
        (["--exophone", "8047112233"], {FIRST}),
        (["--sid", THIRD], {THIRD}),
        (["--from", "2026-02-10"], {THIRD}),
        (["--to", "2026-02-09"], {FIRST, SECOND}),
        (["--from", "2026-02-09 17:30:00", "--to", "2026-02-09 17:30:00"], {FIRST, SECOND}),
        (["--from", "2026-02-09 17:30:01", "--to", "2026-02-09"], set()),
        (["--state", "archived"], {FIRST}),
        (["--direction", "inbound"], {FIRST}),
        (["--status", "busy"], {THIRD}),
        (["--min-duration", "8"], {FIRST, SECOND}),
        (["--max-duration", "7"], {THIRD}),
        (["--source", "listing"], set()),
        (["--account", "main", "--source", "cdr"], {FIRST, SECOND, THIRD, FOURTH}),
    ],
)
def test_calls_are_found_by_what_is_known(
    vault: Vaulted, words: list[str], expected: set[str]
) -> None:
    """Each option leaves the calls that fit it, and nothing found ends with 0 as well."""
    assert expected == sids(vault, *words)


def test_that_nothing_is_found_is_said_to_people(vault: Vaulted) -> None:
    """On standard error, and with 0; who reads lists, JSON, CSV or paths gets nothing but those."""
    table = vault.terminal.run("find", "--sid", "nosuchsid")
    assert (table.return_value, table.stdout, table.stderr) == (0, "", "no call fits\n")
    for form in ("--json", "--paths"):
        other = vault.terminal.run("find", "--sid", "nosuchsid", form)
        assert (other.return_value, other.stdout, other.stderr) == (0, "", "")
    assert not vault.terminal.run("find", "--sid", FIRST).stderr


def test_paths_are_those_of_the_files(vault: Vaulted) -> None:
    """--paths gives files that are there, and -0 ends each with a NUL."""
    (path,) = vault.terminal.says("find", "--paths", "-0").split("\0")[:-1]
    assert sound(1) == (vault.root / path).read_bytes()


def test_what_an_export_wrote_acts_nowhere(vault: Vaulted) -> None:
    """Neither a terminal nor a spreadsheet takes what an export wrote for an order."""
    assert "\x1b" not in vault.terminal.says("find")
    rows = list(csv.DictReader(vault.terminal.says("find", "--csv").splitlines()))
    (row,) = [row for row in rows if row["sid"] == SECOND]
    assert row["from_number"].startswith("'=1+1")
    assert row["to_number"] == "+919876543210"


def test_a_limit_counts_calls(vault: Vaulted) -> None:
    """--limit bounds how many calls are printed."""
    assert len(sids(vault, "--limit", "2")) == 2


def test_calls_of_a_day_are_told_by_their_time(vault: Vaulted) -> None:
    """Whatever their state and Sid."""
    early = {"started_at": NOW - timedelta(hours=25), "ended_at": NOW - timedelta(hours=24)}
    vault.books.add(called(SIDS[4], **early))
    told = vault.terminal.says("find", "--json", "--to", "2026-02-09").splitlines()
    began = [json.loads(line)["began_at"] for line in told]
    assert json.loads(told[0])["sid"] == SIDS[4]
    assert sorted(began) == began


@pytest.mark.parametrize("words", [["--number", "12"], ["--json", "--csv"], ["-0"]])
def test_what_cannot_be_meant_is_refused(vault: Vaulted, words: list[str]) -> None:
    """Too short a number, and options that exclude each other, are errors with a hint."""
    assert vault.terminal.refuses("find", *words).hint


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    """Whatever an export wrote, no cell begins as a formula, and all that is shown is printable."""
    assert not cell(text).startswith(("=", "-", "@"))
    assert shown(text).isprintable()
