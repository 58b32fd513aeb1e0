"""Whether a recording is as long as its call."""

from __future__ import annotations

import msgspec
import pytest

from archive.call import CallFacts
from archive.durations import flag_of
from archive.flags import CUT, DAMAGED
from archive.flags import LONGER_THAN_CALL as LONGER
from archive.flags import SHORTER_THAN_CALL as SHORTER
from jobs.recording import with_flag
from tests.unit.recordings import proof


@pytest.mark.parametrize(("damage", "expected"), [("", SHORTER), (CUT, CUT), (DAMAGED, DAMAGED)])
def test_damage_comes_before_what_the_call_says(damage: str, expected: str) -> None:
    """It is the worse news, and a recording has one flag."""
    facts = CallFacts(sid="abcdef", talk_s=600, duration_s=620)
    found = msgspec.structs.replace(proof("abcdef"), flag=damage)
    assert expected == with_flag(found, facts).flag


@pytest.mark.parametrize(
    ("seconds", "talked", "lasted", "expected"),
    [
        (100.0, 100, 120, ""),
        (85.0, 100, 120, ""),
        (84.9, 100, 120, SHORTER),
        (0.1, 5, 12, ""),
        (137.0, 100, 120, ""),
        (137.1, 100, 120, LONGER),
        (115.1, 100, None, LONGER),
        (300.0, None, 300, ""),
        (10.0, None, 300, ""),
        (10.0, None, None, ""),
        (None, 100, 120, ""),
    ],
)
def test_a_recording_is_as_long_as_the_parties_talked(
    seconds: float | None, talked: int | None, lasted: int | None, expected: str
) -> None:
    """Give or take a tenth and five seconds; what is not told is not held against it."""
    facts = CallFacts(sid="abcdef", talk_s=talked, duration_s=lasted)
    assert flag_of(seconds, facts) == expected
