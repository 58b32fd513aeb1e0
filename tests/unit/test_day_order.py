"""Dates with slashes: day first or month first is decided over the whole file, or asked."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.call import CallFacts
from archive.errors import InputError
from jobs.cdr import read_cdr
from jobs.day_order import DayOrder, may_have_dates, parse_date

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.cdr_facts import UnreadTimes

IST = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
FORMS = {
    DayOrder.DMY: ["%d/%m/%Y %H:%M:%S", "%d-%m-%y %H:%M:%S", "%d.%m.%Y %I:%M:%S %p"],
    DayOrder.MDY: ["%m/%d/%Y %H:%M:%S", "%m-%d-%y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"],
}
UNDECIDED = datetime(2026, 4, 3, 10, 0, 5, tzinfo=IST)
DECIDED = datetime(2026, 4, 23, 22, 0, 5, tzinfo=IST)


def write(
    tmp_path: Path, times: list[str], *, delimiter: str = ",", encoding: str = "utf-8"
) -> Path:
    """Write an export with a start for each call."""
    path = tmp_path / "calls.csv"
    lines = [f"CallSid{delimiter}StartTime{delimiter}Price"]
    lines += [f"{n:032}{delimiter}{time}{delimiter}0.35" for n, time in enumerate(times)]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def starts(path: Path, order: DayOrder | None = None) -> tuple[list[datetime | None], list[str]]:
    """Return the calls' starts and what is said of their order."""
    said: list[str] = []
    rows = list(read_cdr(path, zone=IST, now=NOW, order=order, on_note=said.append))
    return [row.started_at for row in rows if isinstance(row, CallFacts)], said


@given(
    moments=st.lists(
        st.datetimes(datetime(2010, 1, 1), datetime(2026, 11, 1)),  # noqa: DTZ001 - hypothesis adds the zone
        max_size=20,
    ),
    order=st.sampled_from(DayOrder),
    form=st.integers(0, 2),
    delimiter=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_date_that_tells_settles_all_of_a_file(
    tmp_path: Path,
    moments: list[datetime],
    order: DayOrder,
    form: int,
    delimiter: str,
    encoding: str,
) -> None:
    """Wherever it stands, in every form, encoding and with every delimiter; and it is said."""
    whole = [moment.replace(microsecond=0, tzinfo=IST) for moment in [*moments, DECIDED]]
    times = [moment.strftime(FORMS[order][form]) for moment in whole]
    found, said = starts(write(tmp_path, times, delimiter=delimiter, encoding=encoding))
    assert whole == found
    assert len(said) == 1
    assert ("day first" if order is DayOrder.DMY else "month first") in said[0]


def test_the_date_that_told_is_named_with_its_line(tmp_path: Path) -> None:
    """So that a person can look at it."""
    path = write(tmp_path, ["03/04/2026 10:00", "13/02/2026 09:00"])
    assert starts(path)[1] == [f"{path}: dates are day first (13/02/2026 09:00 in line 3)"]


def test_a_date_that_would_lie_ahead_refutes_an_order(tmp_path: Path) -> None:
    """Beyond a day; tomorrow refutes nothing, since a clock may be wrong."""
    path = write(tmp_path, ["05/12/2026 10:00"])  # the 5th of December is to come
    assert starts(path)[0] == [datetime(2026, 5, 12, 10, 0, tzinfo=IST)]


@pytest.mark.parametrize("order", DayOrder)
def test_what_cannot_be_told_is_asked_before_any_row(tmp_path: Path, order: DayOrder) -> None:
    """The question names the date and the option, and the option settles it."""
    path = write(tmp_path, ["2026-02-01 10:00:00", UNDECIDED.strftime(FORMS[order][0])])
    with pytest.raises(InputError) as caught:
        next(read_cdr(path, zone=IST, now=NOW))
    assert "day first or month first?" in caught.value.message
    assert "line 3" in caught.value.message
    assert "--dates dmy" in caught.value.hint
    assert starts(path, order)[0][1] == UNDECIDED


def test_dates_that_contradict_each_other_are_refused_with_both(tmp_path: Path) -> None:
    """Both lines are named; told an order, what does not fit it is unread and its call is kept."""
    path = write(tmp_path, ["13/02/2026 10:00", "02/14/2026 10:00"])
    with pytest.raises(InputError) as caught:
        next(read_cdr(path, zone=IST, now=NOW))
    assert "line 2" in caught.value.message
    assert "line 3" in caught.value.message
    unread: list[UnreadTimes] = []
    rows = list(
        read_cdr(
            path, zone=IST, order=DayOrder.DMY, on_unread=lambda _, times: unread.append(times)
        )
    )
    assert [isinstance(row, CallFacts) for row in rows] == [True, True]
    assert [times.count for times in unread] == [1]


@pytest.mark.parametrize("time", ["01/02/0001 00:00", "01/02/9999 00:00", "32/13/2026", "1/2/3"])
def test_what_is_no_calls_date_asks_nothing(tmp_path: Path, time: str) -> None:
    """Dates of the years 1 and 9999 and such as there are in no order stay unread."""
    assert starts(write(tmp_path, [time, "2026-02-01 10:00:00"])) == (
        [None, datetime(2026, 2, 1, 10, 0, tzinfo=IST)],
        [],
    )


def test_the_provider_s_own_form_needs_no_second_look(tmp_path: Path) -> None:
    """Neither its times nor prices, numbers and URLs look like dates with slashes."""
    path = tmp_path / "calls.csv"
    path.write_text(
        "CallSid,StartTime,Price,From,Url\n"
        f"{1:032},2026-02-01 10:00:00,0.35,080-470-0000,https://a/02/03/2026/a.mp3\n" * 9,
        encoding="utf-8",
    )
    assert not may_have_dates(io.BytesIO(path.read_bytes()))


def test_a_date_across_the_blocks_of_a_file_is_seen(tmp_path: Path) -> None:
    """Wherever the block ends within it."""
    path = tmp_path / "calls.csv"
    for shift in range(12):
        path.write_bytes(b"x" * ((1 << 18) - shift) + b",13/02/2026")
        assert may_have_dates(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2/26 12:05 AM", (2026, 2, 1, 0, 5)),
        ("1/2/26 12:05 pm", (2026, 2, 1, 12, 5)),
        ("1/2/2026 1:05 p.m.", (2026, 2, 1, 13, 5)),
        ("1/2/2026", (2026, 2, 1, 0, 0)),
    ],
)
def test_clocks_of_twelve_hours_and_days_alone(text: str, expected: tuple[int, ...]) -> None:
    """Noon is 12 PM and midnight 12 AM; a day alone is its midnight."""
    assert datetime(*expected) == parse_date(text, DayOrder.DMY)  # type: ignore[arg-type]  # noqa: DTZ001 - a wall time


@pytest.mark.parametrize("text", ["1/2-2026", "1/2/2026 13:00 PM", "1/2/2026 0:10 am", "1/2/026"])
def test_what_is_no_such_date_is_refused(text: str) -> None:
    """Mixed signs, hours that a clock of twelve has not, years of three digits."""
    with pytest.raises(ValueError, match=r"."):
        parse_date(text, DayOrder.DMY)


def test_tomorrow_is_no_date_ahead(tmp_path: Path) -> None:
    """Day first it is weeks back, month first within a day to come: nobody can tell."""
    path = write(tmp_path, ["11/12/2026 10:00"])
    with pytest.raises(InputError):
        list(read_cdr(path, zone=IST, now=datetime(2026, 12, 10, 12, 0, tzinfo=IST)))
