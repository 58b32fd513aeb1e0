"""A report as text for a terminal or a mail: 80 columns, the most important first."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Final
from unicodedata import east_asian_width

from archive.morning.facts import Level
from worker.morning.document import Document, Figures, Items, Table
from worker.screen import BAD, GOOD, WARNING, painted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.morning.document import Block, Figure, Item

_COLOURS: Final = {Level.COMPLETE: GOOD, Level.INCOMPLETE: WARNING, Level.ALARM: BAD}
_WIDTH: Final = 80
_NAME: Final = 16
_VALUE: Final = 10


def render_text(document: Document, *, full: bool = False) -> str:
    """Lay a report out; details are left out unless it is to be ``full``."""
    return "\n".join([*_verdict(document), *_lines(document, full=full)]) + "\n"


def render_coloured(document: Document) -> str:
    """Lay a report out for a terminal, where the verdict has the colour of its level."""
    colour = _COLOURS[document.level]
    verdict = (painted(line, colour, bold=True) for line in _verdict(document))
    return "\n".join([*verdict, *_lines(document, full=False)]) + "\n"


def _verdict(document: Document) -> list[str]:
    return wrap(document.sentence, _WIDTH)


def _lines(document: Document, *, full: bool) -> Iterator[str]:
    for note in document.notes:
        yield from _item(note, "! ")
    for section in document.sections:
        if section.detail and not full:
            continue
        yield ""
        if section.key == "day":
            yield f"{document.title}, {document.made}"
        else:
            yield section.title
        for block in section.blocks:
            yield from _block(block, full=full)


def _block(block: Block, *, full: bool) -> Iterator[str]:
    match block:
        case Figures():
            for figure in block.rows:
                yield from _figure(figure)
        case Table():
            yield from _table(block, block.rows if full or block.brief is None else block.brief)
        case Items():
            for item in block.items:
                yield from _item(item, "  ")


def _figure(figure: Figure) -> Iterator[str]:
    head = f"  {figure.name:<{_NAME}}{figure.value:>{_VALUE}}  "
    if not figure.remark:
        yield head.rstrip()
        return
    yield from wrap(
        figure.remark, _WIDTH, initial_indent=head, subsequent_indent=" " * (_NAME + _VALUE + 4)
    )


def _item(item: Item, mark: str) -> Iterator[str]:
    yield from wrap(item.head, _WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark))
    for line in item.all_lines:
        yield from wrap(line, _WIDTH, initial_indent="      ", subsequent_indent="      ")
    if item.command:
        # Not wrapped: it is there to be copied.
        yield f"      $ {item.command}"


def _table(table: Table, rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    cells = [table.columns, *rows]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(table.columns))]
    for row in cells:
        parts = [
            _pad(cell, width, right=name in table.numeric)
            for cell, width, name in zip(row, widths, table.columns, strict=True)
        ]
        yield f"  {'  '.join(parts)}".rstrip()


def _pad(text: str, width: int, *, right: bool) -> str:
    filling = " " * (width - _width(text))
    return f"{filling}{text}" if right else f"{text}{filling}"


def _width(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)
