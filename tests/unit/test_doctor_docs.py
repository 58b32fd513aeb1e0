"""The page on what is wrong, against the checks that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.unit.test_docs import _code, _parts, _read, _table
from worker.doctor.registry import all_checks
from worker.doctor.world import look_around

if TYPE_CHECKING:
    from pathlib import Path

    from worker.doctor.check import Check

_PAGE: Final = "docs/how-to/troubleshoot.md"


def _checks(folder: Path) -> list[Check]:
    file = folder / "config.toml"
    file.write_text('[accounts.main]\nsid = "acme1"\n')
    return all_checks(look_around(file, {}, webhook_url="https://calls.example"))


def test_each_check_stands_in_the_page(tmp_path: Path) -> None:
    """In the order in which it is shown, with its group and whether it is fatal."""
    rows = _table(_parts(_read(_PAGE))["The checks"])
    written = [(_code(row[0]), row[1], row[2]) for row in rows]
    there = [(one.name, one.group, "yes" if one.fatal else "no") for one in _checks(tmp_path)]
    assert there == written
    assert all(row[3] for row in rows)


def test_the_symptoms_name_checks_that_there_are(tmp_path: Path) -> None:
    """Each row begins from one or more of them."""
    known = {check.name for check in _checks(tmp_path)}
    for row in _table(_parts(_read(_PAGE))["From symptom to remedy"]):
        words = row[1].replace(",", " ").split()
        named = {word.strip("`") for word in words if word.startswith("`")}
        assert named, row
        assert named <= known, row
