"""How the listings of several accounts ended, as one exit code."""

from __future__ import annotations

from typing import Final, NamedTuple

from archive.errors import Exit

_GRAVEST: Final = (
    Exit.FATAL,
    Exit.USAGE,
    Exit.PERMANENT_LOSSES,
    Exit.UNEXPECTED,
    Exit.WORK_REMAINS,
)


class Listed(NamedTuple):
    """The gravest code of all accounts, and the first trouble in words."""

    code: int = Exit.COMPLETE
    note: str = ""


def worst(*codes: int) -> int:
    """Return the code that a person has to know of: what only he can mend comes first."""
    met = [code for code in codes if code != Exit.COMPLETE]
    known = [int(code) for code in _GRAVEST if code in met]
    return next(iter([*known, *met]), int(Exit.COMPLETE))
