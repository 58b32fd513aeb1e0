"""A report as Markdown: no text in it can become a link, a heading or HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from worker.morning.document import Document, Figures, Items, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.morning.document import Block, Item

_ACTS: Final = re.compile(r"([\\`*_\[\]<>#|~&@]|(?<=:)(?=//)|(?<=www)(?=\.))")
"""What begins anything within a line, and what makes links of bare addresses."""


def render_markdown(document: Document) -> str:
    """Lay a report out."""
    return "\n".join(_lines(document)).rstrip("\n") + "\n"


def escape(text: str) -> str:
    """Return text in which no character means anything to Markdown."""
    escaped = _ACTS.sub(r"\\\1", text.strip())
    if numbered := re.match(r"(\d+)([.)])", escaped):
        return f"{numbered[1]}\\{escaped[numbered.end(1) :]}"
    return f"\\{escaped}" if escaped.startswith(("-", "+", "=")) else escaped


def _lines(document: Document) -> Iterator[str]:
    yield f"# {escape(document.title)}"
    yield ""
    yield f"**{escape(document.sentence)}**"
    yield ""
    for note in document.notes:
        yield from _item(note)
    for section in document.sections:
        yield f"## {escape(section.title)}"
        yield ""
        for block in section.blocks:
            yield from _block(block)
            yield ""
    yield escape(document.made)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Figures():
            rows = tuple((one.name, one.value, one.remark) for one in block.rows)
            yield from _table(Table(("", "figure", "remark"), rows, frozenset({"figure"})))
        case Table():
            yield from _table(block)
        case Items():
            for item in block.items:
                yield from _item(item)


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(map(escape, table.columns))} |"
    yield f"|{'|'.join('---:' if name in table.numeric else '---' for name in table.columns)}|"
    for row in table.rows:
        yield f"| {' | '.join(map(escape, row))} |"


def _item(item: Item) -> Iterator[str]:
    yield f"- {escape(item.head or 'what helps:')}"
    for line in item.all_lines:
        # Two blanks break the line.
        yield f"  {escape(line)}  "
    if item.command:
        yield ""
        yield f"      {item.command}"
    yield ""
