"""The parts of a live view, each as lines of a width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archive.call import State
from archive.reasons import meaning_of
from archive.timings import APART_S, HEARTBEAT_S
from worker.commands.options import human_bytes
from worker.live.lines import (
    Column,
    Line,
    Span,
    clean,
    clean_name,
    cut_text,
    flow,
    length,
    table,
)
from worker.live.words import ago, clock_time, curve, rate, shares

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from archive.catalog.watch import Backlog, InVain
    from worker.live.facts import Facts, Working
    from worker.live.view import Shape

_DIM: Final = "dim"
_OF: Final = {
    State.ARCHIVED: ("archived", "green"),
    State.ABSENT: ("absent", "blue"),
    State.EXCLUDED: ("left out", "magenta"),
    State.PURGED: ("purged", "magenta"),
    State.LOST: ("lost", "bold red"),
    State.LEASED: ("in work", "yellow"),
    State.EXPECTED: ("waiting", _DIM),
}
"""In the order of the bar. Failed calls stand with the lost ones there."""
_VAIN: Final = {"lost": "bold red", "failed": "bold red", "retried": "yellow"}
_WIDEST_BAR: Final = 120
_INDENT: Final = "    "
_MOST_LINES: Final = 4
_ROOMY: Final = 120
"""A width at which what a reason means stands beside it."""
_WIDE: Final = 100
"""A width at which a Sid and its account leave room for a reason."""


def pace(facts: Facts, shape: Shape) -> list[Line]:
    """How fast it goes, and went."""
    now = facts.pace
    requests = "..." if now.requests is None else rate(now.requests)
    figures = flow(
        [
            (Span(f"{now.recordings:,}", "bold"), Span(" recordings/min ", _DIM)),
            (Span(f"{human_bytes(now.bytes_per_second)}/s ", "bold"),),
            (Span(requests, "bold"), Span(f" of {now.limit:,} requests/min", _DIM)),
        ],
        shape.width,
    )
    most = max(now.minutes, default=0)
    said = f"  last {len(now.minutes)} min"
    if len(now.minutes) + len(said) + len(more := f", at most {most:,} calls/min") <= shape.width:
        said += more
    drawn = curve(now.minutes, shape.glyphs.curve)
    if 2 * len(drawn) + len(said) <= shape.width * 3 // 4:
        drawn = "".join(2 * glyph for glyph in drawn)
    return [
        *figures[:1],
        (Span(drawn[-shape.width :], "cyan"), Span(said, _DIM)),
        *figures[1:],
    ]


def balance(facts: Facts, shape: Shape) -> list[Line]:
    """Where the calls stand, as a bar and in figures."""
    counted = facts.counted
    if not counted.known:
        return [(Span("no calls are known yet: "), Span("callvault enqueue", "bold"))]
    states = {state: counted.states[state] for state in _OF}
    states[State.LOST] += counted.states[State.FAILED]
    part = counted.settled / counted.known
    said = f"  {_percent(part)} of {counted.known:,} settled"
    cells = min(_WIDEST_BAR, max(0, shape.width - len(said)))
    bar = tuple(
        Span(glyph * share, _OF[state][1])
        for state, glyph, share in zip(
            _OF, shape.glyphs.fills, shares(list(states.values()), cells), strict=True
        )
        if share
    )
    items: list[Line] = []
    for (state, (word, style)), glyph in zip(_OF.items(), shape.glyphs.fills, strict=True):
        if number := counted.states[state]:
            items.append((Span(glyph, style), Span(f" {number:,}", "bold"), Span(f" {word}")))
        if state is State.LOST and (failed := counted.states[State.FAILED]):
            items.append((Span(glyph, style), Span(f" {failed:,}", "bold"), Span(" failed")))
    return [(*bar, Span(said.strip() if not bar else said)), *flow(items, shape.width)]


def _percent(part: float) -> str:
    """Write a share so that nothing but all of it is 100 %."""
    return "100 %" if part >= 1 else f"{min(part * 100, 99.9):.1f} %"


def wrong(facts: Facts, shape: Shape) -> list[Line]:
    """What holds work up and what is at risk, each with what helps."""
    lines: list[Line] = []
    if facts.mistake:
        lines.append((Span("CATALOG ", "bold red"), Span(clean(facts.mistake))))
    for paused in facts.pauses:
        meaning = meaning_of(paused.reason)
        by_person = paused.reason == "operator"
        words = f"by a person: {clean(paused.detail)}" if by_person else clean(meaning.words)
        since = clock_time(paused.since, facts.at, shape.zone)
        lines.append(
            (
                Span("PAUSED ", "bold yellow"),
                Span(f"{clean_name(paused.scope)} ", "bold"),
                Span(f"since {since}: {words}"),
            )
        )
        remedy = "callvault resume" if by_person else meaning.remedy
        lines += _remedy(remedy, shape)
    for trouble in facts.troubles:
        since = clock_time(trouble.since, facts.at, shape.zone)
        lines.append(
            (
                Span("TROUBLE ", "bold red"),
                Span(f"{clean_name(trouble.what)} on {clean_name(trouble.host)} ", "bold"),
                Span(f"since {since}: {clean(trouble.detail)}"),
            )
        )
    for text in facts.at_risk:
        said, _, remedy = text.partition("; ")
        lines.append((Span("AT RISK ", "bold red"), Span(clean_name(said))))
        lines += _remedy(remedy, shape)
    return [part for line in lines for part in _wrap(line, shape)]


def _remedy(remedy: str, shape: Shape) -> list[Line]:
    return [(Span(f"  {shape.glyphs.then} "), Span(clean(remedy), "italic"))] if remedy else []


def _wrap(line: Line, shape: Shape) -> list[Line]:
    """Break the last piece of a line between words, into a few lines; what is left is cut."""
    *first, (text, style) = line
    room = shape.width - length(tuple(first))
    if length(line) <= shape.width or room < shape.width // 3:
        return [line]
    head, rest = _broken(text, room)
    lines: list[Line] = [(*first, Span(head, style))]
    while rest:
        head, rest = _broken(rest, max(1, shape.width - len(_INDENT)))
        if rest and len(lines) == _MOST_LINES - 1:
            head, rest = f"{head} {shape.glyphs.more}", ""
        lines.append((Span(f"{_INDENT}{head}", style),))
    return lines


def _broken(text: str, room: int) -> tuple[str, str]:
    """Return what of a text fits, up to the end of a word, and the rest; a long word is cut."""
    fitting = cut_text(text, room, "")
    if fitting == text:
        return text, ""
    at = text.rfind(" ", 0, len(fitting) + 1)
    at = at if at > 0 else max(1, len(fitting))
    return text[:at].rstrip(), text[at:].strip()


def waiting(facts: Facts, shape: Shape) -> list[Line]:
    """What waits, for a worker, the provider, a further try or the backfill hours."""
    backlogs = facts.counted.backlogs
    now = facts.at

    def moments(name: str) -> list[Span]:
        found = [getattr(one, name) for one in backlogs]
        return [Span("-" if m is None else clock_time(m, now, shape.zone)) for m in found]

    lines = table(
        [
            Column("WAITING", [Span(clean_name(one.account), "bold") for one in backlogs]),
            Column("due now", [Span(f"{one.due:,}") for one in backlogs], right=True),
            Column("not ready yet", [Span(f"{one.later:,}") for one in backlogs], right=True),
            Column("to try again", [Span(f"{one.again:,}") for one in backlogs], right=True),
            Column("next due", moments("next_due"), right=True),
            Column("next deletion", moments("next_deletion"), right=True),
        ],
        shape.width,
        shape.glyphs.more,
    )
    return [*lines, *(_held(one, facts, shape) for one in backlogs if one.opens is not None)]


def _held(one: Backlog, facts: Facts, shape: Shape) -> Line:
    opens = clock_time(one.opens or facts.at, facts.at, shape.zone)
    return (
        Span("HOURS ", "bold yellow"),
        Span(f"{clean_name(one.account)} ", "bold"),
        Span(f"{one.held:,} calls wait for the backfill hours, from {opens} on"),
    )


def workers(facts: Facts, shape: Shape) -> list[Line]:
    """Who works, and on how much."""
    if not facts.workers:
        return []
    return worker_table(facts.workers, facts.at, shape.width, shape.glyphs.more)


def worker_table(working: Sequence[Working], now: datetime, width: int, more: str) -> list[Line]:
    """Write some workers below each other."""
    found = [one.worker for one in working]
    paces = ["..." if one.per_minute is None else rate(one.per_minute) for one in working]
    beats = [now - one.beat for one in found]
    silent = [beat.total_seconds() > 5 * HEARTBEAT_S for beat in beats]
    # Harmless, since all go by the catalog's clock, but for logs and times of files.
    apart = Column("clock", [Span(f"{one.clock_ahead_s:+,.0f} s") for one in found], right=True)
    is_apart = any(abs(one.clock_ahead_s) >= APART_S for one in found)
    return table(
        [
            Column("WORKERS", [Span(clean_name(one.host), "bold") for one in found]),
            Column("pid", [Span(str(one.pid)) for one in found], right=True),
            Column("batches", [Span(f"{one.batches:,}") for one in found], right=True),
            Column("calls", [Span(f"{one.calls:,}") for one in found], right=True),
            Column("rec/min", [Span(text) for text in paces], right=True),
            Column("recordings", [Span(f"{one.recordings:,}") for one in found], right=True),
            Column(
                "beat",
                [
                    Span(ago(beat), "bold red" if late else "")
                    for beat, late in zip(beats, silent, strict=True)
                ],
                right=True,
            ),
            *([apart] if is_apart else []),
            Column("version", [Span(clean_name(one.version)) for one in found], right=True),
        ],
        width,
        more,
    )


def last(facts: Facts, shape: Shape) -> list[Line]:
    """What was looked at in vain: what is lost or failed first, then what is tried again."""
    if not facts.last:
        return []
    several = len(facts.accounts) > 1 and shape.width >= _WIDE
    times = [clock_time(one.at, facts.at, shape.zone) for one in facts.last]
    accounts = [Column("account", [Span(clean_name(one.account)) for one in facts.last])]
    return table(
        [
            Column("IN VAIN", [Span(text) for text in times]),
            Column("", [Span(_tried(one), _VAIN.get(one.what, "")) for one in facts.last]),
            *(accounts if several else []),
            Column("Sid", [Span(clean_name(one.sid)) for one in facts.last]),
            Column("why", [Span(_why(one, shape)) for one in facts.last]),
        ],
        shape.width,
        shape.glyphs.more,
    )


def _tried(one: InVain) -> str:
    return one.what if one.tries == 1 else f"{one.what} {one.tries:,}x"


def _why(one: InVain, shape: Shape) -> str:
    """Return a reason, with its meaning where a usual one has room beside the Sid."""
    reason = clean_name(one.reason)
    if shape.width < _ROOMY:
        return reason
    return f"{reason}: {clean(meaning_of(one.reason).words)}"


def plain_line(facts: Facts, shape: Shape) -> str:
    """Return it all in one line, for what is no terminal."""
    counted, now = facts.counted, facts.pace
    due = sum(one.due for one in counted.backlogs)
    parts = [
        f"{facts.at.astimezone(shape.zone).isoformat(' ', 'seconds')}",
        f"{counted.settled:,} of {counted.known:,} settled",
        f"{due:,} due, {counted.states[State.LEASED]:,} in work",
        f"{counted.states[State.LOST]:,} lost, {counted.states[State.FAILED]:,} failed",
        f"{now.recordings:,} recordings/min, {human_bytes(now.bytes_per_second)}/s",
        f"{len(facts.workers):,} {'worker' if len(facts.workers) == 1 else 'workers'}",
    ]
    if held := sum(one.held for one in counted.backlogs):
        parts.append(f"{held:,} wait for the backfill hours")
    if facts.mistake:
        parts.append(f"catalog: {clean(facts.mistake)}")
    parts += [f"paused: {clean_name(one.scope)}: {clean_name(one.reason)}" for one in facts.pauses]
    parts += [
        f"trouble: {clean_name(one.what)} on {clean_name(one.host)}" for one in facts.troubles
    ]
    parts += [f"at risk: {clean(text)}" for text in facts.at_risk]
    return "; ".join(parts)
