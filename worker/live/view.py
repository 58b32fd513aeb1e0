"""A live view as lines that fit a terminal: a pure function of what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from archive.timings import HEARTBEAT_S
from worker.live import sections
from worker.live.lines import Glyphs, Line, Span, clean_name, cut, in_ascii, spread
from worker.live.words import ago

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from worker.live.facts import Facts

MARGIN: Final = 1
_STALE_S: Final = 10
_WITH_FOOT: Final = 6
"""The least height that has a line to spare for the keys."""


class Part(NamedTuple):
    """Lines that belong together; at least so many should be seen."""

    lines: Sequence[Line]
    least: int


class Shape(NamedTuple):
    """The terminal that is drawn for: its size, characters, and the zone of its reader."""

    width: int
    height: int
    glyphs: Glyphs
    zone: ZoneInfo


def draw(facts: Facts, shape: Shape) -> list[Line]:
    """Return the lines to show, as many as the terminal has at most, none wider than it is."""
    width = max(1, shape.width - 2 * MARGIN)
    inner = shape._replace(width=width)
    parts = [
        Part([_head(facts, inner)], 1),
        Part(sections.pace(facts, inner), 2),
        Part(balance := sections.balance(facts, inner), min(len(balance), 3)),
        Part(wrong := sections.wrong(facts, inner), min(len(wrong), 6)),
        Part(waiting := sections.waiting(facts, inner), min(len(waiting), 4)),
        Part(workers := sections.workers(facts, inner), min(len(workers), 4)),
        Part(last := sections.last(facts, inner), min(len(last), 4)),
    ]
    room = max(1, shape.height - (shape.height >= _WITH_FOOT))
    lines = _arrange(parts, room, shape.glyphs)
    if shape.height >= _WITH_FOOT:
        lines += [()] * (room - len(lines)) + [_foot(facts)]
    left = Span(" " * min(MARGIN, shape.width - 1))
    whole = [cut((left, *line), shape.width, shape.glyphs.more) if line else () for line in lines]
    return [in_ascii(line) for line in whole] if shape.glyphs.is_ascii else whole


def _arrange(parts: Sequence[Part], height: int, glyphs: Glyphs) -> list[Line]:
    """Give each part its lines: what it needs, then a blank between, then what is left.

    Where there is too little room for all, the first ones have it.
    """
    room = max(0, height)
    given = []
    for part in parts:
        given.append(min(part.least, len(part.lines), room))
        room -= given[-1]
    shown = [number for number, lines in enumerate(given) if lines]
    spaced = len(shown) - 1 <= room
    if spaced:
        room -= max(0, len(shown) - 1)
    for number in shown:
        more = min(len(parts[number].lines) - given[number], room)
        given[number] += more
        room -= more
    lines: list[Line] = []
    for number in shown:
        if lines and spaced:
            lines.append(())
        lines += _first(parts[number].lines, given[number], glyphs)
    return lines


def _first(lines: Sequence[Line], count: int, glyphs: Glyphs) -> list[Line]:
    if count >= len(lines) or count <= 1:
        return list(lines[:count])
    hidden = len(lines) - count + 1
    return [*lines[: count - 1], (Span(f"{glyphs.more} {hidden} more lines", "dim"),)]


def _head(facts: Facts, shape: Shape) -> Line:
    word, style = _standing(facts)
    left = (
        Span("callvault", "bold"),
        Span("  "),
        Span(f"{shape.glyphs.dot} {word}", style),
    )
    return spread(left, (Span(f"{facts.at.astimezone(shape.zone):%d %b %H:%M:%S}"),), shape.width)


def _standing(facts: Facts) -> tuple[str, str]:
    """Say in a word how it is, the worst first."""
    beating = sum(
        (facts.at - one.worker.beat).total_seconds() <= 5 * HEARTBEAT_S for one in facts.workers
    )
    if facts.mistake:
        return "the catalog cannot be read", "bold red"
    if facts.pauses:
        scopes = ", ".join(clean_name(one.scope) for one in facts.pauses)
        return f"paused: {scopes}", "bold yellow"
    if not beating:
        return "no workers run", "bold red"
    noun = "worker" if beating == 1 else "workers"
    if facts.counted.known == facts.counted.settled:
        return f"{beating} {noun}, nothing to do", "green"
    return f"{beating} {noun}", "bold green"


def _foot(facts: Facts) -> Line:
    old = facts.at - facts.counted.at
    note = f"  calls counted {ago(old)} ago" if old.total_seconds() >= _STALE_S else ""
    return (Span("q", "bold"), Span(f" quits{note}", "dim"))
