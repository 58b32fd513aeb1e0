"""Exports in archives and workbooks: all of them, within bounds, with what is wrong told."""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import pytest

from archive.call import CallFacts
from archive.errors import InputError
from jobs.cdr import Rejected, read_cdr
from jobs.plain import Plain
from jobs.workbook import sheets_of
from tests.unit.exports import as_workbook, as_zip, written

if TYPE_CHECKING:
    from pathlib import Path

IST = ZoneInfo("Asia/Kolkata")
SIDS = [f"{index:028x}197m" for index in range(1, 10)]
BOOK: Final[list[list[object]]] = [["CallSid", "StartTime"], [SIDS[0], datetime(2026, 4, 3, 10, 0)]]  # noqa: DTZ001 - a cell has no zone


def export(*sids: str) -> bytes:
    """Return an export of calls."""
    return "\n".join(["CallSid,From", *(f"{sid},1" for sid in sids)]).encode()


def read(path: Path) -> tuple[list[str], list[str], list[Rejected], list[str]]:
    """Return Sids, what is refused, what is rejected, and notes."""
    refused: list[InputError] = []
    notes: list[str] = []
    rows = list(read_cdr(path, zone=IST, on_refused=refused.append, on_note=notes.append))
    return (
        [row.sid for row in rows if isinstance(row, CallFacts)],
        [error.message.removeprefix(str(path)) for error in refused],
        [row for row in rows if isinstance(row, Rejected)],
        [note.removeprefix(str(path)) for note in notes],
    )


def refusal(path: Path) -> str:
    """Return why a file is refused as a whole."""
    with pytest.raises(InputError) as caught:
        list(read_cdr(path, zone=IST))
    assert caught.value.hint
    return caught.value.message


def test_all_exports_of_an_archive_are_read_and_named(tmp_path: Path) -> None:
    """One that is none stops no other; other files are left out, and a rejected row says where."""
    members = {
        "a/one.csv": export(SIDS[0]),
        "two.TXT": export(SIDS[1], "bad"),
        "__MACOSX/._two.csv": b"x",
        "page\x1b[31m.csv": b"Name,City\na,b",
        "notes.pdf": b"%PDF",
        "book.xlsx": as_workbook({"S": BOOK}),
    }
    path = written(tmp_path, as_zip(members), "all.zip")
    found, refused, rejected, notes = read(path)
    assert found == [SIDS[0], SIDS[1], SIDS[0]]
    assert [f"{path}:two.TXT"] == [row.file for row in rejected]
    assert refused == [
        ":page\\x1b[31m.csv has no column for the call's Sid. Columns seen: 'Name', 'City'."
    ]
    assert notes == [": left out: __MACOSX/._two.csv and 1 more files"]


def test_an_archive_of_no_export_is_refused(tmp_path: Path) -> None:
    """But a single file is meant, whatever it is called; names alone never decide of it."""
    assert "holds no CDR export" in refusal(written(tmp_path, as_zip({"a.pdf": b"", "b.md": b""})))
    assert "holds no CDR export" in refusal(written(tmp_path, as_zip({})))
    assert read(written(tmp_path, as_zip({"a.dat": export(SIDS[0])})))[0] == [SIDS[0]]


def test_an_archive_within_an_archive_is_refused(tmp_path: Path) -> None:
    """Whatever its name is; the exports beside it are read."""
    members = {"in.csv": as_zip({"a.csv": export(SIDS[0])}), "b.csv": export(SIDS[1])}
    found, refused, _, _ = read(written(tmp_path, as_zip(members)))
    assert found == [SIDS[1]]
    assert refused == [":in.csv is an archive within an archive."]


def test_an_encrypted_member_is_told(tmp_path: Path) -> None:
    """The mark is in the list of members; nothing is tried."""
    packed = bytearray(as_zip({"a.csv": export(SIDS[0])}))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    assert "a.csv is encrypted" in refusal(written(tmp_path, bytes(packed)))


def test_a_damaged_member_gives_what_it_has(tmp_path: Path) -> None:
    """A wrong checksum is told after the rows, all but the last block; the next member is read."""
    for many, least in ((1, 1), (5_000, 1_500)):
        sids = [f"{number:032}" for number in range(many)]
        packed = bytearray(as_zip({"a.csv": export(*sids), "b.csv": export(SIDS[0])}))
        packed[packed.index(b"PK\x01\x02") + 16] ^= 1
        found, refused, _, _ = read(written(tmp_path, bytes(packed)))
        assert found[-1] == SIDS[0]
        assert len(found) >= least
        assert len(refused) == 1
        assert "a.csv: the zip archive is damaged" in refused[0]


def test_a_bomb_is_refused_by_what_comes_out(tmp_path: Path) -> None:
    """Far more than went in; so is one that lies about its size, and one with an endless list."""
    bomb = as_zip({"a.csv": bytes(70_000_000), "b.csv": export(SIDS[0])})
    found, refused, _, _ = read(written(tmp_path, bomb))
    assert found == [SIDS[0]]
    assert ":a.csv unpacks to more than 300 times its size" in refused[0]
    packed = bytearray(bomb)
    at = packed.rindex(b"PK\x05\x06") + 12
    packed[at : at + 4] = (1 << 30).to_bytes(4, "little")
    assert "lists too many files" in refusal(written(tmp_path, bytes(packed)))


def test_a_bomb_that_lies_about_what_went_in_is_refused(tmp_path: Path) -> None:
    """No member can have more of the archive than there is."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.csv", "w") as member,
    ):
        for _ in range(160):
            member.write(bytes(1_000_000))
    packed = bytearray(content.getvalue())
    at = packed.index(b"PK\x01\x02") + 20
    packed[at : at + 4] = (1 << 31).to_bytes(4, "little")
    assert "unpacks to more than 300 times its size" in refusal(written(tmp_path, bytes(packed)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_is_not_bounded_step_by_step_is_refused(tmp_path: Path, method: int) -> None:
    """A block of it may come out as anything, and damage in it has an error of its own."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a.csv", export(SIDS[0]))
    path = written(tmp_path, packed.getvalue())
    assert refusal(path) == f"{path}:a.csv is packed in a way that is not read here."


@pytest.mark.parametrize("at", range(0, 200, 7))
def test_a_broken_archive_ends_in_rows_or_one_clear_error(tmp_path: Path, at: int) -> None:
    """Whichever byte is wrong, and wherever it is cut."""
    packed = bytearray(as_zip({"a.csv": export(*SIDS)}))
    cut = bytes(packed[: len(packed) - at])
    packed[at % len(packed)] ^= 0xFF
    for content in (bytes(packed), cut):
        try:
            rows = list(read_cdr(written(tmp_path, content), zone=IST))
        except InputError as error:
            assert error.hint  # noqa: PT017 (either outcome is right)
        else:
            assert rows


def test_sheets_are_read_and_rows_are_lines(tmp_path: Path) -> None:
    """A cell of a date is exact; empty sheets are passed over; breaks in cells shift no line."""
    rows: list[list[object]] = [*BOOK, [SIDS[1], "a\nb"], ["bad", "x"]]
    path = written(tmp_path, as_workbook({"One": rows, "Two": BOOK, "Three": []}))
    found, refused, rejected, _ = read(path)
    assert (found, refused) == ([SIDS[0], SIDS[1], SIDS[0]], [])
    assert [(f"{path}:'One'", 4)] == [(row.file, row.line) for row in rejected]
    first = next(read_cdr(path, zone=IST))
    assert isinstance(first, CallFacts)
    assert first.started_at == datetime(2026, 4, 3, 4, 30, tzinfo=UTC)


def test_without_the_extra_a_workbook_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint tells how to install it."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    path = written(tmp_path, as_workbook({"S": BOOK}))
    with pytest.raises(InputError, match="an extra") as caught:
        next(read_cdr(path, zone=IST))
    assert "callvault[xlsx]" in caught.value.hint


@pytest.mark.parametrize(
    "added",
    [
        b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        b"<row r='1048576'><c><v>1</v></c></row><row r='9'><c r='xfd9'><v>1</v></c></row>",
        b'<row r="2147483647"><c r="ZZZZ2147483647"><v>1</v></c></row>',
    ],
)
def test_a_workbook_that_would_fill_the_memory_is_not_loaded(tmp_path: Path, added: bytes) -> None:
    """Two cells far apart are a table of seventeen thousand million, however it is written."""
    book = zipfile.ZipFile(io.BytesIO(as_workbook({"S": BOOK})))
    members = {name: book.read(name) for name in book.namelist()}
    sheet = members["xl/worksheets/s1.xml"]
    members["xl/worksheets/s1.xml"] = sheet.replace(b"</sheetData>", added + b"</sheetData>")
    assert "holds too much" in refusal(written(tmp_path, as_zip(members)))


def test_a_text_in_many_cells_is_bounded(tmp_path: Path) -> None:
    """It stands once in the workbook, and as often as it is used in memory."""
    book = zipfile.ZipFile(io.BytesIO(as_workbook({"S": BOOK})))
    members = {name: book.read(name) for name in book.namelist()}
    links, sheet = "xl/_rels/workbook.xml.rels", "xl/worksheets/s1.xml"
    members[links] = members[links].replace(b"styles", b"sharedStrings")
    members["xl/sharedStrings.xml"] = b"<sst><si><t>" + b"x" * 32_000 + b"</t></si></sst>"
    cells = b'<c t="s"><v>0</v></c>' * 16_000
    members[sheet] = members[sheet].replace(b"</sheetData>", b"<row>%s</row></sheetData>" % cells)
    path = written(tmp_path, as_zip(members))
    with (
        path.open("rb") as stream,
        zipfile.ZipFile(path) as archive,
        pytest.raises(InputError, match="holds too much"),
    ):
        sheets_of(Plain("x", stream), archive, memory=256 * 2**20)


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/worksheets/s1.xml", "xl/styles.xml"])
def test_a_broken_workbook_ends_in_one_clear_error(tmp_path: Path, name: str) -> None:
    """Or in what can be read of it."""
    book = zipfile.ZipFile(io.BytesIO(as_workbook({"S": BOOK})))
    members = {one: book.read(one) for one in book.namelist()}
    for content in (b"", b"<", members[name][:-40], b"\0" * 100):
        path = written(tmp_path, as_zip({**members, name: content}))
        try:
            list(read_cdr(path, zone=IST))
        except InputError as error:
            assert error.hint  # noqa: PT017 (either outcome is right)


def test_a_document_of_another_kind_is_named(tmp_path: Path) -> None:
    """Such as a table of another program; it is packed, too."""
    assert "another kind" in refusal(written(tmp_path, as_zip({"content.xml": b"<x/>"})))
