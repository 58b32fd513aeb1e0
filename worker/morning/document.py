"""What a report consists of, whichever way it is laid out.

The texts in it may have come from anywhere. Whoever lays it out makes them harmless for what it
writes; here they only lose what would act on a terminal or break a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from archive.morning.facts import Level


class Figure(msgspec.Struct, frozen=True):
    """A figure with its name and what there is to say of it."""

    name: str
    value: str
    remark: str = ""


class Figures(msgspec.Struct, frozen=True):
    """Figures below each other."""

    rows: tuple[Figure, ...]


class Table(msgspec.Struct, frozen=True):
    """Rows of cells, of which the columns named in ``numeric`` hold numbers.

    ``brief`` are the rows where there is little room; None: the same.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str]
    brief: tuple[tuple[str, ...], ...] | None = None


class Item(msgspec.Struct, frozen=True):
    """Something to be read: a head, or none, lines below it, names, and a command that helps.

    ``names`` are to be copied, so none is broken where that can be helped; ``named`` leads to them.
    """

    head: str
    lines: tuple[str, ...] = ()
    command: str = ""
    names: tuple[str, ...] = ()
    named: str = ""

    @property
    def all_lines(self) -> tuple[str, ...]:
        """The lines, the names as the last one."""
        told = f"{self.named} {', '.join(self.names)}".strip()
        return (*self.lines, told) if self.names else self.lines


class Items(msgspec.Struct, frozen=True):
    """Items below each other."""

    items: tuple[Item, ...]


Block: TypeAlias = "Figures | Table | Items"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part with its title. ``detail``: only where there is room."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    detail: bool = False


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A report: its title, the verdict, what should be known, and its parts."""

    title: str
    level: Level
    sentence: str
    notes: tuple[Item, ...]
    sections: tuple[Section, ...]
    made: str


def plain(text: str, most: int = 400) -> str:
    """Return text in one line of which nothing acts on a terminal, cut where it is endless."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
