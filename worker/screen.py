"""What a terminal may be shown: colours and bars, decided in one place for all that draws.

The rules are those of no-color.org, bixense.com/clicolors and force-color.org. Who wants no colours
wins over who forces them; who forces them wins over what the terminal says of itself.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, Protocol

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

_DUMB: Final = frozenset({"", "dumb", "unknown"})
_FORCING: Final = ("CLICOLOR_FORCE", "FORCE_COLOR")
_OFF: Final = frozenset({"", "0", "false"})

GOOD: Final = "green"
WARNING: Final = "yellow"
BAD: Final = "red"


class Stream(Protocol):
    """A stream that may be a terminal's."""

    def isatty(self) -> bool:
        """Tell whether a person may be reading it."""
        ...


def colour_rule(environment: Mapping[str, str]) -> bool | None:
    """Tell whether all streams have colours or none; None: those that are a terminal's have."""
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "").lower() not in _OFF for name in _FORCING):
        return True
    if environment.get("CLICOLOR") == "0" or is_dumb(environment):
        return False
    return None


def wants_colour(stream: Stream, environment: Mapping[str, str]) -> bool:
    """Tell whether what goes to this stream may be coloured."""
    rule = colour_rule(environment)
    return stream.isatty() if rule is None else rule


def is_dumb(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal can only take one line after another."""
    return environment.get("TERM", "").lower() in _DUMB


def wants_bar(asked: bool | None) -> bool:  # noqa: FBT001 - what --progress says, or None
    """Tell whether a bar is shown; unless it is asked for, on terminals that can draw one."""
    if asked is not None:
        return asked
    return sys.stderr.isatty() and not is_dumb(os.environ)


def bar_console() -> Console:
    """Return where bars are drawn: standard error, since results may go into a pipe."""
    return console_on(stderr=True)


def console_on(*, stderr: bool) -> Console:
    """Return what draws on a standard stream, by the rules for all that is drawn."""
    from rich.console import Console  # noqa: PLC0415 - loaded only where it shows something

    stream = sys.stderr if stderr else sys.stdout
    coloured = wants_colour(stream, os.environ)
    return Console(
        stderr=stderr,
        # Left to itself, rich takes FORCE_COLOR for a terminal, and would draw into a file.
        force_terminal=stream.isatty(),
        color_system="auto" if coloured else None,
        no_color=not coloured,
    )


def painted(text: str, colour: str, *, bold: bool = False) -> str:
    """Return text in a colour; `click.echo` takes it out again where none is wanted."""
    return click.style(text, fg=colour, bold=bold or None)
