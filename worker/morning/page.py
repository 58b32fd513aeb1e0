"""A report as one HTML page: nothing is loaded, nothing runs, and everything is escaped."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from worker.morning.charts import draw
from worker.morning.document import Document, Figures, Items, Table
from worker.morning.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.morning.charts import Chart
    from worker.morning.document import Block, Item, Section

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_page(document: Document, charts: Mapping[str, Sequence[Chart]]) -> str:
    """Lay a report out with its charts, which stand in the sections of their keys."""
    style = resources.files("worker.morning").joinpath("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", document.title),
        tag("style", Markup(style)),
    )
    body = tag("body", tag("main", *_main(document, charts)))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _main(document: Document, charts: Mapping[str, Sequence[Chart]]) -> Iterator[Markup]:
    yield tag("h1", document.title)
    yield tag("p", document.made, class_="made")
    yield tag("p", document.sentence, class_=f"verdict {document.level.value}")
    if document.notes:
        yield _items(document.notes, "items notes")
    for section in document.sections:
        yield from _section(section, charts.get(section.key, ()))


def _section(section: Section, charts: Sequence[Chart]) -> Iterator[Markup]:
    content = [_block(block) for block in section.blocks]
    if charts:
        content.append(tag("div", *map(draw, charts), class_="charts"))
    yield tag(
        "section",
        tag("h2", section.title, id=f"s-{section.key}"),
        *content,
        aria_labelledby=f"s-{section.key}",
    )


def _block(block: Block) -> Markup:
    match block:
        case Figures():
            return tag(
                "dl",
                *(
                    tag(
                        "div",
                        tag("dt", one.name),
                        *([tag("dd", one.value, class_="value")] if one.value else []),
                        *([tag("dd", one.remark, class_="remark")] if one.remark else []),
                    )
                    for one in block.rows
                ),
                class_="cards",
            )
        case Table():
            return tag("div", _table(block), class_="wide")
        case Items():
            return _items(block.items, "items")


def _items(items: Sequence[Item], kind: str) -> Markup:
    return tag("ul", *map(_item, items), class_=kind)


def _item(item: Item) -> Markup:
    content = [tag("p", item.head, class_="head")] if item.head else []
    content += [tag("p", line) for line in item.lines]
    if item.names:
        content.append(tag("p", f"{item.named} ", *_unbroken(item.names), class_="names"))
    if item.command:
        content.append(tag("code", *_unbroken(item.command.split(" "))))
    return tag("li", *content)


def _unbroken(words: Sequence[str]) -> Iterator[str]:
    """Yield words with blanks between, which alone are where a line may end: at no hyphen."""
    for number, word in enumerate(words):
        yield " " if number else ""
        yield tag("span", word)


def _table(table: Table) -> Markup:
    kinds = ["number" if name in table.numeric else None for name in table.columns]
    head = [
        tag("th", name, scope="col", class_=kind)
        for name, kind in zip(table.columns, kinds, strict=True)
    ]
    rows = [
        tag(
            "tr",
            *(
                tag("td", cell, class_=kind)
                if number
                else tag("th", cell, scope="row", class_=kind)
                for number, (cell, kind) in enumerate(zip(row, kinds, strict=True))
            ),
        )
        for row in table.rows
    ]
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows))
