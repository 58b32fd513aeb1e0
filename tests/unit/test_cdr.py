"""Reading CDR exports: what a row gives, what is turned away, and what is no export at all."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.call import CallFacts
from archive.errors import InputError
from archive.provider_time import is_blank, parse_time
from jobs.cdr import Rejected, read_cdr
from jobs.cdr_facts import UnreadTimes, time_reader

if TYPE_CHECKING:
    from pathlib import Path

IST = ZoneInfo("Asia/Kolkata")
SIDS = [f"{index:028x}197m" for index in range(1, 10)]
CDR_HEADER = (
    "CallSid,DateCreated,From,To,PhoneNumberSid,Direction,Status,StartTime,EndTime,Duration,"
    "ConversationDuration,Price,Currency,RecordingUrl,FlowId"
)
CDR_ROW = (
    f"{SIDS[0]},2026-02-01 09:59:58,+919812345678,08012345678,08047000000,inbound,Completed,"
    "2026-02-01 10:00:00,2026-02-01 10:01:05,65,52,0.35,INR,https://recordings.exotel.com/a.mp3,7"
)
CDR_CALL = CallFacts(
    sid=SIDS[0],
    created_at=datetime(2026, 2, 1, 4, 29, 58, tzinfo=UTC),
    started_at=datetime(2026, 2, 1, 4, 30, 0, tzinfo=UTC),
    ended_at=datetime(2026, 2, 1, 4, 31, 5, tzinfo=UTC),
    duration_s=65,
    talk_s=52,
    status="completed",
    direction="inbound",
    from_number="+919812345678",
    to_number="08012345678",
    exophone="08047000000",
    recording_urls=("https://recordings.exotel.com/a.mp3",),
)


def read(tmp_path: Path, content: str | bytes) -> list[CallFacts | Rejected]:
    """Write the content to a file and read it as an export."""
    path = tmp_path / "calls.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_cdr(path, zone=IST))


def sids(rows: list[CallFacts | Rejected]) -> list[str]:
    """Return the Sids of the calls among the rows."""
    return [row.sid for row in rows if isinstance(row, CallFacts)]


def rejected(rows: list[CallFacts | Rejected]) -> list[tuple[int, str]]:
    """Return line and reason of the rows that were turned away."""
    return [(row.line, row.reason) for row in rows if isinstance(row, Rejected)]


def refusal(tmp_path: Path, content: str | bytes) -> str:
    """Return the message with which the whole file is refused."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert caught.value.hint
    return caught.value.message


def test_the_cdr_export_gives_all_its_facts(tmp_path: Path) -> None:
    """Times of the account's zone become UTC, durations seconds, words lower case."""
    assert read(tmp_path, f"{CDR_HEADER}\n{CDR_ROW}\n") == [CDR_CALL]


def test_the_dashboard_report_gives_all_its_facts(tmp_path: Path) -> None:
    """Its Sid is called Id and its ExoPhone ExotelNumber; the second leg's status is there."""
    header = (
        "Id,Direction,ExotelNumber,From,FromName,To,ToName,Status,StartTime,EndTime,Duration,Price,"
        "RecordingUrls,AppID,AppName,GroupName,FromCircle,ToCircle,Leg1Status,Leg2Status,"
        "ConversationDuration,DisconnectedBy,DispositionCodes"
    )
    row = (
        f"{SIDS[0]},outbound,08047000000,0981,Asha,0802,Ravi,missed-call,2026-02-01 10:00:00,N/A,"
        "N/A,-,null,1,Main,Sales,KA,MH,completed,No-Answer,0,agent,"
    )
    expected = CallFacts(
        sid=SIDS[0],
        started_at=datetime(2026, 2, 1, 4, 30, tzinfo=UTC),
        talk_s=0,
        status="missed-call",
        leg2_status="no-answer",
        direction="outbound",
        from_number="0981",
        to_number="0802",
        exophone="08047000000",
        group="Sales",
    )
    assert [expected] == read(tmp_path, f"{header}\n{row}\n")


@pytest.mark.parametrize("between", [",", ";", " ", " | ", ", ", "|"])
def test_several_urls_in_a_cell_are_told_apart(tmp_path: Path, between: str) -> None:
    """Whatever stands between them, which is not documented; what is no URL is passed over."""
    urls = [f"https://recordings.exotel.com/exotelrecordings/acme1/{n}.mp3" for n in "abc"]
    cell = between.join(["n/a", *urls])
    content = f'Id,RecordingUrls\n{SIDS[0]},"{cell}"\n'
    assert [CallFacts(sid=SIDS[0], recording_urls=tuple(urls))] == read(tmp_path, content)


def test_a_cell_full_of_urls_is_bounded(tmp_path: Path) -> None:
    """Twenty are taken; a call has one, and now and then two or three."""
    cell = " ".join(f"https://a/{number}" for number in range(1000))
    (call,) = read(tmp_path, f"Id,RecordingUrls\n{SIDS[0]},{cell}\n")
    assert isinstance(call, CallFacts)
    assert len(call.recording_urls or ()) == 20


def test_custom_reports_and_spaced_names_are_understood(tmp_path: Path) -> None:
    """Date/Time is the start; beside a Start Time it says when the call was created."""
    content = (
        '"Call SID",Date/Time,ExoPhone,"Duration (seconds)"\n'
        f"{SIDS[0]},2026-02-01 10:00:00,0804,9\n"
    )
    expected = CallFacts(
        sid=SIDS[0],
        started_at=datetime(2026, 2, 1, 4, 30, tzinfo=UTC),
        duration_s=9,
        exophone="0804",
    )
    assert [expected] == read(tmp_path, content)
    both = f"Call SID,Date/Time,Start Time\n{SIDS[0]},2026-02-01 10:00:00,-\n"
    expected = CallFacts(sid=SIDS[0], created_at=datetime(2026, 2, 1, 4, 30, tzinfo=UTC))
    assert [expected] == read(tmp_path, both)


@pytest.mark.parametrize("name", ["CallSid", "call sid", "Id", "exotelId", "CallID", "SID"])
def test_every_spelling_of_the_sid_column_is_found(tmp_path: Path, name: str) -> None:
    """Case, spaces and the family do not matter; a file of nothing but Sids is enough."""
    assert [CallFacts(sid=SIDS[0])] == read(tmp_path, f"{name}\r\n{SIDS[0]}\r\n")


def test_the_better_name_wins_where_two_could_be_the_sid(tmp_path: Path) -> None:
    """An Id beside a CallSid is something else; of two columns alike the first counts."""
    content = f"Id,CallSid,Status,Status\n1234567,{SIDS[0]},busy,failed\n"
    assert [CallFacts(sid=SIDS[0], status="busy")] == read(tmp_path, content)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_same_calls_come_out_of_every_form(
    tmp_path: Path, delimiter: str, quoting: Literal[0, 1], ending: str, encoding: str
) -> None:
    """Delimiter, quoting, line ending and encoding change nothing."""
    rows = [line.split(",") for line in (CDR_HEADER, CDR_ROW)]
    rows[0].insert(1, "Größe; \"a\", 'b'\tc\nd")
    rows[1].insert(1, "Zoë; \"Z\", 'y'\tx\nw")
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=ending).writerows(rows)
    assert read(tmp_path, text.getvalue().encode(encoding)) == [CDR_CALL]


@given(
    cells=st.lists(
        st.lists(
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20),
            min_size=3,
            max_size=3,
        ),
        max_size=8,
    ),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_neighbouring_cell_costs_a_call(
    tmp_path: Path, cells: list[list[str]], quoting: Literal[0, 1]
) -> None:
    """Whatever stands in the other columns, each row's call comes out, and no other."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting)
    writer.writerow(["CallSid", "FromName", "StartTime", "Duration"])
    expected = [f"{index:032}" for index in range(len(cells))]
    writer.writerows([sid, *rest] for sid, rest in zip(expected, cells, strict=True))
    assert expected == sids(read(tmp_path, text.getvalue()))


def test_one_bad_byte_costs_one_character(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are read as cp1252, those around them as before."""
    content = b"CallSid,From\n" + SIDS[0].encode() + b",Zo\xc3\xab Ren\xe9 \x81\n"
    assert [CallFacts(sid=SIDS[0], from_number="Zoë René \ufffd")] == read(tmp_path, content)


def test_unreadable_facts_are_left_unknown_and_the_call_is_kept(tmp_path: Path) -> None:
    """A bad time, duration or text loses that fact alone."""
    content = (
        "CallSid,StartTime,EndTime,Duration,ConversationDuration,From\n"
        f"{SIDS[0]},yesterday,9999-12-31 00:00:00,-5,4 min,a\x00b\x1b[31m\n"
        f"{SIDS[1]},2026-13-01 10:00:00,0001-01-01T00:00:00Z,99999999999999,35.0, N/A \n"
        f"{SIDS[2]},2026-02-30 10:00:00,2026-02-01 25:00:00,²,1e3,{'9' * 100}\n"
        f"{SIDS[3]},2026-02-01 10:00:00,2026-02-01T10:00:07+05:30,604801,604800,=1+1\n"
    )
    expected = [
        CallFacts(sid=SIDS[0], from_number="ab[31m"),
        CallFacts(sid=SIDS[1], talk_s=35),
        CallFacts(sid=SIDS[2], from_number="9" * 64),
        CallFacts(
            sid=SIDS[3],
            started_at=datetime(2026, 2, 1, 4, 30, tzinfo=UTC),
            ended_at=datetime(2026, 2, 1, 4, 30, 7, tzinfo=UTC),
            talk_s=604_800,
            from_number="=1+1",
        ),
    ]
    assert expected == read(tmp_path, content)


def test_a_row_with_too_few_columns_keeps_what_it_has(tmp_path: Path) -> None:
    """What is missing is unknown; without the Sid's column there is no call."""
    content = f"Status,CallSid,From,To\nbusy,{SIDS[0]},1234\nfailed\n"
    rows = read(tmp_path, content)
    assert [SIDS[0]] == sids(rows)
    assert rejected(rows) == [(3, "the row has no Sid")]


def test_a_row_with_too_many_columns_keeps_its_sid_and_its_start(tmp_path: Path) -> None:
    """Its cells have moved, so words and durations would be another column's; blanks do no harm."""
    header = "CallSid,StartTime,FromName,Direction,Duration"
    content = (
        f"{header}\n{SIDS[0]},2026-02-01 10:00:00,Rao, A.,inbound,65\n"
        f"{SIDS[1]},2026-02-01 10:00:00,Rao,inbound,65,, \n"
    )
    started = datetime(2026, 2, 1, 4, 30, tzinfo=UTC)
    expected = [
        CallFacts(sid=SIDS[0], started_at=started),
        CallFacts(sid=SIDS[1], started_at=started, direction="inbound", duration_s=65),
    ]
    assert expected == read(tmp_path, content)


def test_bad_sids_are_rejected_with_line_and_reason_and_stop_nothing(tmp_path: Path) -> None:
    """Paths, control characters and endless Sids are shown escaped, 40 characters at most."""
    content = (
        'CallSid,From\n\n"../../etc","a\nb"\nx\x1b[2Jyyyyyy,1\n'
        f"{'z' * 10_000},1\nTotal: 5,\n{SIDS[0]},1\n"
    )
    rows = read(tmp_path, content)
    expected = [
        (3, "not a Sid: '../../etc'"),
        (5, "not a Sid: 'x\\x1b[2Jyyyyyy'"),
        (6, f"not a Sid: '{'z' * 40}'…"),
        (7, "not a Sid: 'Total: 5'"),
    ]
    assert expected == rejected(rows)
    assert [SIDS[0]] == sids(rows)
    assert {str(tmp_path / "calls.csv")} == {row.file for row in rows if isinstance(row, Rejected)}


def test_blank_lines_and_repeated_headers_yield_nothing(tmp_path: Path) -> None:
    """Also blank lines before the header, rows of blanks, and a header with a byte order mark."""
    content = (
        f"\n  \n{CDR_HEADER}\n\n{CDR_ROW}\n,,,,\n{CDR_HEADER}\n\ufeff{CDR_HEADER.upper()}\n"
        f" , \t\n{CDR_ROW}\nCallSid\n"
    )
    assert read(tmp_path, content) == [CDR_CALL, CDR_CALL]
    assert read(tmp_path, f"{CDR_HEADER}\n{CDR_ROW}\n{CDR_HEADER}\n") == [CDR_CALL]
    assert read(tmp_path, CDR_HEADER) == []


def test_the_columns_of_a_header_in_the_middle_hold_from_there_on(tmp_path: Path) -> None:
    """Exports of different families put together are each read by their own header."""
    content = f"CallSid,Status\n{SIDS[0]},busy\nDirection,Status,Id\ninbound,failed,{SIDS[1]}\n"
    expected = [
        CallFacts(sid=SIDS[0], status="busy"),
        CallFacts(sid=SIDS[1], status="failed", direction="inbound"),
    ]
    assert expected == read(tmp_path, content)


def test_the_words_of_a_header_do_not_pass_for_one_in_a_call(tmp_path: Path) -> None:
    """A caller who is named like columns changes nothing for the calls that follow."""
    content = f"CallSid,FromName,From\n{SIDS[0]},CallSid,Status\n{SIDS[1]},Id,5\n"
    assert [SIDS[0], SIDS[1]] == sids(read(tmp_path, content))


@pytest.mark.parametrize("tail", ["", '"', '"x'])
def test_a_quote_left_open_swallows_no_calls(tmp_path: Path, tail: str) -> None:
    """Each line is read by itself where a later one is a whole row, however the quote ends."""
    lines = ["CallSid,From,To", f'{SIDS[0]},"12,34']
    lines += [f"{sid},56,78" for sid in SIDS[1:5]]
    lines += [f"{SIDS[5]},9,10{tail}", f'{SIDS[6]},"5, 6",7', f"{SIDS[7]},8,9"]
    assert SIDS[:8] == sids(read(tmp_path, "\n".join(lines)))


def test_a_quote_left_open_in_a_long_file_swallows_no_calls(tmp_path: Path) -> None:
    """The same where no quote ends it within the lines that a row can have."""
    some = [f"{index:032}" for index in range(1000)]
    lines = [f'{sid},"' if index % 250 == 3 else f"{sid},1" for index, sid in enumerate(some)]
    assert some == sids(read(tmp_path, "CallSid,From\n" + "\n".join(lines)))


def test_a_cell_over_several_lines_is_one_row(tmp_path: Path) -> None:
    """Line numbers after it count the lines of the file."""
    content = f'CallSid,FromName,From\n{SIDS[0]},"a\n\nb, c\r\nd",12\nbad,,\n'
    rows = read(tmp_path, content)
    assert CallFacts(sid=SIDS[0], from_number="12") == rows[0]
    assert rejected(rows) == [(6, "not a Sid: 'bad'")]


def test_a_field_over_the_limit_is_one_rejected_row(tmp_path: Path) -> None:
    """Both a line that is too long as a whole and a quoted field that is; the rest goes on."""
    content = (
        f"CallSid,From\n{SIDS[0]},{'x' * 600_000}\n{SIDS[1]},1\n"
        f'{SIDS[2]},"a{"x" * 200_000}"\n{SIDS[3]},1\n{SIDS[4]},"open\n{"y" * 600_000}\n{SIDS[5]},1'
    )
    rows = read(tmp_path, content)
    assert [SIDS[1], SIDS[3], SIDS[4], SIDS[5]] == sids(rows)
    expected = [
        (2, "the line is longer than 262144 characters"),
        (4, "the line cannot be read: a field is too long"),
        (7, "the line is longer than 262144 characters"),
    ]
    assert expected == rejected(rows)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Four megabytes of rows and a line of eight pass through in less than two."""
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write("CallSid,From\n")
        file.writelines(f"{index:032},{'1' * 160}\n" for index in range(20_000))
        file.writelines("x" * 1_000_000 for _ in range(8))
    tracemalloc.start()
    count = sum(1 for _ in read_cdr(path, zone=IST))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_001
    assert peak < 2_000_000


def test_a_missing_file_a_directory_and_a_bad_path_are_said_at_the_first_step(
    tmp_path: Path,
) -> None:
    """Nothing happens until iteration starts; then there is one clear message with a hint."""
    (tmp_path / "file").write_text("x")
    for name, words in {
        "missing.csv": "no such file",
        ".": "is a directory",
        "file/below.csv": "cannot be read",
        "nul\0.csv": "is no path",
        "n" * 300: "cannot be read",
    }.items():
        rows = read_cdr(tmp_path / name, zone=IST)
        with pytest.raises(InputError, match=words) as caught:
            next(rows)
        assert caught.value.hint


def test_a_file_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to do, not where in the program it happened."""

    def denied(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(InputError, match="permission denied"):
        next(read_cdr(tmp_path / "calls.csv", zone=IST))


@pytest.mark.parametrize(
    ("words", "content"),
    [
        ("is empty", b""),
        ("holds no rows", b"\n \r\n\t\n"),
        ("holds no rows", b"\xef\xbb\xbf"),
        ("zip archive or an Excel", b"PK\x03\x04\x14\x00xl/workbook.xml"),
        ("gzip", gzip.compress(gzip.compress(CDR_HEADER.encode()))),
        ("MP3", b"ID3\x03\x00\x00\x00\x00\x00\x00"),
        ("MP3", b"\xff\xfb\x90\x00" * 10),
        ("WAV", b"RIFF\x00\x00\x00\x00WAVE"),
        ("binary data", bytes(range(256)) * 4),
        ("UTF-16 text without", CDR_HEADER.encode("utf-16-le")),
        ("line is longer than", b"x" * 600_000),
    ],
)
def test_what_is_no_csv_is_refused_with_what_it_looks_like(
    tmp_path: Path, words: str, content: bytes
) -> None:
    """Empty files, archives, workbooks and recordings are named before any row is read."""
    assert words in refusal(tmp_path, content)


def test_a_stray_nul_is_no_reason_to_refuse_a_file(tmp_path: Path) -> None:
    """It is dropped from texts, and a Sid with one is rejected."""
    content = f"CallSid,From\n{SIDS[0]},1\x0023\n{SIDS[1]}\x00,1\n"
    rows = read(tmp_path, content)
    assert CallFacts(sid=SIDS[0], from_number="123") == rows[0]
    assert [line for line, _ in rejected(rows)] == [3]


def test_a_header_without_a_sid_lists_the_columns_seen(tmp_path: Path) -> None:
    """At most twenty of them, each cut to 40 characters and escaped."""
    assert "Columns seen: 'From', 'T\\x1bo'." in refusal(tmp_path, "From,T\x1bo\n1,2\n3,4\n5,6\n")
    message = refusal(tmp_path, ",".join(f"column{index}" * 20 for index in range(10_000)[:1000]))
    assert "and 980 more" in message
    assert len(message) < 1500


@given(content=st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_bytes_end_in_rows_or_one_clear_error(tmp_path: Path, content: bytes) -> None:
    """Neither as a whole file nor behind a header does anything raise but InputError."""
    for prefix in (b"", b"CallSid,From\n", b"\xff\xfe" + "Id;To\n".encode("utf-16-le")):
        try:
            rows = read(tmp_path, prefix + content)
        except InputError as error:
            assert error.hint  # noqa: PT017 (either outcome is right)
        else:
            assert all(len(reason) < 300 for _, reason in rejected(rows))


@given(
    text=st.datetimes(datetime(2004, 12, 1), datetime(2101, 1, 1)).map(str)  # noqa: DTZ001
    | st.datetimes(datetime(2020, 1, 1), datetime(2022, 1, 1)).map(  # noqa: DTZ001
        lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S")
    )
    | st.text("0123456789-:+ TWZ.", max_size=24)
    | st.sampled_from(["2021-01-01T10:20+05", "2021-W05-1T10:20:30", "2021-10-31 01:59:59"]),
    zone=st.sampled_from([IST, ZoneInfo("Europe/London"), ZoneInfo("America/St_Johns")]),
)
def test_the_fast_way_of_reading_times_gives_what_the_plain_one_gives(
    text: str, zone: ZoneInfo
) -> None:
    """Also on the days on which the clocks change, and the second time a day is seen."""
    try:
        expected = parse_time(text, zone)
    except ValueError:
        expected = None
    unread = UnreadTimes()
    read_time = time_reader(zone, unread)
    assert [expected, expected] == [read_time(text), read_time(text)]
    assert bool(unread.count) == (expected is None and not is_blank(text))


@pytest.mark.parametrize("header", [True, False])
def test_ten_thousand_columns_are_no_trouble(tmp_path: Path, header: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """With a header or without one; of columns that are named alike the first counts."""
    names = ",".join(["CallSid", "Status", *["Status"] * 9_998])
    rows = "\n".join(f"{sid},busy,{','.join(['failed'] * 9_998)}" for sid in SIDS)
    content = f"{names}\n{rows}" if header else rows
    assert [CallFacts(sid=sid, status="busy") for sid in SIDS] == read(tmp_path, content)


def test_what_is_wrong_in_the_first_rows_hides_no_column(tmp_path: Path) -> None:
    """Without a header, bad rows, blanks and rows of other lengths are outvoted by the others."""
    good = [f"{sid},2026-02-01 10:00:00,busy" for sid in SIDS]
    content = "\n".join(
        ["total,,", *good[:2], "", "x", 'bad,0001-01-01,"a\nb"', *good[2:], ",,,,,"]
    )
    rows = read(tmp_path, content)
    assert sids(rows) == SIDS
    assert [line for line, _ in rejected(rows)] == [1, 5, 6]
    assert {"busy"} == {row.status for row in rows if isinstance(row, CallFacts)}


def test_two_columns_of_sids_without_a_header_are_asked_for(tmp_path: Path) -> None:
    """The columns are named, and what to put before them."""
    message = refusal(tmp_path, f"{SIDS[0]},busy,{SIDS[1]}\n")
    assert "the columns 1 and 3 could all be the call's Sid" in message
