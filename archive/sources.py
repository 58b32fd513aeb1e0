"""What each source of calls brought in a time, and when one was silent: pure functions.

A source is silent where it was not heard for a while in which calls ended that another source
knows. A quiet night is no silence, nor is a source that an account does not use.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import Source
from archive.polling import OVERLAP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from archive.catalog.hearings import Heard

MINUTE: Final = timedelta(minutes=1)
LEAST: Final = timedelta(minutes=15)
"""Shorter pauses are a source's habit: callbacks are tried again at 5 and 15 minutes."""
LATELY: Final = timedelta(minutes=30)
"""One that was heard so lately may be heard in a moment: rounds of polling may be far apart."""
HEARD: Final = {Source.LISTING: 1, Source.WEBHOOK: 5}
"""Sources that tell of calls as they come, and how many they have to miss in a row to be silent.

A poller is heard whether there are calls or not. A webhook is heard by its callbacks alone: where
there are few calls, one that is lost makes a pause. The other sources come once a day, or when
somebody likes.
"""

assert OVERLAP < LATELY, "a rest between two rounds must not look like a silence"


class Group(msgspec.Struct, frozen=True):
    """Calls that ended in one minute and are known to the same sources.

    ``timely`` are those of the sources that told of them within `LEAST` of their end.
    """

    ended: datetime
    known: frozenset[str]
    timely: frozenset[str]
    calls: int


class Silence(msgspec.Struct, frozen=True):
    """A time in which a source was not heard, and how many calls it did not tell of meanwhile.

    ``until`` is None where it was not heard again.
    """

    since: datetime
    until: datetime | None
    calls: int


class Brought(msgspec.Struct, frozen=True):
    """What one source brought: the calls that it told of, and those that it alone told of."""

    source: str
    calls: int
    alone: int
    silences: tuple[Silence, ...]


def brought(
    groups: Sequence[Group],
    heard: Iterable[Heard],
    first_heard: Mapping[str, datetime],
    *,
    begin: datetime,
    end: datetime,
) -> list[Brought]:
    """Return what each source brought; those without calls and silences are left out.

    Args:
        groups: the calls.
        heard: when sources were heard since ``begin``, in order; also after ``end``, so that it is
            known whether a silence went on.
        first_heard: when each was heard for the first time at all.
        begin: the time that is told of.
        end: its end, at the latest now.
    """
    times: dict[str, list[Heard]] = {}
    for one in heard:
        times.setdefault(one.source, []).append(one)
    told = []
    for source in Source:
        gaps = (
            _gaps(times.get(source, []), max(begin, first_heard[source]), end)
            if source in HEARD and source in first_heard
            else []
        )
        calls = sum(group.calls for group in groups if source in group.known)
        alone = sum(group.calls for group in groups if group.known == {source})
        silences = tuple(_silences(source, gaps, groups))
        if calls or silences:
            told.append(Brought(source.value, calls, alone, silences))
    return told


def _gaps(
    heard: Iterable[Heard], begin: datetime, end: datetime
) -> list[tuple[datetime, datetime | None]]:
    """Return the times of more than `LEAST` in which a source was not heard."""
    gaps: list[tuple[datetime, datetime | None]] = []
    last = begin
    for one in heard:
        if one.since - last > LEAST and last < end:
            gaps.append((last, one.since))
        last = max(last, one.until)
    if end - last > LATELY:
        gaps.append((last, None))
    return gaps


def _silences(
    source: Source, gaps: Iterable[tuple[datetime, datetime | None]], groups: Sequence[Group]
) -> Iterable[Silence]:
    missed = [g for g in groups if g.known - {source} and source not in g.timely]
    for since, until in gaps:
        calls = sum(
            group.calls
            for group in missed
            if group.ended + MINUTE > since and (until is None or group.ended < until)
        )
        if calls >= HEARD[source]:
            yield Silence(since, until, calls)
