"""Which Sids a file's name may hold: pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from archive.call import is_sid

if TYPE_CHECKING:
    from collections.abc import Collection

_PIECE: Final = re.compile(r"[A-Za-z0-9]+|[_-]", re.ASCII)
_RUN: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_REAL_LENGTH: Final = 32
"""How long the provider's Sids are."""
_LONGEST: Final = 64


def possible_sids(name: str) -> frozenset[str]:
    """Return all that could be a Sid in a file's name, its suffix among the rest.

    A Sid may hold ``-`` and ``_``, and a name may hold more beside it: ``prefix_{sid}-x.wav``. So
    everything from one separator to another counts, and in longer words everything that is as long
    as the provider's Sids are.
    """
    found: set[str] = set()
    for run in _RUN.findall(name):
        pieces = _PIECE.findall(run)
        for first in range(len(pieces)):
            text = ""
            for piece in pieces[first:]:
                text += piece
                if len(text) > _LONGEST:
                    break
                if is_sid(text):
                    found.add(text)
        for piece in pieces:
            found.update(
                piece[at : at + _REAL_LENGTH] for at in range(1 + len(piece) - _REAL_LENGTH)
            )
    return frozenset(found)


def the_sid(possible: Collection[str], known: Collection[str]) -> str | None:
    """Return the one known Sid of a name; None if there is none, or more than one.

    One that is a part of another is not meant.
    """
    held = [sid for sid in possible if sid in known]
    longest = [sid for sid in held if not any(sid != other and sid in other for other in held)]
    return longest[0] if len(longest) == 1 else None
