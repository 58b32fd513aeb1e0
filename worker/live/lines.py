"""Lines of a live view: pieces of text in a style, cut to a width, and tables of them.

What another program wrote is cleaned before it comes into a line, and never read as markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NUMBER: Final = re.compile(r"\+?\d(?:[ -]?\d){9,}")
_GAP: Final = 2


class Span(NamedTuple):
    """A piece of text in a style, as rich names styles."""

    text: str
    style: str = ""


Line: TypeAlias = tuple[Span, ...]


class Glyphs(NamedTuple):
    """The characters that a terminal can show: for bars, curves and cut texts.

    ``is_ascii``: it has no others, so names and words lose theirs.
    """

    curve: str
    more: str
    then: str
    dot: str
    fills: str
    is_ascii: bool = False


UNICODE: Final = Glyphs(curve="▁▂▃▄▅▆▇█", more="…", then="→", dot="●", fills="█▓▚▞▀▒░")
ASCII: Final = Glyphs(curve="_.-:=+*#", more=".", then=">", dot="*", fills="#=%&x~.", is_ascii=True)


def clean(text: str) -> str:
    """Make a text from outside fit for a terminal: no control characters, no phone numbers."""
    one_line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else "?" for c in one_line)
    return _NUMBER.sub("[number]", shown)


def clean_name(text: str) -> str:
    """Make a name or Sid fit for a terminal; what looks like a phone number may be one's part."""
    return "".join(c if c.isprintable() else "?" for c in text)


def in_ascii(line: Line) -> Line:
    """Return a line for a terminal that has no other characters, as wide as it was."""
    return tuple(
        Span("".join(c if c.isascii() else "?" * cell_len(c) for c in text), style)
        for text, style in line
    )


def length(line: Line) -> int:
    """Return how many cells of a terminal a line takes."""
    return sum(cell_len(span.text) for span in line)


def plain(line: Line) -> str:
    """Return a line without its styles."""
    return "".join(span.text for span in line).rstrip()


def cut_text(text: str, width: int, more: str) -> str:
    """Cut a text to so many cells, and say that it is cut."""
    if cell_len(text) <= width:
        return text
    if width <= cell_len(more):
        return set_cell_size(text, max(0, width))
    return set_cell_size(text, width - cell_len(more)).rstrip() + more


def cut(line: Line, width: int, more: str) -> Line:
    """Cut a line to so many cells."""
    if length(line) <= width:
        return line
    kept: list[Span] = []
    for text, style in line:
        room = width - length(tuple(kept))
        kept.append(Span(cut_text(text, room, more), style))
        if cell_len(text) > room:
            break
    return tuple(kept)


def spread(left: Line, right: Line, width: int) -> Line:
    """Put one piece to the left and one to the right end; the right one goes if both do not fit."""
    room = width - length(left) - length(right)
    return (*left, Span(" " * room), *right) if room >= _GAP else left


def flow(items: Iterable[Line], width: int) -> list[Line]:
    """Put pieces beside each other, over as many lines as that takes."""
    lines: list[Line] = []
    for item in items:
        longer = (*lines[-1], Span(" " * _GAP), *item) if lines else ()
        if longer and length(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(item)
    return lines


class Column(NamedTuple):
    """A column of a table: its heading, its cells, and whether they are numbers."""

    heading: str
    cells: Sequence[Span]
    right: bool = False


def table(columns: Sequence[Column], width: int, more: str) -> list[Line]:
    """Write columns below their headings: the last ones go where there is no room for all.

    The first column is cut to a third of the width, the last one that stays to the room there is.
    """
    sizes = [
        max([cell_len(column.heading), *(cell_len(cell.text) for cell in column.cells)])
        for column in columns
    ]
    sizes[0] = min(sizes[0], max(width // 3, cell_len(columns[0].heading)))
    shown = 1
    while shown < len(columns) and sum(sizes[:shown]) + _GAP * shown < width:
        # The next one has room for its heading at least, or for all of it if it is a number.
        least = sizes[shown] if columns[shown].right else min(sizes[shown], _least(columns[shown]))
        if sum(sizes[:shown]) + _GAP * shown + least > width:
            break
        shown += 1
    before = sum(sizes[: shown - 1]) + _GAP * (shown - 1)
    sizes[shown - 1] = min(sizes[shown - 1], max(0, width - before))
    rows = max(len(column.cells) for column in columns)
    heads = [[Span(column.heading, "dim") for column in columns[:shown]]]
    body = [[column.cells[row] for column in columns[:shown]] for row in range(rows)]
    lines = []
    for cells in heads + body:
        line: list[Span] = []
        for number, (cell, column, size) in enumerate(zip(cells, columns, sizes, strict=False)):
            text = cut_text(cell.text, size, more)
            blank = " " * (size - cell_len(text))
            padded = blank + text if column.right else text + blank
            gap = " " * _GAP if number else ""
            line.append(Span(gap + padded, cell.style))
        lines.append(cut(tuple(line), width, more))
    return lines


def _least(column: Column) -> int:
    return cell_len(column.heading) + 4
