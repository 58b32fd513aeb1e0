"""Which files the words on a command line mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobs.inputs import inputs_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of exports, with something else and a folder in it."""
    for name in ("b.csv", "a.CSV", "c.xlsx", "d.csv.gz", "notes.md", ".hidden.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "deeper.csv").mkdir()
    (tmp_path / "deeper.csv" / "e.tsv").write_text("x")
    return tmp_path


def test_a_folder_means_the_exports_directly_in_it(folder: Path) -> None:
    """By their endings, in order; how many are left out is told."""
    found = inputs_of((str(folder),))
    expected = [str(folder / name) for name in ("a.CSV", "b.csv", "c.xlsx", "d.csv.gz")]
    assert expected == found.files
    assert len(found.notes) == 1
    assert "2 files are left out" in found.notes[0]
    assert found.refused == []


def test_a_pattern_that_no_shell_replaced_is_replaced(folder: Path) -> None:
    """Folders it matches are looked into, and ** reaches further down."""
    assert [str(folder / "b.csv"), str(folder / "deeper.csv/e.tsv")] == inputs_of(
        (f"{folder}/*.csv",)
    ).files
    assert [str(folder / "deeper.csv/e.tsv")] == inputs_of((f"{folder}/**/*.tsv",)).files


def test_a_file_with_signs_of_a_pattern_in_its_name_is_itself(folder: Path) -> None:
    """What exists is never a pattern."""
    (folder / "[b].csv").write_text("x")
    assert [str(folder / "[b].csv")] == inputs_of((f"{folder}/[b].csv",)).files


@pytest.mark.parametrize("word", ["-", "nowhere.csv", "nul\0.csv", "n" * 300, "nul\0*.csv"])
def test_any_other_word_is_kept_for_reading_to_judge(word: str) -> None:
    """Standard input, what does not exist, and what is no path."""
    found = inputs_of((word,))
    assert ([word], []) == (found.files, found.refused)


def test_words_that_mean_nothing_are_refused(folder: Path) -> None:
    """A pattern that fits no file, and a folder without an export; others are found."""
    (folder / "empty").mkdir()
    found = inputs_of((f"{folder}/*.none", str(folder / "empty"), str(folder / "b.csv")))
    assert [str(folder / "b.csv")] == found.files
    messages = [error.message for error in found.refused]
    assert messages == [
        f"{folder}/*.none: no file is called so.",
        f"{folder}/empty is a directory with no CDR export in it.",
    ]
    assert all(error.hint for error in found.refused)
