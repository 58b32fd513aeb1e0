"""Where recordings lie: below the root, whatever the Sid and the account are called."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from archive.call import is_sid
from archive.layout import (
    PARTS,
    QUARANTINE,
    SUFFIXES,
    day_folder,
    lease_of_part,
    part_name,
    recording_path,
    sidecar_path,
)

IST = ZoneInfo("Asia/Kolkata")
SIDS = st.from_regex(r"[A-Za-z0-9_-]{6,64}", fullmatch=True).filter(is_sid)
ACCOUNTS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True).filter(str.isascii)
MOMENTS = st.datetimes(datetime(2005, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from([IST, ZoneInfo("UTC"), ZoneInfo("America/St_Johns")])


def test_the_path_is_that_of_the_hour_in_the_accounts_zone() -> None:
    """A quarter to seven in the evening in UTC is the first hour of the next month in India."""
    began = datetime(2026, 1, 31, 18, 45, tzinfo=UTC)
    path = recording_path("main", "abcdef", began, IST, "mp3")
    assert str(path) == "main/2026/02/01/00/abcdef.mp3"
    assert str(sidecar_path(path)) == "main/2026/02/01/00/abcdef.json"
    assert str(day_folder("main", began, IST)) == "main/2026/02/01"


@given(ACCOUNTS, SIDS, MOMENTS, ZONES, st.sampled_from(SUFFIXES))
def test_every_path_stays_below_the_root(
    account: str, sid: str, began: datetime, zone: ZoneInfo, suffix: str
) -> None:
    """In the day's folder, six deep, never hidden, and never where parts or quarantine are."""
    root = Path("/archive")
    path = recording_path(account, sid, began, zone, suffix)
    assert (root / path).resolve() == root / path
    assert len(path.parts) == 6
    assert day_folder(account, began, zone) == path.parents[1]
    assert path.parts[0] not in {PARTS, QUARANTINE}
    assert not any(part.startswith(".") for part in path.parts)
    assert sidecar_path(path).parent == path.parent
    assert sidecar_path(path).name == f"{sid}.json"


@given(st.from_regex(r"[0-9a-f]{32}", fullmatch=True), SIDS, st.sampled_from(["part", "json"]))
def test_a_part_file_tells_its_lease(lease: str, sid: str, kind: str) -> None:
    """So that files of batches that are no more can be swept."""
    name = part_name(lease, sid, kind)
    assert lease == lease_of_part(name)
    assert "/" not in name
