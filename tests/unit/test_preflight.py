"""What an intake would bring: `archive.preflight`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.call import CallFacts, Source
from archive.catalog.rows import NEW_COLUMNS, prepare
from archive.entry import Entry
from archive.hours import Backfill
from archive.preflight import Bounds, Forecast, Format, Measured, Preview, reckon
from archive.readiness import Readiness
from archive.selection import Rule
from jobs.intake import Desk
from tests.unit.books import ACCOUNT, NOW, SIDS, called, proved

if TYPE_CHECKING:
    from tests.unit.books import Books

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
MB = 1_000_000


def previewed(*calls: CallFacts, entry: Entry | None = None) -> Preview:
    """Return what a dry run would have gathered."""
    preview = Preview()
    for facts in calls:
        values, _ = prepare(facts, ACCOUNT, Readiness(), NOW, entry or Entry())
        preview.add(dict(zip(NEW_COLUMNS, values, strict=True)))
    return preview


def told(preview: Preview, measured: Measured | None = None, **changed: Any) -> Forecast:  # noqa: ANN401
    """Reckon with a disk of 1 GB and 200 requests a minute."""
    given = {"requests_per_minute": 200, "free": 1_000 * MB, **changed}
    return reckon(preview, measured or Measured(), bounds=Bounds(**given), now=NOW)


def many(count: int, *, age: timedelta = DAY, **known: Any) -> list[CallFacts]:  # noqa: ANN401
    """Return calls that are so old."""
    began = NOW - age
    return [
        called(f"{index:032}", started_at=began, ended_at=began + timedelta(seconds=65), **known)
        for index in range(count)
    ]


def test_where_nothing_was_measured_the_providers_habits_count_and_that_is_said() -> None:
    """Talked calls have a recording; their size is between MP3 and WAV of two channels."""
    found = told(previewed(*many(90), *many(10, status="busy", duration_s=9)))
    assert (found.new, found.recordings, found.seconds) == (100, 90, 90 * 65)
    assert found.bytes == (90 * 65 * 16_000, 90 * 65 * 330_000)
    assert not found.measured
    assert found.pace is None
    assert found.fits is (found.bytes[1] <= 1_000 * MB)


def test_what_was_measured_counts() -> None:
    """Shares of recorded calls by what sources said, bytes a second, recordings a second."""
    measured = Measured(
        talked=(400, 300),
        silent=(200, 20),
        formats=(
            Format("mp3", 90, 90 * MB, 9_000.0),
            Format("wav, 2 channels", 10, 110 * MB, 1_000),
        ),
        pace=(3_600, 0, 1_800.0),
    )
    found = told(previewed(*many(100), *many(100, status="busy", duration_s=9)), measured)
    assert found.recordings == 75 + 10
    assert found.seconds == 85 * 65
    assert found.bytes == (85 * 65 * 20_000,) * 2
    assert found.formats == {"mp3": 0.9, "wav, 2 channels": 0.1}
    assert found.pace == 2.0
    assert found.finish == NOW + timedelta(seconds=85 / 2)


def test_requests_are_reckoned_by_months_and_bound_the_finish() -> None:
    """A hundred calls of a month share one; what waits already comes on top."""
    calls = [*many(250), *many(30, age=40 * DAY)]
    found = told(previewed(*calls), Measured(waiting={0: 100_000}), requests_per_minute=10)
    assert found.requests == 5
    assert found.finish == NOW + timedelta(minutes=(5 + 1_050) / 10)


def test_what_is_left_out_brings_nothing() -> None:
    """By a rule, or for its status."""
    entry = Entry(rules=(Rule(name="x", status=("completed",)),), trust_status=True)
    found = told(previewed(*many(5), *many(5, status="busy"), entry=entry))
    assert (found.new, found.left_out, found.recordings, found.requests) == (10, 10, 0, 0)
    assert found.finish == NOW


def test_deletion_days_are_told_of() -> None:
    """Past already, and before their turn at the pace that was measured."""
    slow = Measured(pace=(100, 0, 3_600.0))
    calls = [*many(40, age=31 * DAY), *many(1_000, age=29 * DAY), *many(500, age=DAY)]
    found = told(previewed(*calls, *(CallFacts(sid=sid) for sid in SIDS)), slow)
    assert found.already_past == 40
    assert found.undated == len(SIDS)
    # A thousand are deleted within a day, and take ten hours; the others have a month.
    assert found.too_late == 0
    slower = Measured(pace=(50, 0, 36_000.0))
    assert told(previewed(*calls), slower).too_late == 1_000


def test_a_limit_of_bytes_bounds_the_finish() -> None:
    """By the most bytes, and with what waits already; a limit that is ample changes nothing."""
    measured = Measured(formats=(Format("mp3", 100, 100 * MB, 10_000.0),), waiting={0: 900})
    calls = previewed(*many(100))
    size = 100 * 65 * 10_000
    found = told(calls, measured, limit_rate=16_384)
    assert found.finish - NOW == pytest.approx(timedelta(seconds=10 * size / 16_384), abs=SECOND)
    assert found.limit_rate == 16_384
    ample = told(calls, measured, limit_rate=10**12)
    assert told(calls, measured).finish == ample.finish


def test_old_calls_take_the_backfill_hours_alone() -> None:
    """An hour of work by nights of half an hour takes two of them; young calls do not wait."""
    bounds = {"backfill": Backfill(hours=("22:00-22:30",)), "zone": ACCOUNT.zone}
    pace = Measured(pace=(100, 0, 3_600.0))
    young = told(previewed(*many(100)), pace, **bounds)
    assert (young.finish, young.in_hours) == (NOW + HOUR, False)
    old = told(previewed(*many(100, age=9 * DAY)), pace, **bounds)
    # NOW is 17:30 there.
    assert (old.finish, old.in_hours) == (NOW + DAY + 5 * HOUR, True)


def test_what_the_hours_are_too_few_for_is_deleted_before_its_turn() -> None:
    """A quarter of an hour a day for an hour's work, until the last three days are all day."""
    hours = {"backfill": Backfill(hours=("22:00-22:15",)), "zone": ACCOUNT.zone}
    slow = Measured(pace=(100, 0, 360_000.0))
    calls = previewed(*many(100, age=25 * DAY))
    assert told(calls, slow).too_late == 0
    assert told(calls, slow, **hours).too_late == 100
    quick = Measured(pace=(100, 0, 3_600.0))
    assert told(calls, quick, **hours).too_late == 0


def test_what_would_take_for_ever_is_told_as_ten_years() -> None:
    """No date is beyond those that there are."""
    measured = Measured(formats=(Format("wav", 100, 100 * 10**13, 10_000.0),))
    found = told(previewed(*many(100)), measured, limit_rate=16_384)
    assert found.finish == NOW + 3_650 * DAY


def test_a_disk_that_is_too_small_is_told() -> None:
    """And how many days of calls like these it has room for."""
    calls = [*many(100), *many(100, age=2 * DAY)]
    measured = Measured(formats=(Format("mp3", 100, 100 * MB, 10_000.0),))
    found = told(previewed(*calls), measured, free=65 * MB)
    assert not found.fits
    assert found.disk_days == pytest.approx(1.0)


def test_a_desk_gathers_what_is_new_and_the_catalog_what_was_measured(books: Books) -> None:
    """Known calls and what comes twice are no news; nothing is written."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    books.archive(proved(SIDS[0]))
    desk = Desk(
        database=books.database,
        account=ACCOUNT,
        readiness=Readiness(),
        clock=lambda: NOW,
        dry_run=True,
    )
    rows = [called(SIDS[0]), called(SIDS[1]), called(SIDS[1]), called(SIDS[2])]
    report = desk.take_rows(rows, Source.CDR, lambda _: None)
    assert (report.new, report.known) == (2, 2)
    assert (desk.preview.calls, desk.preview.talked) == (2, 2)
    measured = desk.measured()
    assert measured.talked == (1, 1)
    assert measured.formats == (Format("mp3", 1, 1000, 65.0),)
    assert measured.waiting == {}
    assert books.balance().known == 1
