"""How far an import is: `worker.commands.importing`."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from worker.commands.importing import importing, rows_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("rows", [1, 10, 100_000])
def test_the_number_of_rows_is_told_about_right(tmp_path: Path, rows: int) -> None:
    """By the length of the first ones."""
    file = tmp_path / "export.csv"
    file.write_text("".join(f"{number:08},completed\n" for number in range(rows)))
    found = rows_in(file)
    assert found is not None
    assert 0.9 * rows <= found <= 1.1 * rows


def test_what_tells_nothing_of_its_rows_has_no_number(tmp_path: Path) -> None:
    """Compressed files, empty ones, pipes, and what is not there."""
    packed = tmp_path / "x.gz"
    packed.write_bytes(gzip.compress(b"a,b\n" * 1000))
    empty = tmp_path / "empty.csv"
    empty.touch()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert [rows_in(p) for p in (packed, empty, pipe, tmp_path / "none")] == [None] * 4


@pytest.mark.parametrize("wanted", [True, False])
def test_all_rows_pass_and_the_bar_tells_how_many(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], *, wanted: bool
) -> None:
    """On standard error, and only where it is wanted."""
    file = tmp_path / "export.csv"
    file.write_text("a,b\n" * 1_700)
    with importing(wanted=wanted) as shown:
        assert list(range(1_700)) == list(shown.rows(iter(range(1_700)), str(file)))
    told = capfd.readouterr()
    assert told.out == ""
    assert ("1,700 rows" in told.err and "rows/s" in told.err) == wanted
