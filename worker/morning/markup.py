"""Builds HTML and SVG: the one place where texts are escaped.

What `tag` returns is markup; every other string that is put into a tag is text, and is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_EMPTY = frozenset({"meta", "rect", "line", "path"})


class Markup(str):
    """A string that is HTML already. Made here alone, but for the style sheet."""

    __slots__ = ()


def tag(element: str, /, *content: str, **attributes: object) -> Markup:
    """Return an element: ``class_`` is the class, ``x_y`` the attribute ``x-y``, None is left out.

    What is put between its ends is escaped unless it is markup; attributes always are.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _EMPTY and not content:
        return Markup(f"<{element}{written}>" if element == "meta" else f"<{element}{written}/>")
    return Markup(f"<{element}{written}>{join(content)}</{element}>")


def join(pieces: Iterable[str]) -> Markup:
    """Put pieces behind each other: markup as it is, anything else escaped."""
    return Markup("".join(p if isinstance(p, Markup) else escape(p, quote=True) for p in pieces))
