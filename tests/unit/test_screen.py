"""Colours and bars: what the environment and the terminal say, in their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.screen import colour_rule, is_dumb, wants_colour


class _Stream:
    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": "0"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, None),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "xterm", "CLICOLOR": "0"}, False),
        ({"TERM": "xterm", "CLICOLOR": "1"}, None),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"TERM": "xterm", "CLICOLOR_FORCE": "0"}, None),
        ({"TERM": "xterm", "FORCE_COLOR": "3", "CLICOLOR": "0"}, True),
        ({"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_what_the_environment_says_of_colours(
    environment: dict[str, str], *, expected: bool | None
) -> None:
    """NO_COLOR wins, then who forces them, then CLICOLOR and TERM; else the terminal decides."""
    assert expected is colour_rule(environment)


@given(
    environment=st.dictionaries(
        st.sampled_from(["NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM"]),
        st.sampled_from(["", "0", "1", "dumb", "xterm", "false", "always"]),
    )
)
def test_a_file_has_colours_only_where_they_are_forced(environment: dict[str, str]) -> None:
    """A stream that is no terminal's is coloured by a rule, and never where NO_COLOR is set."""
    rule = colour_rule(environment)

    assert (rule is True) is wants_colour(_Stream(terminal=False), environment)
    assert (rule is not False) is wants_colour(_Stream(terminal=True), environment)
    assert not (environment.get("NO_COLOR") and rule is not False)


@pytest.mark.parametrize(
    ("term", "expected"), [("dumb", True), ("", True), ("unknown", True), ("screen", False)]
)
def test_terminals_that_can_only_take_lines(term: str, *, expected: bool) -> None:
    """No bar is drawn on them."""
    assert expected is is_dumb({"TERM": term})
