"""Sids that look like the provider's and lead back to the call."""

import re

from hypothesis import given
from hypothesis import strategies as st

from sandbox.sids import SidCodec

INDEXES = st.integers(0, 2**64 - 1)
CODEC = SidCodec("a seed")


@given(INDEXES, st.text(max_size=20))
def test_a_sid_leads_back_to_its_index(index: int, seed: str) -> None:
    """Whatever the seed, the Sid of an index is read as that index."""
    codec = SidCodec(seed)
    assert index == codec.index(codec.sid(index))


@given(INDEXES)
def test_a_sid_has_the_providers_form(index: int) -> None:
    """A Sid is 32 characters of [0-9a-z] and cannot be read as hexadecimal."""
    sid = CODEC.sid(index)
    assert re.fullmatch(r"[0-9a-z]{32}", sid)
    assert not re.fullmatch(r"[0-9a-f]{32}", sid)


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[0-9a-z_ A-Z]{32}", fullmatch=True)))
def test_a_made_up_sid_is_unknown(text: str) -> None:
    """A text that the codec did not make has no index, and raises nothing."""
    assert CODEC.index(text) is None


@given(INDEXES, st.integers(0, 31), st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyz"))
def test_a_changed_character_makes_a_sid_unknown(index: int, place: int, character: str) -> None:
    """A Sid in which one character was mistyped leads nowhere."""
    sid = CODEC.sid(index)
    mistyped = sid[:place] + character + sid[place + 1 :]
    expected = index if mistyped == sid else None
    assert expected == CODEC.index(mistyped)


def test_capitals_are_not_accepted() -> None:
    """A Sid in capitals is another text than the one handed out."""
    assert CODEC.index(CODEC.sid(7).upper()) is None


def test_sids_of_another_seed_are_unknown() -> None:
    """Two stand-ins with different seeds do not know each other's calls."""
    assert CODEC.index(SidCodec("another seed").sid(7)) is None


def test_neighbours_do_not_look_alike() -> None:
    """Sids of consecutive calls share hardly a character: nothing can rely on their order."""
    alike = sum(a == b for a, b in zip(CODEC.sid(1), CODEC.sid(2), strict=True))
    assert alike < 8
