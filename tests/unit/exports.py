"""Export files made for tests: the same calls in every form that people have them in."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import msgspec

from archive.call import CallFacts
from jobs.cdr_columns import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IST: Final = ZoneInfo("Asia/Kolkata")
FAMILY_NAMES: Final = ("dashboard", "cdr", "custom", "custom without URLs")
COLUMNS: Final = dict(zip(FAMILY_NAMES, FAMILIES, strict=True))
TIMES: Final = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "T": "%Y-%m-%dT%H:%M:%S+05:30",
    "dmy": "%d/%m/%Y %H:%M:%S",
    "mdy": "%m/%d/%y %I:%M:%S %p",
}
ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "cp1252")
PACKINGS: Final = ("plain", "gzip", "zip", "zip in gzip")
NOTE: Final = 'Zoë; "the boss",\tsaid\nyes'
_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)


def call_of(number: int, moment: datetime, lasted: int) -> CallFacts:
    """Return a call that every family can tell of, but for what `known_to` leaves out."""
    start = moment.replace(microsecond=0, tzinfo=IST).astimezone(UTC)
    sid = f"{number:028x}197m"
    return CallFacts(
        sid=sid,
        created_at=start,
        started_at=start,
        ended_at=start + timedelta(seconds=lasted),
        duration_s=lasted,
        talk_s=lasted // 2,
        status="completed",
        direction="inbound",
        from_number="+919812345678",
        to_number="08012345678",
        exophone="08047000000",
        recording_urls=(f"https://recordings.exotel.com/exotelrecordings/acme1/{sid}.mp3",),
    )


def url_of(call: CallFacts) -> str:
    """Return the URL of a call's one recording."""
    return "".join(call.recording_urls or ())


def known_to(family: str, call: CallFacts) -> CallFacts:
    """Return what a family's columns tell of a call."""
    names = {"dashboard": {"created_at": None}, "cdr": {}, "custom": {"talk_s": None}}
    urls = {"recording_urls": msgspec.UNSET} if family == "custom without URLs" else {}
    return msgspec.structs.replace(call, **names[family.split(maxsplit=1)[0]], **urls)


def table(family: str, calls: list[CallFacts], form: str) -> list[list[str]]:
    """Return an export's header and rows, times in a form of ``TIMES``."""

    def at(moment: datetime | None) -> str:
        return moment.astimezone(IST).strftime(TIMES[form]) if moment else "N/A"

    rows = [list(COLUMNS[family])]
    for call in calls:
        url = url_of(call)
        cells = {
            "sid": call.sid,
            "id": call.sid,
            "callsid": call.sid,
            "datecreated": at(call.created_at),
            "date/time": at(call.created_at),
            "starttime": at(call.started_at),
            "answertime": at(call.started_at),
            "endtime": at(call.ended_at),
            "duration": str(call.duration_s),
            "duration(seconds)": str(call.duration_s),
            "conversationduration": str(call.talk_s),
            "status": call.status,
            "direction": call.direction,
            "from": call.from_number,
            "to": call.to_number,
            "exophone": call.exophone,
            "exotelnumber": call.exophone,
            "phonenumbersid": call.exophone,
            "recordingurl": url,
            "recordingurls": url,
            "price": "0.35",
            "cost": "0.35",
            "currency": "INR",
            "leg1status": "completed",
            "fromname": NOTE,
        }
        rows.append([cells.get(name.lower().replace(" ", ""), "") for name in rows[0]])
    return rows


def as_csv(rows: list[list[str]], *, delimiter: str, encoding: str, quoting: int) -> bytes:
    """Write rows as a CSV file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows(rows)  # type: ignore[arg-type]  # one of the module's numbers
    return text.getvalue().encode(encoding)


def as_zip(members: dict[str, bytes]) -> bytes:
    """Pack files into a zip archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


PACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "zip": lambda content: as_zip({"out/november.csv": content, "readme.md": b"x"}),
    "zip in gzip": lambda content: gzip.compress(as_zip({"november.CSV": content})),
}


def as_workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    """Write the least workbook that holds such cells; moments become cells of dates."""
    kind = "http://schemas.openxmlformats.org"
    relations = f"{kind}/officeDocument/2006/relationships"
    main = f'xmlns="{kind}/spreadsheetml/2006/main" xmlns:r="{relations}"'
    numbers = range(1, len(sheets) + 1)
    list_ = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in zip(numbers, sheets, strict=True)
    )
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{relations}/worksheet" Target="worksheets/s{n}.xml"/>'
        for n in numbers
    )
    styles = f'<Relationship Id="rId99" Type="{relations}/styles" Target="styles.xml"/>'
    package = f'xmlns="{kind}/package/2006/relationships"'
    members = {
        "[Content_Types].xml": f'<Types xmlns="{kind}/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships {package}><Relationship Id="rId1" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f"<workbook {main}><sheets>{list_}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships {package}>{links}{styles}</Relationships>",
        "xl/styles.xml": f'<styleSheet {main}><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/>'
        "</cellXfs></styleSheet>",
    }
    for n, rows in zip(numbers, sheets.values(), strict=True):
        data = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
        members[f"xl/worksheets/s{n}.xml"] = (
            f"<worksheet {main}><sheetData>{data}</sheetData></worksheet>"
        )
    return as_zip({name: f'<?xml version="1.0"?>{text}'.encode() for name, text in members.items()})


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        days = (value.replace(tzinfo=UTC) - _EPOCH) / timedelta(days=1)
        return f'<c s="1"><v>{days!r}</v></c>'
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def written(folder: Path, content: bytes, name: str = "calls.csv") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content)
    return path
