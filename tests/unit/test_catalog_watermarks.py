"""How far the listing was read, and what is odd about it: `archive.catalog.watermarks`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import Source
from archive.catalog import troubles
from archive.catalog.hearings import Heard, hearings
from archive.catalog.watermarks import complete, forget_odd, has_always_some, note_odd, watermark
from archive.polling import HOLD, LEAST, Mark, Walk
from archive.windows import Window
from tests.unit.books import ACCOUNT, NOW, OTHER, called

if TYPE_CHECKING:
    from tests.unit.books import Books

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = 7 * DAY
WINDOW = Window(NOW - HOUR, NOW)


def add(books: Books, *ago: timedelta, count: int = LEAST) -> None:
    """Take in calls that were created in the window so long ago."""
    for number, back in enumerate(ago):
        created = NOW - back - HOUR / 2
        books.add(
            *(
                called(f"{number:04}{index:028}", created_at=created, started_at=created)
                for index in range(count)
            )
        )


def is_odd(books: Books) -> bool:
    """Tell whether nothing in the window would be odd."""
    with books.database.read() as tx:
        return has_always_some(tx, ACCOUNT, WINDOW)


def test_a_watermark_moves_forwards_only(books: Books) -> None:
    """For each walk and account by itself; the listing is heard only if that is said."""
    with books.database.write() as tx:
        assert watermark(tx, "main", Walk.RECENT) is None
        complete(tx, "main", Walk.RECENT, NOW, heard_since=NOW - HOUR, now=NOW)
        complete(tx, "main", Walk.RECENT, NOW - HOUR, heard_since=None, now=NOW + HOUR)
        complete(tx, "main", Walk.LONG, NOW - DAY, heard_since=None, now=NOW)
        assert watermark(tx, "main", Walk.RECENT) == Mark(NOW, NOW)
        assert watermark(tx, "main", Walk.LONG) == Mark(NOW - DAY, NOW)
        assert watermark(tx, "other", Walk.RECENT) is None
        found = hearings(tx, "main", NOW - DAY, NOW + DAY)
    assert found == [Heard(Source.LISTING, NOW - HOUR, NOW)]


@pytest.mark.parametrize(
    ("weeks_ago", "odd"),
    [
        ((), False),  # nothing is known
        ((1,), False),  # too little to call it usual
        ((1, 2, 3), True),
        ((1, 2, 3, 4, 5, 6), True),
        ((1, 3, 4, 5), False),  # not always
    ],
)
def test_a_window_is_usually_full_if_each_week_had_calls(
    books: Books, weeks_ago: tuple[int, ...], *, odd: bool
) -> None:
    """The same stretch of the last four weeks, as far as calls are known."""
    add(books, *(weeks * WEEK for weeks in weeks_ago))
    assert is_odd(books) is odd


def test_without_two_weeks_each_day_counts(books: Books) -> None:
    """A day without calls, as a weekend is, makes it unusual to have some."""
    add(books, DAY, 2 * DAY, 3 * DAY)
    assert is_odd(books)
    books.sql("DELETE FROM calls WHERE sid LIKE '0001%'")
    assert not is_odd(books)


def test_a_few_calls_are_none_that_always_come(books: Books) -> None:
    """Nor are those of another account."""
    add(books, DAY, 2 * DAY, 3 * DAY, count=LEAST - 1)
    assert not is_odd(books)
    with books.database.read() as tx:
        assert not has_always_some(tx, OTHER, WINDOW)


def test_calls_of_the_window_itself_make_its_emptiness_odd(books: Books) -> None:
    """Another source has told of them, or the listing itself a moment ago."""
    add(books, timedelta(0))
    assert is_odd(books)


def test_what_polling_meets_is_told_until_it_is_over(books: Books) -> None:
    """Since it was first met; whoever leads on that host does not clear it."""

    def note(now: datetime) -> datetime:
        with books.database.write() as tx:
            return note_odd(tx, "listing:main", "nothing", host="here", now=now)

    assert [note(NOW), note(NOW + HOUR)] == [NOW, NOW]
    again = NOW + HOUR + HOLD + MINUTE
    assert note(again) == again
    with books.database.write() as tx:
        troubles.clear_troubles(tx, host="here")
        (told,) = troubles.troubles(tx, again + HOUR)
        assert (told.what, told.detail, told.since) == ("listing:main", "nothing", again)
        assert troubles.troubles(tx, again + DAY) == []
        assert forget_odd(tx, "listing:other") == 0
        assert forget_odd(tx, "listing:main") == 1
        assert troubles.troubles(tx, again) == []
