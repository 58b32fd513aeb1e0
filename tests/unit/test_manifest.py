"""A line of a manifest: written and read back, and refused where it is not to be trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts, State
from archive.manifest import (
    BadLineError,
    Line,
    Seen,
    Told,
    day_of_folder,
    decode,
    encode,
    file_of,
    folder_of,
    lines_of,
    manifests_in,
    path_of,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)
SID = "0123456789abcdef"
DAY = "main/2026/02/09"
TOLD = Told(
    object="1.mp3",
    file=f"17/{SID}.mp3",
    sha256="ab" * 32,
    bytes=1000,
    format="mp3",
    channels=1,
    sample_rate=8000,
    seconds=None,
    flag="",
    archived_at=NOW,
)
LINE = Line(
    account="main",
    sid=SID,
    state=State.ARCHIVED,
    reason="",
    call=CallFacts(sid=SID, started_at=NOW, duration_s=65),
    sightings=[Seen("cdr", NOW)],
    delete_by=NOW + timedelta(days=30),
    settled_at=NOW,
    recordings=[TOLD],
)

folders = st.sampled_from(["main", DAY, "main/2026/12/31"])


def changed(**fields: Any) -> bytes:  # noqa: ANN401 - fields of every type
    """Return the line with other fields."""
    return msgspec.json.encode({**msgspec.to_builtins(LINE), **fields})


def test_a_line_is_read_back_as_it_was_written() -> None:
    """Nothing is lost between a catalog and the next one; each line ends."""
    text = encode(LINE)
    assert text.endswith(b"}\n")
    assert decode(text, DAY) == LINE


def test_what_a_newer_callvault_adds_is_passed_over() -> None:
    """As a reader of the format should."""
    assert decode(changed(later={"a": 1}), DAY) == LINE


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        changed(account="other"),
        changed(sid="../../etc"),
        changed(sid="another-sid"),
        changed(state="stolen"),
        changed(delete_by="2026-02-10T12:00:00"),
        changed(delete_by="yesterday"),
        changed(recordings=[{**msgspec.to_builtins(TOLD), "file": "../../../../../etc/passwd"}]),
        changed(recordings=[{**msgspec.to_builtins(TOLD), "file": "/etc/passwd"}]),
        changed(recordings=[{**msgspec.to_builtins(TOLD), "file": "../../../../other/x.mp3"}]),
        changed(recordings=[{**msgspec.to_builtins(TOLD), "sha256": "AB"}]),
        changed(recordings=[{**msgspec.to_builtins(TOLD), "bytes": -1}]),
    ],
)
def test_a_line_that_is_none_is_refused(text: bytes) -> None:
    """Half lines, other accounts, Sids that are none, moments without a zone, files elsewhere."""
    with pytest.raises(BadLineError):
        decode(text, DAY)


@given(folders, folders, st.from_regex(r"[a-z0-9_-]{6,20}\.(mp3|wav)", fullmatch=True))
def test_a_file_is_found_again_from_every_folder(one: str, other: str, name: str) -> None:
    """Also a recording that lies in another folder than its call's day says."""
    path = f"{other}/17/{name}"
    assert path == path_of(one, file_of(one, path))


@pytest.mark.parametrize(
    ("account", "day", "folder"),
    [
        ("main", "2026-02-09", DAY),
        ("main", "", "main"),
        ("a-b_1", "2026-12-31", "a-b_1/2026/12/31"),
    ],
)
def test_a_day_has_one_folder(account: str, day: str, folder: str) -> None:
    """There and back; a call of unknown day has the account's."""
    assert folder_of(account, day) == folder
    assert day_of_folder(folder) == (account, day)


@pytest.mark.parametrize(
    "folder", ["", ".parts", "main/2026", "main/2026/02/09/17", "Main", "../x"]
)
def test_another_folder_has_no_manifest(folder: str) -> None:
    """Nothing is written where no day is."""
    assert day_of_folder(folder) is None


def test_a_manifest_is_read_line_by_line_whatever_is_in_it(tmp_path: Path) -> None:
    """A line that was cut spoils no other."""
    file = tmp_path / "manifest.jsonl"
    file.write_bytes(encode(LINE) + b'{"account":"ma\n' + encode(LINE))
    first, second, third = lines_of(file, DAY)
    assert LINE == first == third
    assert isinstance(second, BadLineError)


def test_the_present_manifest_comes_before_those_set_aside(tmp_path: Path) -> None:
    """And the newest of those before the older ones."""
    names = ["manifest.jsonl", "manifest.20260210T120000000000Z.jsonl", "manifest.2025.jsonl"]
    for name in [*names, "manifest.txt", ".manifest.jsonl.12"]:
        (tmp_path / name).touch()
    assert names == [path.name for path in manifests_in(tmp_path)]
    (tmp_path / "manifest.jsonl").unlink()
    assert names[1:] == [path.name for path in manifests_in(tmp_path)]
