"""What a callback has to show: `web.guard`."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.guard import Rate, Secrets, basic_password

SECRET = "an example of sixteen characters"


def header(text: str) -> str:
    """Return a Basic header."""
    return f"Basic {b64encode(text.encode()).decode()}"


def test_the_secret_opens_its_own_account_and_no_other() -> None:
    """An account without a secret is opened by nothing."""
    secrets = Secrets({"main": SECRET, "other": f"{SECRET}2"})
    assert secrets.opens("main", SECRET)
    assert secrets.opens("other", f"{SECRET}2")
    wrong = [("main", f"{SECRET}2"), ("main", None), ("main", ""), ("none", SECRET), ("none", "\0")]
    assert [secrets.opens(name, shown) for name, shown in wrong] == [False] * 5
    assert SECRET not in repr(secrets)


@given(st.text(max_size=50))
def test_nothing_else_opens(shown: str) -> None:
    """Also what is no UTF-8 by itself."""
    assert (shown == SECRET) == Secrets({"main": SECRET}).opens("main", shown)


@pytest.mark.parametrize(
    ("given_header", "expected"),
    [
        (header("user:pass:word"), "pass:word"),
        (header(":x"), "x"),
        (header("user"), None),
        ("Basic !!!", None),
        ("Basic", None),
        ("Bearer abc", None),
        (None, None),
        (f"Basic {b64encode(bytes([255, 58])).decode()}", None),
    ],
)
def test_the_password_is_what_follows_the_first_colon(
    given_header: str | None, expected: str | None
) -> None:
    """RFC 7617; what is none shows none."""
    assert expected == basic_password(given_header)


def test_a_second_lets_so_many_pass_and_no_more() -> None:
    """A pause saves up for one second at most."""
    rate = Rate(3)
    assert [rate.lets_pass(10.0) for _ in range(4)] == [True] * 3 + [False]
    assert rate.lets_pass(10.4)
    assert not rate.lets_pass(10.4)
    assert [rate.lets_pass(100.0) for _ in range(4)] == [True] * 3 + [False]
