"""A mistake in the settings is told in plain words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from archive.errors import SettingsError
from archive.hours import Backfill
from archive.polling import Poll
from archive.readiness import Readiness
from worker.sections import Archive, Log, Web, Workers
from worker.sending.section import Report
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = {
    "archive": Archive,
    "backfill": Backfill,
    "log": Log,
    "poll": Poll,
    "readiness": Readiness,
    "report": Report,
    "web": Web,
    "worker": Workers,
}
WRONG = ['"~~"', "-7", "1.5", "true", '["~~"]', '{ a = "b" }']
MACHINE_TALK = re.compile(r"\bgot\b|\$|regex|[Ee]xpected|enum|array|\bstr\b|\bbool\b|\bint\b|\^")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the settings are written."""
    return tmp_path / "config.toml"


def mistakes(file: Path, more: str) -> list[str]:
    """Return what is wrong with settings of one account and some more."""
    file.write_text(f'[accounts.main]\nsid = "acme1"\n{more}')
    try:
        load_settings(file, {})
    except SettingsError as error:
        return error.mistakes
    return []


@pytest.mark.parametrize("section", SECTIONS)
def test_mistakes_are_told_in_plain_words(file: Path, section: str) -> None:
    """Of every setting and for values of every kind: what it should be, not how it was checked."""
    for key in SECTIONS[section].__struct_fields__:
        for wrong in WRONG:
            for mistake in mistakes(file, f"[{section}]\n{key} = {wrong}\n"):
                said = mistake.partition(": ")[2]
                assert mistake.startswith(f"{section}.{key} = ")
                assert said
                assert not MACHINE_TALK.search(said), mistake


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("report", "starttls = 'yes'", "report.starttls = 'yes': true or false, without quotes"),
        (
            "backfill",
            "days = ['mon', 'Sunday']",
            (
                "backfill.days = ['mon', 'Sunday']: a list in brackets, each of it in quotes: "
                "one of mon, tue, wed, thu, fri, sat, sun (not so number 2)"
            ),
        ),
        (
            "backfill",
            "hours = '22-6'",
            (
                "backfill.hours = '22-6': a list in brackets, each of it in quotes: hours such as "
                '"22:00-06:00" or "13:00-14:30", all day "00:00-24:00"'
            ),
        ),
    ],
)
def test_a_mistake_says_what_should_be_there(
    file: Path, section: str, line: str, expected: str
) -> None:
    """With the setting's name, what it is, and which value of a list is meant."""
    assert mistakes(file, f"[{section}]\n{line}\n") == [expected]
