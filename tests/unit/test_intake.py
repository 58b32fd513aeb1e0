"""From a source to the catalog: counted, rejected with line and reason, and never twice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts, Source
from archive.errors import InputError
from archive.readiness import Readiness
from jobs.cdr import Rejected
from jobs.intake import (
    CHUNK,
    CHUNK_ALONE,
    Desk,
    Report,
    next_chunk,
    sid_rows,
)
from tests.unit.books import ACCOUNT, NOW, SIDS, called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.books import Books


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
