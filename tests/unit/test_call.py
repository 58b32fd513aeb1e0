"""What may be a Sid, and what a call's facts say together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts, is_sid

MOMENT = datetime(2026, 2, 1, tzinfo=UTC)


@given(st.text(st.sampled_from("09azAZ-_./\\% \n\0,é٣"), max_size=70))
def test_a_sid_is_safe_wherever_it_is_written(text: str) -> None:
    """It is 6 to 64 ASCII letters, digits, '-' and '_', and nothing else is one."""
    expected = 6 <= len(text) <= 64 and all(c in "09azAZ-_" for c in text)
    assert expected == is_sid(text)


@pytest.mark.parametrize(
    "text", ["0123456789abcdef0123456789372c197m", "a" * 6, "Z" * 64, "-_-_-_"]
)
def test_sids_of_every_form_are_taken(text: str) -> None:
    """Live ones are no hexadecimal numbers; other forms are asked for rather than dropped."""
    assert is_sid(text)


@pytest.mark.parametrize("text", ["", "a" * 5, "a" * 65, "abcdef\n", "../../etc", "abc def"])
def test_what_is_no_sid_is_refused(text: str) -> None:
    """Also a Sid with a line end behind it, which a careless pattern lets pass."""
    assert not is_sid(text)


def test_a_call_began_when_it_started_or_else_when_it_was_created() -> None:
    """The start comes first; of neither nothing is known."""
    later = MOMENT.replace(hour=1)
    began = [
        CallFacts(sid="abcdef", created_at=MOMENT, started_at=later).began_at,
        CallFacts(sid="abcdef", created_at=MOMENT).began_at,
        CallFacts(sid="abcdef").began_at,
    ]
    assert [later, MOMENT, None] == began
