"""``--only``, ``--skip`` and ``--trust-status``: what they make of the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from archive.entry import Entry
from archive.errors import InputError
from archive.selection import Rule
from worker.commands.choosing import read_entry


def test_each_skip_is_a_rule_and_all_only_are_one() -> None:
    """Values of a field are alternatives; what no --only matches is left out."""
    only = ("exophone=0804*", "exophone=0805*", "direction=inbound")
    name = "--only " + " ".join(only)
    expected = Entry(
        rules=(
            Rule(name="--skip status=busy", status=("busy",)),
            Rule(name="--skip shorter-than=10s", shorter_than=timedelta(seconds=10)),
            Rule(name=name, keep=True, exophone=("0804*", "0805*"), direction=("inbound",)),
            Rule(name=name),
        ),
        trust_status=True,
    )
    assert expected == read_entry(only, ("status=busy", "shorter-than=10s"), trust_status=True)
    assert Entry() == read_entry((), ())


@pytest.mark.parametrize(
    "text",
    [
        "status",
        "status=",
        "=busy",
        "colour=red",
        "account=main",
        "shorter_than=x",
        "group=\x1b[2J",
        "number=0*",
    ],
)
def test_what_is_no_choice_is_a_mistake_with_a_hint(text: str) -> None:
    """Shown without what could act on a terminal."""
    with pytest.raises(InputError) as caught:
        read_entry((), (text,))
    assert caught.value.message.isprintable()
    assert caught.value.hint


def test_a_duration_is_given_once() -> None:
    """Two make no sense together."""
    with pytest.raises(InputError, match="shorter_than=5s"):
        read_entry(("shorter_than=9s", "shorter_than=5s"), ())
