"""What each choice of ``callvault init`` has to be, and how a mistake in one is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.accounts import MUMBAI
from archive.errors import InputError
from worker.answers import check_options, mistake_in
from worker.choices import Choices, written

NONE: Final[dict[str, Any]] = {
    **dict.fromkeys(("sid", "region", "retention_days", "root", "state", "min_free", "timezone")),
    "name": "main",
    "processes": None,
    "api_base": (),
    "recording_hosts": (),
    "storage_hosts": (),
}

# Near to what is right, and anything at all.
anything = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("aZ09-_. :/~[]%5GMiB\x7f\x00\n\udcff"), max_size=20),
    st.from_regex(r"[0-9]{1,12}( ?[KMG]i?B)?", fullmatch=True),
    st.sampled_from(
        ["Asia", "UTC", "../UTC", "~nobody-here/x", "http://127.0.0.1:99999", "²", "1.0"]
    ),
)


@given(st.sampled_from(sorted({*NONE} - {"region"})), anything)
def test_what_is_let_pass_can_be_written(name: str, text: str) -> None:
    """No answer that was taken is refused when all the others were given: it would cost them."""
    if mistake_in(name, text):
        return
    value: Any = text
    if name in {"retention_days", "processes"}:
        value = int(text)
    if name.endswith("_hosts"):
        value = (text,)
    usual: dict[str, Any] = {
        "sid": "acme1",
        "api_base": MUMBAI,
        "retention_days": 90,
        "root": "recordings",
        "state": "state",
        "min_free": "5GiB",
        "timezone": "UTC",
    }
    written(Choices(**{**usual, name: value}), Path("/home/you/config.toml"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"retention_days": -3}, "--retention-days '-3': a whole number from 1 to 36500"),
        ({"name": "x y"}, "--name 'x y': a name is 1 to 32 lower-case letters"),
        ({"timezone": "Mars/Olympus"}, "--timezone 'Mars/Olympus': a zone of the tz database"),
        ({"sid": ""}, "--sid '': 1 to 64 letters"),
        ({"min_free": "some"}, "--min-free 'some': a size such as \"5GiB\""),
        ({"min_free": "9" * 400}, "a size such as"),
        ({"processes": 999}, "--processes '999': a whole number from 0 to 256"),
        ({"root": os.fsdecode(b"a\xffb")}, ": text in UTF-8"),
        ({"state": "my state"}, "--state 'my state': a path without blanks"),
        ({"api_base": ("http://example.org",)}, "--api-base 'http://example.org': https://HOST"),
        ({"recording_hosts": ("a.b", "c d")}, "--recording-host 'c d': HOST, HOST:PORT"),
        ({"region": "mumbai", "api_base": (MUMBAI,)}, "--region and --api-base exclude each other"),
    ],
)
def test_a_wrong_option_is_told_as_it_was_typed(given: dict[str, Any], words: str) -> None:
    """In words of its own rather than of the file that it would have been written to."""
    with pytest.raises(InputError) as raised:
        check_options({**NONE, **given}, check=True)

    assert words in raised.value.message
    assert "config.toml" not in raised.value.message


def test_all_wrong_options_are_told_at_once() -> None:
    """And what is right is not."""
    with pytest.raises(InputError) as raised:
        check_options({**NONE, "sid": "a b", "processes": -1, "root": "calls"}, check=True)

    assert "--sid 'a b'" in raised.value.message
    assert "--processes '-1'" in raised.value.message
    assert "--root" not in raised.value.message


def test_several_addresses_need_somebody_who_tells_which() -> None:
    """They are asked; where nobody asks them, one is to be named."""
    several = {**NONE, "api_base": (MUMBAI, "http://127.0.0.1:9")}
    check_options(several, check=True)
    check_options({**NONE, "api_base": (MUMBAI,)}, check=False)
    with pytest.raises(InputError, match="one --api-base can be written"):
        check_options(several, check=False)
