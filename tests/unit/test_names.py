"""Which Sid a file's name means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import is_sid
from archive.names import possible_sids, the_sid

SID = "k3j4h5g6f7d8s9a0k3j4h5g6f7d8s9a0"
OTHER = "0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p"

sids = st.from_regex(r"[A-Za-z0-9_-]{6,40}", fullmatch=True)
around = st.from_regex(r"([A-Za-z0-9 ()._-]{0,20}[ ()._-])?", fullmatch=True)
behind = st.from_regex(r"([ ()._-][A-Za-z0-9 ()._-]{0,20})?", fullmatch=True)


@pytest.mark.parametrize(
    "name",
    [
        f"{SID}.mp3",
        f"{SID}.MP3",
        f"prefix_{SID}-x.wav",
        f"2026-02-09 17.30 {SID} (2).mp3",
        f"call{SID}.mp3",
        f"{SID}_2.mp3",
        SID,
    ],
)
def test_a_known_sid_is_found_in_any_name(name: str) -> None:
    """Alone, between separators, and grown together with a word."""
    assert the_sid(possible_sids(name), {SID, OTHER}) == SID


@given(around, sids, behind)
def test_what_stands_between_separators_is_possible(before: str, sid: str, after: str) -> None:
    """Whatever the Sid is made of, separators among it."""
    if sid[0] in "_-" or sid[-1] in "_-":
        return
    found = possible_sids(f"{before}{sid}{after}.mp3")
    assert sid in found
    assert all(is_sid(one) for one in found)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (f"{SID}.mp3", {OTHER}),
        ("recording.mp3", {SID}),
        (f"{SID} {OTHER}.mp3", {SID, OTHER}),
        (f"{SID}_{OTHER}.mp3", {SID, OTHER}),
        ("", {SID}),
    ],
)
def test_none_and_several_mean_nothing(name: str, known: set[str]) -> None:
    """A file is not taken for a call by guessing."""
    assert the_sid(possible_sids(name), known) is None


def test_the_longer_of_two_is_meant() -> None:
    """A Sid that is a part of another one's was not written by itself."""
    assert the_sid(possible_sids("abc123_x9.mp3"), {"abc123", "abc123_x9"}) == "abc123_x9"
