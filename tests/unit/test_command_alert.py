"""``callvault alert``: what it refuses, and that it says what it wants instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archive.errors import InputError

if TYPE_CHECKING:
    from tests.unit.terminal import Terminal


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["alert", " "], "an alert needs some words", "callvault alert"),
        (["alert", "it", "burns"], "there is nobody to send to", "docs/settings.md"),
    ],
)
def test_an_alert_that_nobody_would_get_is_an_error(
    terminal: Terminal, words: list[str], message: str, hint: str
) -> None:
    """Whoever writes it into a unit learns that when he tries it."""
    error = terminal.refuses(*words)
    assert isinstance(error, InputError)
    assert message in error.message
    assert hint in error.hint
