"""What stands above every report: its title, the verdict, what should be known besides."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from worker.morning.document import Document, Item, plain
from worker.morning.say import day_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archive.morning.facts import Morning, Verdict
    from worker.morning.document import Section
    from worker.morning.unreadable import Unreadable


def headed(told: Morning | Unreadable, sections: tuple[Section, ...] = ()) -> Document:
    """Put a report's sections, or none, below its head."""
    made = told.made_at.astimezone(ZoneInfo(told.timezone))
    return Document(
        title=f"Call recordings of {day_name(told.day)}",
        level=told.verdict.level,
        sentence=plain(told.verdict.sentence),
        notes=tuple(_notes(told.verdict)),
        sections=sections,
        made=f"as of {made:%Y-%m-%d %H:%M} {told.timezone}",
    )


def _notes(verdict: Verdict) -> Iterator[Item]:
    """Yield what should be known; of what the sentence itself says only the command is left."""
    for note in verdict.notes:
        head = "" if verdict.sentence.endswith(f": {note.text}") else plain(note.text)
        if head or note.command:
            yield Item(head, command=plain(note.command))
