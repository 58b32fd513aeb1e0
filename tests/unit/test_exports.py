"""The same calls come out of an export whatever form it has."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.cdr import read_cdr
from jobs.cdr_columns import by_content
from tests.unit.exports import (
    ENCODINGS,
    FAMILY_NAMES,
    IST,
    PACK,
    PACKINGS,
    TIMES,
    as_csv,
    as_workbook,
    call_of,
    known_to,
    table,
    url_of,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DECIDED = (datetime(2026, 4, 23, 22, 0, 5), 65)  # noqa: DTZ001 - the builder adds the zone
MOMENTS = st.tuples(
    st.datetimes(datetime(2010, 1, 1), datetime(2026, 11, 1)),  # noqa: DTZ001 - the same
    st.integers(10, 5000),
)


@given(
    moments=st.lists(MOMENTS, max_size=6),
    family=st.sampled_from(FAMILY_NAMES),
    encoding=st.sampled_from(ENCODINGS),
    delimiter=st.sampled_from([",", ";", "\t"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    packing=st.sampled_from(PACKINGS),
    form=st.sampled_from(list(TIMES)),
    header=st.sampled_from(["first", "none", "first and between", "between"]),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_calls_come_out_of_every_form(  # noqa: PLR0917 - what hypothesis varies
    tmp_path: Path,
    moments: list[tuple[datetime, int]],
    family: str,
    encoding: str,
    delimiter: str,
    quoting: int,
    packing: str,
    form: str,
    header: str,
) -> None:
    """Family, encoding, delimiter, quotes, packing, form of times, headers: none changes a fact."""
    calls = [call_of(number, *each) for number, each in enumerate([DECIDED, *moments])]
    head, *rows = table(family, calls, form)
    if "between" in header:
        rows.insert(1, head)
    if "first" in header:
        rows.insert(0, head)
    content = as_csv(rows, delimiter=delimiter, encoding=encoding, quoting=quoting)
    path = written(tmp_path, PACK[packing](content))
    expected = [known_to(family, call) for call in calls]
    assert expected == list(read_cdr(path, zone=IST, now=NOW))


@given(moments=st.lists(MOMENTS, min_size=1, max_size=6), family=st.sampled_from(FAMILY_NAMES))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_calls_come_out_of_a_workbook(
    tmp_path: Path, moments: list[tuple[datetime, int]], family: str
) -> None:
    """Its dates are exact, so that nothing is asked; whole numbers have no point."""
    calls = [call_of(number, *each) for number, each in enumerate(moments)]
    head, *rows = table(family, calls, "iso")
    typed = [[_typed(cell) for cell in row] for row in rows]
    path = written(tmp_path, as_workbook({"Calls": [list(head), *typed], "Empty": []}))
    said: list[str] = []
    expected = [known_to(family, call) for call in calls]
    assert expected == list(read_cdr(path, zone=IST, now=NOW, on_note=said.append))
    assert said == []


def _typed(cell: str) -> object:
    try:
        return datetime.strptime(cell, TIMES["iso"])  # noqa: DTZ007 - a cell has no zone
    except ValueError:
        return int(cell) if cell.isdigit() and not cell.startswith("0") else cell


@given(columns=st.permutations(["sid", "start", "end", "lasted", "status", "direction", "url"]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_columns_of_no_known_order_are_told_by_what_they_are(
    tmp_path: Path, columns: list[str]
) -> None:
    """Sid, start, end, duration, status, direction and URL; without a header, in any order."""
    calls = [call_of(number, *DECIDED) for number in range(3)]
    cells = {
        "start": "2026-04-23 22:00:05",
        "end": "2026-04-23 22:01:10",
        "lasted": "65",
        "status": "Completed",
        "direction": "inbound",
    }
    rows = [
        [{**cells, "sid": call.sid, "url": url_of(call)}[column] for column in columns]
        for call in calls
    ]
    content = as_csv(rows, delimiter=",", encoding="utf-8", quoting=csv.QUOTE_MINIMAL)
    expected = [
        msgspec.structs.replace(
            call, created_at=None, talk_s=None, from_number="", to_number="", exophone=""
        )
        for call in calls
    ]
    assert expected == list(read_cdr(written(tmp_path, content), zone=IST))


def test_two_columns_of_sids_are_asked_for() -> None:
    """Nothing tells a call's Sid from its parent's."""
    sid = call_of(1, *DECIDED).sid
    assert by_content([[sid, "completed", sid]]) is None
