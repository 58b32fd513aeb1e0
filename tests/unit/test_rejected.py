"""Rejected rows are kept as they were, and can be corrected and fed in again."""

from __future__ import annotations

import csv
import resource
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.call import CallFacts
from archive.errors import InputError
from jobs.cdr import Rejected, read_cdr
from jobs.rejected import OURS, RejectedFile, place_of

if TYPE_CHECKING:
    from pathlib import Path

IST = ZoneInfo("Asia/Kolkata")
SIDS = [f"{index:028x}197m" for index in range(1, 10)]
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def keep(source: Path, target: Path) -> list[Rejected]:
    """Read an export, keep its rejected rows in a file, and return them."""
    target.unlink(missing_ok=True)
    rows = [row for row in read_cdr(source, zone=IST) if isinstance(row, Rejected)]
    with RejectedFile(target) as kept:
        for row in rows:
            kept.add(row)
    return rows


def lines(path: Path) -> list[list[str]]:
    """Return the rows of a file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_row_keeps_its_columns_and_tells_why(tmp_path: Path) -> None:
    """File, line and reason stand before them; corrected, it gives its call and all its facts."""
    source, target = tmp_path / "calls.csv", tmp_path / "rejected.csv"
    source.write_text(f"From;CallSid;Status\n+91;bad;busy\n1;{SIDS[1]};busy\n=1+1;;\n")
    keep(source, target)
    assert lines(target) == [
        [*OURS, "From", "CallSid", "Status"],
        [str(source), "2", "not a Sid: 'bad'", "+91", "bad", "busy"],
        [str(source), "4", "the row has no Sid", "=1+1", "", ""],
    ]
    target.write_text(target.read_text(encoding="utf-8").replace(",bad,", f",{SIDS[0]},"))
    call, *others = read_cdr(target, zone=IST)
    assert call == CallFacts(sid=SIDS[0], from_number="+91", status="busy")
    assert [type(row) for row in others] == [Rejected]


def test_rows_that_are_rejected_again_gain_no_further_columns(tmp_path: Path) -> None:
    """The reason is the new one, and the file the one that was read last."""
    source, target, again = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    source.write_text("CallSid,From\nbad,1\n")
    keep(source, target)
    keep(target, again)
    assert lines(again) == [
        [*OURS, "CallSid", "From"],
        [str(target), "2", "not a Sid: 'bad'", "bad", "1"],
    ]


def test_other_columns_have_a_header_of_their_own(tmp_path: Path) -> None:
    """So that rows of exports put together can be fed in again; rows too short are filled up."""
    source, target = tmp_path / "calls.csv", tmp_path / "rejected.csv"
    source.write_text("CallSid,From,To\nbad\nStatus,Id\nbusy,worse\n")
    keep(source, target)
    assert [row[len(OURS) :] for row in lines(target)] == [
        ["CallSid", "From", "To"],
        ["bad", "", ""],
        ["Status", "Id"],
        ["busy", "worse"],
    ]


def test_a_file_without_a_header_gets_one(tmp_path: Path) -> None:
    """Its columns are named as they were understood."""
    source, target = tmp_path / "calls.csv", tmp_path / "rejected.csv"
    source.write_text("".join(f"x,busy,{sid}\n" for sid in [*SIDS[:3], "bad"]))
    keep(source, target)
    assert [*OURS, "column 1", "Status", "CallSid"] == lines(target)[0]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(rows=st.lists(st.lists(CELL, min_size=1, max_size=5), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_kept_is_read_as_it_was(tmp_path: Path, rows: list[list[str]]) -> None:
    """Whatever its cells hold: formulas, quotes, line breaks; and with the same reason."""
    source, target = tmp_path / "calls.csv", tmp_path / "rejected.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            [["CallSid", "From", "Note"], *(["bad", *row] for row in rows)]
        )
    kept = keep(source, target)
    again = keep(target, tmp_path / "again.csv")
    assert [row.reason for row in kept] == [row.reason for row in again]
    assert [row.cells for row in kept] == [row.cells[len(OURS) :] for row in again]


def test_a_line_over_the_limit_is_told_without_its_cells(tmp_path: Path) -> None:
    """It was never held as a whole."""
    source, target = tmp_path / "calls.csv", tmp_path / "rejected.csv"
    source.write_text(f"CallSid,From\n{'x' * 300_000}\n")
    keep(source, target)
    assert lines(target)[1][len(OURS) :] == ["", ""]
    assert target.stat().st_size < 1000


def test_only_its_owner_can_read_it_and_nothing_is_written_over(tmp_path: Path) -> None:
    """It holds telephone numbers; and a name that is taken may be the export's."""
    target = tmp_path / "folder" / "rejected.csv"
    with RejectedFile(target) as kept:
        kept.check()
        assert not target.exists()
        kept.add(Rejected("a", 1, "b", ("c",), ("d",)))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="exists already"):
        RejectedFile(target).check()
    with pytest.raises(InputError, match="cannot be written"):
        RejectedFile(target / "below").add(Rejected("a", 1, "b"))


def test_the_default_place_is_free(tmp_path: Path) -> None:
    """Two runs in the same second do not meet."""
    assert tmp_path / "20261124T100000Z.csv" == place_of(tmp_path, NOW)
    place_of(tmp_path, NOW).touch()
    assert tmp_path / "20261124T100000Z-2.csv" == place_of(tmp_path, NOW)


def test_rows_of_other_columns_can_be_fed_in_again(tmp_path: Path) -> None:
    """Also where the Sid's is the only column that is known, and stands elsewhere each time."""
    target = tmp_path / "rejected.csv"
    with RejectedFile(target) as kept:
        kept.add(Rejected("a.csv", 2, "no", ("Asha", SIDS[0]), ("Name", "CallSid")))
        kept.add(Rejected("b.csv", 2, "no", (SIDS[1], "Ravi"), ("CallSid", "Name")))
    assert [CallFacts(sid=sid) for sid in SIDS[:2]] == list(read_cdr(target, zone=IST))


def test_rows_that_find_no_room_are_told_of(tmp_path: Path) -> None:
    """Those written at the end, too: else they would be nowhere, and nobody would know."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    row = Rejected("a.csv", 2, "no", ("bad" * 99,), ("CallSid",))
    kept = RejectedFile(tmp_path / "rejected.csv")
    kept.add(row)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, former[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"), kept:
            kept.add(row)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
