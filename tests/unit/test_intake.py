"""From a source to the catalog: counted, rejected with line and reason, and never twice."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts, Source
from archive.errors import InputError
from archive.history import HISTORY
from archive.readiness import Readiness
from archive.wire import CallAnswer, Page
from jobs.cdr import Rejected
from jobs.intake import (
    CHUNK,
    CHUNK_ALONE,
    Desk,
    Report,
    cut_range,
    next_chunk,
    sid_rows,
    take_range,
)
from tests.unit.books import ACCOUNT, NOW, SIDS, called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from archive.api import Api, Window
    from tests.unit.books import Books

MOMENTS = st.timedeltas(-2 * HISTORY, timedelta(days=9)).map(lambda off: NOW + off)


def desk(books: Books, *, dry_run: bool = False) -> Desk:
    """Return a desk for the account."""
    return Desk(
        database=books.database,
        account=ACCOUNT,
        readiness=Readiness(),
        clock=lambda: NOW,
        dry_run=dry_run,
    )


def refused(row: Rejected) -> None:
    """Take no rejected rows."""
    raise AssertionError(row)


def test_calls_and_rejected_rows_are_counted_apart(books: Books) -> None:
    """A rejected row stops nothing and is handed on as it is."""
    books.add(called(SIDS[0]))
    bad = Rejected("f", 3, "no Sid")
    rows: list[CallFacts | Rejected] = [called(SIDS[0]), bad, called(SIDS[1]), called(SIDS[1])]
    seen: list[Rejected] = []
    report = desk(books).take_rows(rows, Source.CDR, seen.append)
    assert Report(rows=4, new=1, known=2, rejected=1) == report
    assert [bad] == seen
    assert books.balance().known == 2


def test_a_dry_run_counts_the_same_and_writes_nothing(books: Books) -> None:
    """Also where the same call comes again several chunks later."""
    books.add(called(SIDS[0]))
    rows = [called(f"{index % (CHUNK + 3):032}") for index in range(2 * CHUNK + 5)]
    rows += [called(SIDS[0]), called(SIDS[0])]
    dry = desk(books, dry_run=True).take_rows(rows, Source.CDR, refused)
    assert books.balance().known == 1
    assert dry == desk(books).take_rows(rows, Source.CDR, refused)
    assert Report(rows=2 * CHUNK + 7, new=CHUNK + 3, known=CHUNK + 4) == dry


def test_chunks_taken_before_a_source_fails_are_kept(books: Books) -> None:
    """The error is the source's own; a later run finds the first calls known."""

    def rows() -> Iterator[CallFacts]:
        yield from (called(f"{index:032}") for index in range(CHUNK))
        raise InputError("the disk is gone")

    with pytest.raises(InputError, match="the disk is gone"):
        desk(books).take_rows(rows(), Source.CDR, refused)
    assert books.balance().known == CHUNK


def test_bare_sids_are_calls_of_unknown_date() -> None:
    """Blank lines are nothing; what is no Sid is rejected, shown bounded and escaped."""
    lines = [f" {SIDS[0]}\r\n", "\n", "../etc", "x\x1b[2J" + "y" * 100, SIDS[1]]
    rows = list(sid_rows(lines, "-"))
    assert [CallFacts(sid=SIDS[0]), CallFacts(sid=SIDS[1])] == [rows[0], rows[3]]
    rejected = [row for row in rows if isinstance(row, Rejected)]
    assert [(row.file, row.line) for row in rejected] == [("-", 3), ("-", 4)]
    assert rejected[0].reason.startswith("'../etc' is no Sid (6 to 64")
    assert all(row.reason.isprintable() and len(row.reason) < 120 for row in rejected)


@given(MOMENTS, MOMENTS)
def test_a_range_is_cut_to_what_the_provider_can_answer(first: object, last: object) -> None:
    """Six months back, and nothing of the future; within that it stays as it is."""
    start, end = cut_range(first, last, NOW)  # type: ignore[arg-type]
    assert start > NOW - HISTORY
    assert end <= NOW
    assert start == first or start == NOW - HISTORY + timedelta(minutes=1)
    assert end in {last, NOW}


async def test_a_range_is_taken_page_by_page(books: Books) -> None:
    """In windows that the provider takes, and told after each page."""

    class Pages:
        def __init__(self) -> None:
            self.windows: list[Window] = []

        async def listing(self, window: Window) -> AsyncIterator[Page]:
            """Yield two pages, the last call of the first once more on the second."""
            self.windows.append(window)
            first = len(self.windows) * 3
            for page in ((first, first + 1), (first + 1, first + 2)):
                yield Page([CallAnswer(called(f"{index:032}")) for index in page])

    pages, told = Pages(), list[int]()
    start = NOW - timedelta(days=50)
    report = await take_range(
        desk(books), cast("Api", pages), start, NOW, lambda report: told.append(report.rows)
    )
    assert Report(rows=8, new=6, known=2) == report
    assert told == [2, 4, 6, 8]
    assert (start, NOW) == (pages.windows[0].start, pages.windows[1].end)
    assert [
        tuple(row) for row in books.sql("SELECT source, COUNT(*) FROM sightings GROUP BY source")
    ] == [("listing", 6)]


def test_a_chunk_grows_while_nobody_else_writes_and_falls_when_others_do() -> None:
    """Never above the most, and never below what is worth a transaction."""
    grown = [500]
    while grown[-1] < CHUNK_ALONE:
        grown.append(grow(grown[-1], alone=True))
    assert grown == [500, 1000, 2000, 4000, 8000, 16_000, CHUNK_ALONE]
    assert grow(1500, alone=False) == CHUNK
    assert grow(CHUNK_ALONE, alone=False) == CHUNK
    waited = partial(next_chunk, waited_s=0.1, alone=True)
    assert waited(CHUNK_ALONE, taken=CHUNK, held_s=0.4) == 200
    assert waited(200, taken=200, held_s=0.001) == 200
    assert waited(200, taken=200, held_s=60.0) == 50
    assert waited(CHUNK, taken=0, held_s=0.0) == 2 * CHUNK


def grow(size: int, *, alone: bool) -> int:
    """Return the size of the next chunk, after one that nobody had to wait for."""
    return next_chunk(size, taken=size, waited_s=0.0, held_s=5.0, alone=alone)
