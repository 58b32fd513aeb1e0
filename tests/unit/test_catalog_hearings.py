"""When sources were heard: `archive.catalog.hearings`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archive.call import Source
from archive.catalog.hearings import PAUSE, Heard, begin_listening, hear, hearings
from tests.unit.books import NOW

if TYPE_CHECKING:
    from datetime import datetime

    from tests.unit.books import Books

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def heard(books: Books, *moments: tuple[datetime, datetime]) -> list[tuple[datetime, datetime]]:
    """Hear the webhook at these times, and return the times that come of it."""
    with books.database.write() as tx:
        for since, until in moments:
            hear(tx, "main", Source.WEBHOOK, since, until)
        hear(tx, "other", Source.WEBHOOK, NOW, NOW)
        found = hearings(tx, "main", NOW - DAY, NOW + DAY)
    assert {one.source for one in found} <= {"webhook"}
    return [(one.since, one.until) for one in found]


def test_what_is_heard_without_a_pause_is_one_time(books: Books) -> None:
    """Two moments that are no more than a pause apart make one time, and one more a second."""
    far = NOW + 2 * PAUSE + SECOND
    moments = [(NOW, NOW), (NOW + PAUSE, NOW + PAUSE), (far, far)]
    assert heard(books, *moments) == [(NOW, NOW + PAUSE), (far, far)]


def test_what_comes_late_or_twice_changes_nothing(books: Books) -> None:
    """A group of moments that were heard before, told once more, makes no new time."""
    later = NOW + PAUSE / 2
    moments = [(NOW, later), (NOW - SECOND, NOW), (NOW, NOW + SECOND)]
    assert heard(books, *moments) == [(NOW, later)]


def test_a_source_that_is_listened_to_is_silent_since_then(books: Books) -> None:
    """Noted once, as a time without length; a source that was heard before has its own."""
    with books.database.write() as tx:
        for at in (NOW, NOW + DAY):
            begin_listening(tx, "main", Source.WEBHOOK, at)
        hear(tx, "main", Source.LISTING, NOW - DAY, NOW)
        begin_listening(tx, "main", Source.LISTING, NOW + DAY)
        found = hearings(tx, "main", NOW - DAY, NOW + 2 * DAY)
    assert [Heard("listing", NOW - DAY, NOW), Heard("webhook", NOW, NOW)] == found


def test_only_what_touches_the_time_asked_for_is_told(books: Books) -> None:
    """A time that ends before the range or begins after it is left out."""
    with books.database.write() as tx:
        for at in (NOW - 3 * DAY, NOW, NOW + 3 * DAY):
            hear(tx, "main", Source.LISTING, at, at + SECOND)
        found = hearings(tx, "main", NOW - DAY, NOW + DAY)
    assert found == [Heard("listing", NOW, NOW + SECOND)]
