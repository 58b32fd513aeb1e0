"""CDR exports that match the calls, and the truth that tests compare with."""

import csv
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sandbox import export, truth
from sandbox.calls import Provider
from sandbox.export import Family

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PROVIDER = Provider(
    calls=200,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=ZoneInfo("Asia/Kolkata"),
    launched=NOW,
)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read an export."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("family", "sid", "url"),
    [("cdr", "CallSid", "RecordingUrl"), ("dashboard", "Id", "RecordingUrls")],
)
def test_an_export_has_every_call_that_ended(
    tmp_path: Path, family: str, sid: str, url: str
) -> None:
    """Each family has one row for each call, with its Sid and its URL."""
    path = tmp_path / "calls.csv"
    written = export.write(path, Family(family), PROVIDER, "rec:1", NOW)
    calls = [PROVIDER.call(index) for index in range(200)]
    expected = [
        (call.sid, f"http://rec:1{PROVIDER.path(call)}" if call.object_name else "")
        for call in calls
    ]
    assert expected == [(row[sid], row[url]) for row in rows_of(path)]
    assert written == len(expected)


def test_the_headers_are_the_providers(tmp_path: Path) -> None:
    """The header line of the dashboard's report is the documented one."""
    path = tmp_path / "calls.csv"
    export.write(path, Family.DASHBOARD, PROVIDER, "rec:1", NOW)
    expected = (
        "Id,Direction,ExotelNumber,From,FromName,To,ToName,Status,StartTime,EndTime,Duration,Price,"
        "RecordingUrls,AppID,AppName,GroupName,FromCircle,ToCircle,Leg1Status,Leg2Status,"
        "ConversationDuration,DisconnectedBy,DispositionCodes"
    )
    assert expected == path.read_text(encoding="utf-8").partition("\n")[0]


def test_the_dashboard_knows_two_more_statuses(tmp_path: Path) -> None:
    """Callers whom nobody answered are missed calls or call attempts there."""
    path = tmp_path / "calls.csv"
    export.write(path, Family.DASHBOARD, PROVIDER, "rec:1", NOW)
    assert {"missed-call", "call-attempt"} < {row["Status"] for row in rows_of(path)}


def test_calls_going_on_are_left_out_and_fresh_ones_have_blanks(tmp_path: Path) -> None:
    """A call in progress has no row; one that has just ended has no Duration and no URL."""
    path = tmp_path / "calls.csv"
    call = PROVIDER.call(50)
    export.write(path, Family.CDR, PROVIDER, "rec:1", call.ended_at)
    rows = {row["CallSid"]: row for row in rows_of(path)}
    ended = {c.sid for c in map(PROVIDER.call, range(200)) if c.ended_at <= call.ended_at}
    assert ended == set(rows)
    fresh = rows[call.sid]
    assert not any(fresh[name] for name in ("EndTime", "Duration", "Price", "RecordingUrl"))


def test_times_are_wall_times_of_the_account(tmp_path: Path) -> None:
    """Times have no zone and are those of the account's."""
    path = tmp_path / "calls.csv"
    export.write(path, Family.CDR, PROVIDER, "rec:1", NOW)
    call = PROVIDER.call(0)
    expected = call.started_at.astimezone(ZoneInfo("Asia/Kolkata")).strftime("%Y-%m-%d %H:%M:%S")
    assert expected == rows_of(path)[0]["StartTime"]


def test_the_truth_is_that_of_the_recordings() -> None:
    """Size and SHA-256 are those of the bytes, times have an offset, absent ones are null."""
    told = [json.loads(line) for line in truth.lines(PROVIDER, 0, 100).splitlines()]
    assert list(range(100)) == [line["index"] for line in told]
    for line in told:
        audio, call = PROVIDER.audio(line["index"]), PROVIDER.call(line["index"])
        data = audio.whole() if audio else b""
        sha256 = hashlib.sha256(data).hexdigest() if audio else None
        expected = (call.sid, audio is not None, len(data), sha256, call.object_name)
        names = ("sid", "recorded", "bytes", "sha256", "object")
        assert expected == tuple(line[name] for name in names)
        assert call.started_at == datetime.fromisoformat(line["started_at"])


def test_the_truth_of_what_was_not_recorded() -> None:
    """A call without a recording has its own seconds and nothing of a recording."""
    index = next(i for i in range(100) if PROVIDER.audio(i) is None)
    told = truth.of_call(replace(PROVIDER), index)
    absent = ("object", "url_path", "sha256", "ready_at", "deleted_at")
    assert {None} == {told[name] for name in absent}
    assert float(PROVIDER.call(index).duration) == told["seconds"]
