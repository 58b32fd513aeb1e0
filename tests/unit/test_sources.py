"""What each source brought and when it was silent: `archive.sources` and its query."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import Source
from archive.catalog.hearings import Heard, hear
from archive.catalog.sources import sources_of, unlisted_of
from archive.sources import Brought, Group, Silence, brought
from tests.unit.books import ACCOUNT, NOW, OTHER, SIDS, called

if TYPE_CHECKING:
    from tests.unit.books import Books

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BEGIN, END = NOW, NOW + 4 * HOUR
LONG_AGO = {"webhook": NOW - 99 * HOUR, "listing": NOW - 99 * HOUR}


def group(after: timedelta, known: str, timely: str = "", calls: int = 1) -> Group:
    """Return calls that ended so long after the beginning."""
    return Group(BEGIN + after, frozenset(known.split()), frozenset(timely.split()), calls)


def heard(source: str, *times: tuple[int, int]) -> list[Heard]:
    """Return times in minutes after the beginning in which a source was heard."""
    return [Heard(source, BEGIN + since * MINUTE, BEGIN + until * MINUTE) for since, until in times]


def silences(
    groups: list[Group], times: list[Heard], first: dict[str, datetime] | None = None
) -> dict[str, list[tuple[int, int | None, int]]]:
    """Return the silences of each source, in minutes after the beginning, with their calls."""
    told = brought(groups, times, LONG_AGO if first is None else first, begin=BEGIN, end=END)
    return {
        one.source: [
            (
                (s.since - BEGIN) // MINUTE,
                None if s.until is None else (s.until - BEGIN) // MINUTE,
                s.calls,
            )
            for s in one.silences
        ]
        for one in told
        if one.silences
    }


def test_each_source_has_its_calls_and_those_that_it_alone_told_of() -> None:
    """A source that brought nothing is left out."""
    groups = [group(HOUR, "listing webhook", "listing webhook", 5), group(HOUR, "listing", "", 2)]
    always = [*heard("listing", (0, 240)), *heard("webhook", (0, 240))]
    assert brought(groups, always, LONG_AGO, begin=BEGIN, end=END) == [
        Brought("listing", 7, 2, ()),
        Brought("webhook", 5, 0, ()),
    ]


def test_a_source_is_silent_where_calls_ended_that_another_one_knows() -> None:
    """From the last time it was heard to the next, with the calls that it did not tell of."""
    groups = [
        group(HOUR, "listing", "listing", 3),
        group(100 * MINUTE, "listing", "listing", 4),
        group(3 * HOUR, "listing", "listing", 9),
    ]
    times = [*heard("listing", (0, 240)), *heard("webhook", (0, 50), (130, 240))]
    assert silences(groups, times) == {"webhook": [(50, 130, 7)]}


def test_one_that_is_not_heard_again_is_silent_since_then() -> None:
    """There is no end to it."""
    groups = [group(HOUR, "listing", "listing", 5)]
    times = [*heard("listing", (0, 240)), *heard("webhook", (0, 50))]
    assert silences(groups, times) == {"webhook": [(50, None, 5)]}


def test_a_silence_that_ended_after_the_day_is_not_one_that_goes_on() -> None:
    """The report of yesterday knows when the webhook was back."""
    groups = [group(3 * HOUR, "listing", "listing", 5)]
    times = [*heard("listing", (0, 400)), *heard("webhook", (0, 50), (300, 400))]
    assert silences(groups, times) == {"webhook": [(50, 300, 5)]}


def test_a_few_callbacks_that_were_lost_are_no_silence() -> None:
    """Where calls are few, one that is lost makes a pause; five in a row are none by chance."""
    groups = [group(HOUR, "listing", "listing", 4)]
    times = [*heard("listing", (0, 240)), *heard("webhook", (0, 50), (130, 240))]
    assert silences(groups, times) == {}


def test_one_that_was_heard_lately_is_not_silent_yet() -> None:
    """Rounds of polling may be 20 minutes apart, and one may be due in a moment."""
    groups = [group(215 * MINUTE, "webhook", "webhook", 3)]
    always = heard("webhook", (0, 240))
    assert silences(groups, [*heard("listing", (0, 212)), *always]) == {}
    assert silences(groups, [*heard("listing", (0, 209)), *always]) == {"listing": [(209, None, 3)]}


def test_a_night_without_polling_shows_though_its_calls_were_listed_later() -> None:
    """Told late is not told meanwhile."""
    groups = [group(HOUR, "listing webhook", "webhook", 3)]
    times = [*heard("listing", (0, 10), (200, 240)), *heard("webhook", (0, 240))]
    assert silences(groups, times) == {"listing": [(10, 200, 3)]}


@pytest.mark.parametrize(
    ("groups", "pause"),
    [
        ([group(HOUR, "webhook")], (50, 130)),  # which nobody else knows
        ([], (50, 130)),  # a quiet night
        ([group(HOUR, "listing", "listing")], (55, 65)),  # too short
        ([group(129 * MINUTE, "listing webhook", "listing webhook")], (50, 130)),  # it ended that
        ([group(HOUR, "cdr", "")], (200, 240)),  # not in that time
    ],
)
def test_what_is_no_silence(groups: list[Group], pause: tuple[int, int]) -> None:
    """Nothing to tell of, or nothing that it should have told of."""
    times = [*heard("listing", (0, 240)), *heard("webhook", (0, pause[0]), (pause[1], 240))]
    assert silences(groups, times) == {}


def test_a_source_that_was_never_heard_is_not_silent() -> None:
    """The account does not use it; one that began lately was not silent before."""
    groups = [group(HOUR, "cdr", "", 9), group(3 * HOUR, "cdr", "", 6)]
    assert silences(groups, [], {}) == {}
    assert silences(groups, [], {"webhook": BEGIN + 2 * HOUR}) == {"webhook": [(120, None, 6)]}


def test_exports_are_never_silent() -> None:
    """They come once a day."""
    groups = [group(HOUR, "listing", "listing")]
    times = [*heard("listing", (0, 240)), *heard("cdr", (0, 0))]
    assert silences(groups, times, {**LONG_AGO, "cdr": BEGIN, "webhook": END}) == {}


def test_the_catalog_tells_sources_apart(books: Books) -> None:
    """By call and by account, each source by itself, and who told of a call too late."""
    facts = [called(sid) for sid in SIDS[:5]]
    ended = facts[0].ended_at
    assert ended is not None
    late = ended + HOUR
    for source, known in zip(Source, facts, strict=False):
        books.add(known, source=source, now=ended)
    books.add(*facts[:2], source=Source.LISTING, now=late)
    books.add(*facts, account=OTHER, source=Source.WEBHOOK, now=ended)
    begin, end = ended - HOUR, ended + 2 * HOUR
    with books.database.write() as tx:
        hear(tx, "main", Source.LISTING, begin, begin)
        hear(tx, "main", Source.LISTING, end, end)
        told = sources_of(tx, ACCOUNT, begin, end)
        unlisted = unlisted_of(tx, ACCOUNT, begin, end, most=1)
    assert told == [
        Brought("cdr", 1, 0, ()),
        Brought("sids", 1, 0, ()),
        Brought("listing", 3, 1, (Silence(begin, end, 4),)),
        Brought("webhook", 1, 1, ()),
        Brought("rebuild", 1, 1, ()),
    ]
    assert (unlisted.calls, unlisted.first) == (2, (SIDS[3],))


def test_only_calls_that_began_in_the_time_are_counted(books: Books) -> None:
    """Both ends included; calls of unknown date belong to no time."""
    began = NOW - timedelta(days=1)
    books.add(called(SIDS[0]), called(SIDS[1], started_at=began - HOUR))
    books.add(called(SIDS[2], started_at=None, ended_at=None))
    with books.database.read() as tx:
        assert sources_of(tx, ACCOUNT, began, began) == [Brought("cdr", 1, 1, ())]
        assert sources_of(tx, ACCOUNT, began + MINUTE, began + HOUR) == []
