"""The day in one sentence, and what somebody should know besides: pure functions of the facts."""

from __future__ import annotations

from datetime import date
from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

from archive.errors import Exit
from archive.morning.facts import Level, Note, Verdict
from archive.morning.usual import Oddity, is_bare, oddity
from archive.room import spoken_days

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from archive.morning.facts import Counts, Flagged, Margins, Ran, Room, Sources

_VERIFY: Final = "verify"
_INTERRUPTED: Final = frozenset({130, 141})
"""By Ctrl-C, or by who read the output to its end only: whoever did that knows."""
_TIMES: Final = 3
_NOTHING: Final = "no call of any day is known yet: nobody has told of one"
_SHORT_DAYS: Final = 7
"""A disk that is full within a week needs somebody now."""


class Usual(msgspec.Struct, frozen=True):
    """The calls of an account on a day, and how many the same weekday had in the weeks before.

    ``shares`` are those of calls with a recording on the days before.
    """

    account: str
    counts: Counts
    former: list[int]
    shares: list[float] = []


class Held(msgspec.Struct, frozen=True):
    """What holds work up, and what can be done. ``meant``: a person paused it, and knows."""

    scope: str
    words: str
    fatal: bool
    meant: bool
    remedy: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdict is made of. ``over``: the day is, so its calls can be counted.

    ``known``: a call is known, of whatever day. ``missing_root`` says that the recordings are not
    there, empty if they are.
    """

    day: str
    over: bool
    counts: Counts
    recordings: int
    faults: tuple[str, ...]
    usual: tuple[Usual, ...]
    flagged: tuple[Flagged, ...]
    undated: int
    sources: tuple[Sources, ...]
    margins: Margins
    held: tuple[Held, ...]
    troubles: tuple[str, ...]
    missing_root: str = ""
    runs: tuple[Ran, ...]
    room: Room | None
    known: bool = True


def judge(seen: Seen) -> Verdict:
    """Say how a day stands: its level, a sentence and the notes, those that are alarms first."""
    notes = sorted(_notes(seen), key=lambda note: not note.alarm)
    counts = seen.counts
    if any(note.alarm for note in notes):
        level = Level.ALARM
    elif not seen.known or counts.waiting or counts.lost or counts.failed or _is_unread(seen):
        level = Level.INCOMPLETE
    else:
        level = Level.COMPLETE
    return Verdict(level=level, sentence=_sentence(level, seen, notes), notes=tuple(notes))


def spoken(day: str) -> str:
    """Write a day as people say it: ``23 November``."""
    that = date.fromisoformat(day)
    return f"{that.day} {that:%B}"


def _sentence(level: Level, seen: Seen, notes: list[Note]) -> str:
    counts = seen.counts
    when = spoken(seen.day) if seen.over else f"{spoken(seen.day)} so far"
    if level is Level.ALARM:
        return f"ALARM: {notes[0].text}"
    if not seen.known:
        return f"INCOMPLETE: {_NOTHING}"
    if _is_unread(seen):
        return _sentence_unread(seen, when)
    if not counts.calls:
        usual = ", and none are usual" if seen.over else ""
        return f"Complete: no calls of {when} are known{usual}"
    settled = f"{counts.settled:,} of {_calls(counts.calls)} of {when} settled"
    if level is Level.COMPLETE:
        return f"Complete: {settled}; {_recordings(seen)}"
    return f"INCOMPLETE: {'; '.join([settled, *_wrong(counts)])}"


def _sentence_unread(seen: Seen, when: str) -> str:
    counts = seen.counts
    known = f"{counts.settled:,} of {_calls(counts.calls)} that are known settled"
    told = [f"the provider's listing of {when} was not read whole", known]
    return f"INCOMPLETE: {'; '.join([*told, *_wrong(counts)])}"


def _wrong(counts: Counts) -> list[str]:
    """Say in one text, or in none, what is missing of the known calls."""
    wrong = [
        f"{number:,} {word}"
        for number, word in (
            (counts.lost, "lost"),
            (counts.failed, "failed"),
            (counts.waiting, "still waiting"),
        )
        if number
    ]
    return [", ".join(wrong)] if wrong else []


def _is_unread(seen: Seen) -> bool:
    return any(one.unread for one in seen.sources)


def _recordings(seen: Seen) -> str:
    damaged = sum(one.recordings for one in seen.flagged if one.damage)
    if not seen.recordings:
        return "no recordings"
    noun = "recording" if seen.recordings == 1 else "recordings"
    proved = "proved" if seen.recordings == 1 else "all proved"
    told = f"{seen.recordings:,} {noun}, {proved}"
    return f"{told}, {damaged:,} damaged at the provider's" if damaged else told


def _calls(number: int) -> str:
    return f"{number:,} call" if number == 1 else f"{number:,} calls"


def _notes(seen: Seen) -> Iterator[Note]:
    if not seen.known:
        yield Note(text=_NOTHING, command="callvault poll")
    if seen.missing_root:
        # It comes first: what is said of recordings is not so.
        yield Note(text=seen.missing_root, command="callvault doctor", alarm=True)
    yield from _of_books(seen)
    yield from _of_calls(seen)
    yield from _of_shares(seen)
    for text in seen.margins.at_risk:
        yield Note(text=text, alarm=True)
    for held in seen.held:
        command = "callvault resume" if held.meant or held.fatal else ""
        remedy = f"; {held.remedy}" if held.remedy and not held.meant else ""
        yield Note(
            text=f"work is paused: {held.scope}: {held.words}{remedy}",
            command=command,
            alarm=held.fatal and not held.meant,
        )
    for trouble in seen.troubles:
        yield Note(text=trouble, command="callvault status")
    yield from _of_runs(seen.runs)
    yield from _of_what_came(seen)
    yield from _of_room(seen.room)


def _of_books(seen: Seen) -> Iterator[Note]:
    for fault in seen.faults:
        yield Note(
            text=f"the books do not balance: {fault}", command="callvault report", alarm=True
        )


def _of_shares(seen: Seen) -> Iterator[Note]:
    """Tell of a day on which far fewer calls were recorded: what was not recorded comes never."""
    several = len(seen.usual) > 1
    for one in seen.usual if seen.over else ():
        usual = is_bare(one.counts, one.shares)
        if usual is not None:
            of_whom = f" of {one.account}" if several else ""
            asked = f"callvault find --from {seen.day} --to {seen.day} --state absent"
            yield Note(
                text=f"only {one.counts.share:.0%} of the calls{of_whom} have a recording, where "
                f"{usual:.0%} are usual: is recording still switched on at the provider?",
                command=f"{asked} --account {one.account}" if several else asked,
                alarm=True,
            )


def _of_calls(seen: Seen) -> Iterator[Note]:
    several = len(seen.usual) > 1
    for one in seen.usual:
        odd = oddity(one.counts.calls, one.former) if seen.over else None
        if odd is None:
            continue
        of_whom = f" of {one.account}" if several else ""
        usual = round(median(one.former))
        asked = f"callvault reconcile --from {seen.day} --to {seen.day}"
        if several:
            asked += f" --account {one.account}"
        if odd is Oddity.NONE:
            text = f"no calls{of_whom} of {spoken(seen.day)} are known, where {usual:,} are usual"
            yield Note(text=f"{text} (unless it was a holiday)", command=asked, alarm=True)
        else:
            text = (
                f"only {_calls(one.counts.calls)}{of_whom} of {spoken(seen.day)}, where {usual:,}"
            )
            yield Note(text=f"{text} are usual", command=asked)


def _of_runs(runs: Iterable[Ran]) -> Iterator[Note]:
    """Tell of commands whose last run did not end well."""
    last = {(run.host, run.command): run for run in runs if run.code is not None}
    for run in last.values():
        told = f": {run.note}" if run.note else ""
        if run.command == _VERIFY and run.code == Exit.PERMANENT_LOSSES:
            yield Note(
                text=f"files of the archive on {run.host} are missing or damaged{told}",
                command="callvault verify --repair",
                alarm=True,
            )
        elif run.code and run.code not in _INTERRUPTED:
            # Until a person has mended it, the next night ends in the same way.
            stuck = run.code in {Exit.USAGE, Exit.FATAL}
            yield Note(
                text=f"callvault {run.command} on {run.host} ended with {run.code}{told}",
                command="callvault doctor" if stuck else "",
                alarm=stuck,
            )


def _of_what_came(seen: Seen) -> Iterator[Note]:
    for flagged in seen.flagged:
        if flagged.damage:
            noun = "recording" if flagged.recordings == 1 else "recordings"
            text = f"{flagged.recordings:,} {noun} flagged {flagged.flag}: {flagged.meaning}"
            yield Note(text=text, command=flagged.command)
    yield from _of_unread(seen)
    yield from _of_silences(seen.sources)
    if seen.margins.past:
        waiting = "1 call waits" if seen.margins.past == 1 else f"{seen.margins.past:,} calls wait"
        text = f"{waiting} whose recording should be deleted by now"
        yield Note(text=text)
    if seen.undated:
        text = f"{_calls(seen.undated)} of unknown date still to be looked at"
        yield Note(text=text, command="callvault report --day unknown")


def _of_unread(seen: Seen) -> Iterator[Note]:
    asked = f"callvault enqueue range --from {seen.day} --to {seen.day}"
    for one in seen.sources:
        times = [f"{part.since:%H:%M} to {_clock(part.until)}" for part in one.unread[:_TIMES]]
        if len(one.unread) > _TIMES:
            times.append(f"{len(one.unread) - _TIMES:,} times more")
        if times:
            yield Note(
                text=f"the listing of {one.account} was not read from {', '.join(times)}: "
                "there may be calls that nobody has told of",
                command=f"{asked} --account {one.account}" if len(seen.sources) > 1 else asked,
            )


def _clock(until: datetime) -> str:
    """Write a time of day; a day's last second is its end."""
    return f"{until:%H:%M}" if f"{until:%H:%M:%S}" != "23:59:59" else "24:00"


def _of_silences(sources: Iterable[Sources]) -> Iterator[Note]:
    for one in sources:
        for brought in one.brought:
            silent = sum(silence.calls for silence in brought.silences)
            if silent:
                yield Note(
                    text=f"{brought.source} of {one.account} was silent while "
                    f"{_calls(silent)} ended; see below"
                )


def _of_room(room: Room | None) -> Iterator[Note]:
    if room is None:
        return
    if room.free < room.min_free:
        yield Note(text="the archive's disk has less room than min_free", alarm=True)
    elif room.days_left is not None and room.days_left < _SHORT_DAYS:
        left = spoken_days(room.days_left)
        yield Note(text=f"the archive's disk is full in {left} at this pace")
