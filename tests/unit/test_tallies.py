"""What processes did is counted once, by the hour, and never becomes less."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.catalog import tallies as kept
from archive.catalog.writer import Catalog
from archive.tallies import (
    READINESS_BOUNDS_S,
    READINESS_S,
    READINESS_TOTAL_S,
    RECORDINGS,
    REQUESTS,
    Count,
    Tallies,
    bucket_of,
)
from tests.unit.books import NOW
from worker.tallying import keep_tallying, write_tallies

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books

HOUR = timedelta(hours=1)


def add(books: Books, *counts: Count, host: str = "here", hours: float = 0) -> None:
    """Write counts at so many hours after the first of them."""
    with books.database.write() as tx:
        kept.add(tx, counts, host=host, now=NOW + hours * HOUR)


def totals(books: Books, host: str | None = None) -> list[Count]:
    """Return all that was counted."""
    with books.database.read() as tx:
        return kept.totals(tx, host=host)


def test_what_was_taken_is_counted_anew() -> None:
    """Each thing is handed over once; what could not be written is counted on."""
    tallies = Tallies()
    tallies.count(REQUESTS, "main", label="answered")
    tallies.count(REQUESTS, "main", label="answered", amount=2)
    first = tallies.take()
    assert first == [Count("main", REQUESTS, "answered", 3)]
    assert tallies.take() == []
    tallies.count(REQUESTS, "main", label="answered")
    tallies.put_back(first)
    assert tallies.take() == [Count("main", REQUESTS, "answered", 4)]


def test_a_name_or_label_that_is_not_declared_is_a_mistake() -> None:
    """What has a label is never counted without one, nor the other way round."""
    with pytest.raises(KeyError):
        Tallies().count("surprises", "main")
    with pytest.raises(AssertionError):
        Tallies().count(REQUESTS, "main")
    with pytest.raises(AssertionError):
        Tallies().count(RECORDINGS, "main", label="of a kind")


@given(st.floats(min_value=0, max_value=1e7))
def test_a_time_falls_into_the_smallest_bucket_that_holds_it(seconds: float) -> None:
    """As Prometheus has it: the bound belongs to its bucket."""
    holding = [bound for bound in READINESS_BOUNDS_S if seconds <= bound]
    assert (str(min(holding)) if holding else "+Inf") == bucket_of(seconds)


def test_a_recording_is_in_one_bucket() -> None:
    """Two of them are two, and their seconds are added up."""
    tallies = Tallies()
    tallies.observe_readiness("main", 30)
    tallies.observe_readiness("main", 90_000)
    expected = [
        Count("main", READINESS_S, "30", 1),
        Count("main", READINESS_TOTAL_S, "", 90_030),
        Count("main", READINESS_S, "+Inf", 1),
    ]
    assert expected == tallies.take()


def test_hosts_and_hours_add_up(books: Books) -> None:
    """Totals are over all hours, of a host or of all."""
    one = Count("main", RECORDINGS, "", 1)
    add(books, one, Count("main", REQUESTS, "answered", 5))
    add(books, one, one, hours=0.5)
    add(books, one, hours=30)
    add(books, one, host="there")
    assert [Count("main", RECORDINGS, "", 5), Count("main", REQUESTS, "answered", 5)] == totals(
        books
    )
    assert [Count("main", RECORDINGS, "", 1)] == totals(books, "there")


def test_a_day_is_read_by_its_hours(books: Books) -> None:
    """From a moment's hour on, and before another's."""
    for hours in (-1, 0, 1.5, 2):
        add(books, Count("main", RECORDINGS, "", 1), hours=hours)
    with books.database.read() as tx:
        found = kept.between(tx, NOW + 0.4 * HOUR, NOW + 2 * HOUR)
    assert [(count.hour, count.amount) for count in found] == [(NOW, 1), (NOW + HOUR, 1)]


async def test_what_cannot_be_written_is_not_lost(tmp_path: Path) -> None:
    """A catalog that is away is no reason to forget; a later try writes it."""
    tallies = Tallies()
    tallies.count(RECORDINGS, "main")
    closed = await Catalog.open(tmp_path / "closed.db")
    await closed.close()
    await write_tallies(tallies, closed, host="here", clock=lambda: NOW)
    catalog = await Catalog.open(tmp_path / "catalog.db")
    try:
        await write_tallies(tallies, catalog, host="here", clock=lambda: NOW)
        assert [Count("main", RECORDINGS, "", 1)] == await catalog.read(kept.totals)
    finally:
        await catalog.close()


async def test_the_end_of_a_command_writes_its_counts(tmp_path: Path) -> None:
    """However short it was, and whatever ended it."""
    tallies = Tallies()
    catalog = await Catalog.open(tmp_path / "catalog.db")
    try:
        with pytest.raises(ZeroDivisionError):
            async with keep_tallying(tallies, catalog, host="here", clock=lambda: NOW):
                tallies.count(RECORDINGS, "main", amount=1 // 0 or 1)
        async with keep_tallying(tallies, catalog, host="here", clock=lambda: NOW):
            tallies.count(RECORDINGS, "main", amount=3)
        assert [Count("main", RECORDINGS, "", 3)] == await catalog.read(kept.totals)
    finally:
        await catalog.close()
