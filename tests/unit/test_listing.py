"""From the listing to the catalog: windows, pages, and what is learnt of calls that are known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.catalog.listed import drop_listed_urls, usable_url
from archive.catalog.writer import Catalog
from archive.history import HISTORY
from archive.readiness import Readiness
from archive.verdicts import Absent, Again, Lost
from archive.wire import CallAnswer, Page
from jobs.intake import Report
from jobs.listing import Clerk, cut_range, take_range
from tests.unit.books import ACCOUNT, NOW, SIDS, called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from archive.api import Api
    from archive.catalog.work import Outcome
    from archive.windows import Window
    from tests.unit.books import Books

MOMENTS = st.timedeltas(-2 * HISTORY, timedelta(days=9)).map(lambda off: NOW + off)
URL = "https://recordings.exotel.com/exotelrecordings/acme1/{}.mp3"
SIGNED = "?X-Amz-Signature=abc"


def clerk(catalog: Catalog, *, dry_run: bool = False) -> Clerk:
    """Return a clerk for the account."""
    return Clerk(
        catalog=catalog,
        account=ACCOUNT,
        readiness=Readiness(),
        clock=lambda: NOW,
        dry_run=dry_run,
    )


class Pages:
    """A listing with two pages a window, the last call of the first once more on the second."""

    def __init__(self) -> None:
        self.windows: list[Window] = []

    async def listing(self, window: Window, **_: object) -> AsyncIterator[Page]:
        """Yield the pages of a window."""
        self.windows.append(window)
        first = len(self.windows) * 3
        for page in ((first, first + 1), (first + 1, first + 2)):
            yield Page([CallAnswer(called(f"{index:032}")) for index in page])


async def listed(books: Books, *answers: CallAnswer) -> None:
    """Take a page in."""
    catalog = await Catalog.open(books.path)
    await clerk(catalog).take(Page(list(answers)))
    await catalog.close()


@given(MOMENTS, MOMENTS)
def test_a_range_is_cut_to_what_the_provider_can_answer(first: Any, last: Any) -> None:  # noqa: ANN401 - moments
    """Six months back, and nothing of the future; within that it stays as it is."""
    start, end = cut_range(first, last, NOW)
    assert start > NOW - HISTORY
    assert end <= NOW
    assert start == first or start == NOW - HISTORY + timedelta(minutes=1)
    assert end in {last, NOW}


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_range_is_taken_page_by_page(tmp_path: Path, *, dry_run: bool) -> None:
    """In windows that the provider takes, told after each page; a dry run counts the same."""
    catalog = await Catalog.open(tmp_path / "catalog.db")
    pages, told = Pages(), list[int]()
    start = NOW - timedelta(days=50)
    report = await take_range(
        clerk(catalog, dry_run=dry_run),
        cast("Api", pages),
        start,
        NOW,
        lambda report: told.append(report.rows),
    )
    sightings = await catalog.read(
        lambda tx: [tuple(row) for row in tx.connection.execute("SELECT source FROM sightings")]
    )
    await catalog.close()
    assert Report(rows=8, new=6, known=2) == report
    assert told == [2, 4, 6, 8]
    assert (start, NOW) == (pages.windows[0].start, pages.windows[1].end)
    assert sightings == ([] if dry_run else [("listing",)] * 6)


async def test_what_the_listing_says_replaces_what_an_export_said(books: Books) -> None:
    """Its blanks replace nothing, and a call that a batch holds or that is settled stays."""
    for sid in SIDS[:3]:
        books.add(called(sid, status="busy", from_number="1", to_number="2"))
    books.claim(SIDS[1], SIDS[2])
    books.settle(SIDS[2], Absent("no-answer"))
    said = {"status": "completed", "duration_s": 90, "from_number": "3"}
    await listed(books, *(CallAnswer(called(sid, **said)) for sid in SIDS[:3]))
    names = ("status", "duration_s", "from_number", "to_number")
    rows = [tuple(books.row(sid)[name] for name in names) for sid in SIDS[:3]]
    assert rows == [("completed", 90, "3", "2"), ("busy", 65, "1", "2"), ("busy", 65, "1", "2")]


async def test_an_unsigned_url_of_the_accounts_own_is_kept(books: Books) -> None:
    """Signed ones, those of other hosts and other accounts, and what is no URL are not."""
    own = URL.format(SIDS[0])
    for bad in (
        own + SIGNED,
        "https://evil.example/exotelrecordings/acme1/1.mp3",
        "https://recordings.exotel.com/exotelrecordings/acme2/1.mp3",
        "http://recordings.exotel.com/exotelrecordings/acme1/1.mp3",
        "no url",
        "",
    ):
        assert usable_url(CallAnswer(called(SIDS[0]), recording_url=bad), ACCOUNT) == ""
    await listed(
        books,
        CallAnswer(called(SIDS[0]), recording_url=own, presigned_url=own + SIGNED),
        CallAnswer(called(SIDS[1]), recording_url=own + SIGNED),
    )
    assert [books.row(sid)["listed_url"] for sid in SIDS[:2]] == [own, ""]
    assert [call.listed_url for call in books.claim(SIDS[0])] == [own]


@pytest.mark.parametrize("outcome", [Again("not-ready", timedelta(0)), Lost("fetch-gone")])
async def test_a_look_uses_a_listed_url_up(books: Books, outcome: Outcome) -> None:
    """Whatever comes of it: the next look asks the API, unless the listing tells of one since."""
    await listed(books, CallAnswer(called(SIDS[0]), recording_url=URL.format(SIDS[0])))
    books.claim(SIDS[0])
    books.settle(SIDS[0], outcome)
    assert books.row(SIDS[0])["listed_url"] == ""


async def test_a_batch_that_dies_uses_nothing_up(books: Books) -> None:
    """Given back, a call still has its URL; a late finisher takes nothing from it either."""
    await listed(books, CallAnswer(called(SIDS[0]), recording_url=URL.format(SIDS[0])))
    books.claim(SIDS[0], lease="dead")
    assert books.end("dead") == 1
    assert books.settle(SIDS[0], Lost("fetch-gone"), lease="dead") == 0
    (again,) = books.claim(SIDS[0], lease="next")
    assert again.listed_url == URL.format(SIDS[0])


async def test_calls_that_were_looked_at_in_vain_get_no_listed_url(books: Books) -> None:
    """The listing would tell the same stale one again."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    books.settle(SIDS[0], Again("fetch-timeout", timedelta(0), costs_try=True))
    await listed(books, CallAnswer(called(SIDS[0]), recording_url=URL.format(SIDS[0])))
    assert books.row(SIDS[0])["listed_url"] == ""


async def test_a_call_given_up_comes_back_when_the_listing_tells_of_its_recording(
    books: Books,
) -> None:
    """And one that the listing tells no recording of stays absent."""
    books.add(*(called(sid) for sid in SIDS[:2]))
    books.claim(*SIDS[:2])
    for sid in SIDS[:2]:
        books.settle(sid, Absent("not-recorded"))
    await listed(
        books,
        CallAnswer(called(SIDS[0]), recording_url=URL.format(SIDS[0])),
        CallAnswer(called(SIDS[1])),
    )
    assert [books.row(sid)["state"] for sid in SIDS[:2]] == ["expected", "absent"]
    assert books.row(SIDS[0])["listed_url"] == URL.format(SIDS[0])


async def test_all_listed_urls_can_be_dropped(books: Books) -> None:
    """Of calls that wait and of calls that batches hold; those of other accounts stay."""
    urls = [CallAnswer(called(sid), recording_url=URL.format(sid)) for sid in SIDS[:2]]
    await listed(books, *urls)
    books.claim(SIDS[0])
    with books.database.write() as tx:
        assert drop_listed_urls(tx, "other") == 0
        assert drop_listed_urls(tx, "main") == 2
    assert [books.row(sid)["listed_url"] for sid in SIDS[:2]] == ["", ""]
