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
    number_of,
    part_name,
    recording_path,
    sidecar_path,
    stem_of,
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
    assert sidecar_path(path).name == f"{stem_of(sid, 1)}.json"


NUMBERS = st.integers(1, 30)
TAILS = st.sampled_from(["", "_1", "_2", "_12", "_", "_2_1", "_x2"])


@given(SIDS, TAILS, NUMBERS, SIDS, TAILS, NUMBERS)
def test_no_two_recordings_have_one_name(
    sid: str, tail: str, number: int, other_sid: str, other_tail: str, other_number: int
) -> None:
    """Also not those of Sids that look like another's further recordings."""
    for other in (other_sid + other_tail, sid + other_tail, sid):
        names = {stem_of(sid + tail, number), stem_of(other, other_number)}
        same = (sid + tail, number) == (other, other_number)
        assert len(names) == (1 if same else 2)


@given(SIDS, TAILS, NUMBERS)
def test_a_name_tells_its_number(sid: str, tail: str, number: int) -> None:
    """Of a call whose Sid is known."""
    assert number_of(stem_of(sid + tail, number), sid + tail) == number


def test_the_first_recording_is_named_as_its_call() -> None:
    """As all Sids of the provider are; only one that looks like a number's has one itself."""
    assert [stem_of("abcdef", number) for number in (1, 2)] == ["abcdef", "abcdef_2"]
    assert [stem_of("abcdef_2", number) for number in (1, 2)] == ["abcdef_2_1", "abcdef_2_2"]


@given(st.from_regex(r"[0-9a-f]{32}", fullmatch=True), SIDS, st.sampled_from(["part", "json"]))
def test_a_part_file_tells_its_lease(lease: str, sid: str, kind: str) -> None:
    """So that files of batches that are no more can be swept."""
    name = part_name(lease, sid, kind)
    assert lease == lease_of_part(name)
    assert "/" not in name
