"""Old calls wait for their hours in the dispatcher, in status, in the forecast and in a drain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.call import CallFacts, Source
from archive.catalog import forecast, intake, processes, story, watch, work
from archive.catalog.held import read_held
from archive.catalog.writer import Catalog
from archive.hours import ALWAYS, Backfill, is_held, is_open
from archive.readiness import Readiness
from archive.verdicts import Absent
from jobs.dispatcher import Dispatcher
from tests.unit.books import ACCOUNT, SIDS, Books, called
from tests.unit.test_dispatcher import FakeQueue
from worker.commands.explain import tell
from worker.commands.hours import held_text, waits_until
from worker.ending import waits_for_hours

if TYPE_CHECKING:
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from jobs.queue import JobQueue

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEW = 10_000
KEPT = timedelta(days=ACCOUNT.retention_days)
NIGHTS = Backfill(hours=("22:00-06:00",), days=("sat", "sun"))
MONDAY = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
"""Midnight in India."""
NOON = MONDAY + 12 * HOUR


def sid_of(number: int) -> str:
    """Return a Sid."""
    return f"{number:032x}"


def aged(number: int, age: timedelta, now: datetime) -> CallFacts:
    """Return a call that began so long ago."""
    began = now - age
    return called(sid_of(number), started_at=began, ended_at=began + timedelta(seconds=65))


def held_now(began: datetime, now: datetime, backfill: Backfill = NIGHTS) -> bool:
    """Tell what the decision is."""
    return is_held(backfill, ACCOUNT.zone, began=began, delete_by=began + KEPT, now=now)


async def test_a_week_of_work_keeps_to_its_hours(tmp_path: Path) -> None:
    """By a clock that is moved: old ones in nights and at the weekend, the others at any hour."""
    moment = [MONDAY]
    catalog = await Catalog.open(tmp_path / "catalog.db")
    queue = FakeQueue()
    desk = Dispatcher(
        catalog=catalog,
        queue=cast("JobQueue", queue),
        accounts=[ACCOUNT],
        window=2,
        batch=10,
        clock=lambda: moment[0],
        backfill=NIGHTS,
    )
    began: dict[str, datetime] = {}

    async def know(*calls: CallFacts) -> None:
        began.update({call.sid: call.started_at for call in calls if call.started_at})
        await catalog.write(
            intake.add_calls,
            calls,
            account=ACCOUNT,
            source=Source.CDR,
            readiness=Readiness(),
            now=moment[0],
        )

    done: dict[str, datetime] = {}
    # A backlog of a month, so that each day some come near their deletion.
    await know(*(aged(n, timedelta(hours=n * KEPT // HOUR / 1200), MONDAY) for n in range(1200)))
    try:
        for hour in range(7 * 24):
            moment[0] = MONDAY + hour * HOUR
            await know(aged(NEW + hour, HOUR, moment[0]))
            await desk.tick()
            for number, batch in enumerate(queue.batches):
                lease = f"{hour}-{number}"
                await catalog.write(settle_all, list(batch.sids), lease, moment[0])
                done.update(dict.fromkeys(batch.sids, moment[0]))
            queue.batches.clear()
    finally:
        await catalog.close()
    assert [sid for sid, at in done.items() if held_now(began[sid], at)] == []
    old = {sid: at for sid, at in done.items() if at - began[sid] > NIGHTS.older_than}
    by_day = {sid: at for sid, at in old.items() if not is_open(NIGHTS, ACCOUNT.zone, at)}
    assert len(old) > len(by_day) > 0
    assert all(began[sid] + KEPT - at <= NIGHTS.urgent for sid, at in by_day.items())
    # New ones wait for nothing but their batch, and nothing is left until its deletion.
    left = [sid for sid in began if sid not in done]
    assert len([sid for sid in left if int(sid, 16) >= NEW]) < 10
    assert all(began[sid] + KEPT > moment[0] for sid in left)


def settle_all(tx: Tx, sids: list[str], lease: str, now: datetime) -> None:
    """Claim calls and settle them."""
    work.begin_batch(tx, lease=lease, process="p", job_id=lease, now=now)
    work.claim(tx, account="main", sids=sids, lease=lease)
    outcomes = [(sid, Absent("no-answer")) for sid in sids]
    work.settle(tx, outcomes, lease=lease, account="main", now=now)
    work.end_batch(tx, lease=lease)


@given(
    ages=st.lists(st.integers(0, int((KEPT + DAY) / HOUR)), min_size=1, max_size=9),
    hour=st.integers(0, 7 * 24),
)
@settings(max_examples=30)  # each makes a catalog
def test_the_catalog_and_the_rule_agree_on_who_waits(
    tmp_path_factory: pytest.TempPathFactory, ages: list[int], hour: int
) -> None:
    """What is counted as waiting is not handed out, all else is; one of unknown date is, too."""
    now = MONDAY + hour * HOUR
    books = Books(tmp_path_factory.mktemp("hours") / "catalog.db")
    try:
        calls = [aged(n, age * HOUR, now) for n, age in enumerate(ages)]
        books.add(*calls, CallFacts(sid=SIDS[0]), now=now - 2 * HOUR)
        waiting = {call.sid for call in calls if held_now(now - age_of(call, now), now)}
        with books.database.read() as tx:
            assert len(waiting) == work.held_by_hours(tx, ACCOUNT, NIGHTS, now)
            found = work.due_before(tx, "main", now, now + NIGHTS.urgent, 99)
            found += work.due_lately(tx, ACCOUNT, now, now - NIGHTS.older_than, 99)
            everything = work.due_by_deletion(tx, "main", now, 99)
        if not is_open(NIGHTS, ACCOUNT.zone, now):
            assert {c.sid for c in everything} - waiting == {c.sid for c in found}
    finally:
        books.database.close()


def age_of(call: CallFacts, now: datetime) -> timedelta:
    """Return how long ago a call began."""
    assert call.started_at is not None
    return now - call.started_at


def status_of(books: Books, now: datetime, backfill: Backfill = NIGHTS) -> list[str]:
    """Return what `status` says of the hours."""
    with books.database.read() as tx:
        return [held_text(one) for one in read_held(tx, [ACCOUNT], backfill, now)]


def test_what_waits_for_the_hours_is_not_due(books: Books) -> None:
    """In metrics and the live view: no alert says that work stands still by day."""
    books.add(aged(1, 10 * DAY, NOON), aged(2, 11 * DAY, NOON), now=NOON)
    seen = []
    for now, backfill in ((NOON, NIGHTS), (NOON, ALWAYS), (NOON + 11 * HOUR, NIGHTS)):
        with books.database.read() as tx:
            found = watch.backlog(tx, ACCOUNT, now, backfill)
        seen.append((found.due, found.held, found.oldest_due is None, found.opens))
    opens = NOON + 10 * HOUR
    assert seen == [(0, 2, True, opens), (2, 0, False, None), (2, 0, False, None)]


def test_status_and_explain_tell_of_the_hours(books: Books) -> None:
    """How many wait and from when on they are fetched, by the account's clock."""
    books.add(aged(1, 10 * DAY, NOON), aged(2, HOUR, NOON), aged(3, 29 * DAY, NOON), now=NOON)
    said = "calls of main wait for the backfill hours, from 2026-11-23 22:00 IST on"
    assert status_of(books, NOON) == [f"1 {said}"]
    assert status_of(books, NOON + 11 * HOUR) == status_of(books, NOON, ALWAYS) == []

    def explained(number: int) -> str:
        with books.database.read() as tx:
            found = story.read_story(tx, "main", sid_of(number))
        assert found is not None
        opens = waits_until(found, {"main": ACCOUNT}, NIGHTS, NOON)
        lines = tell(found, [], NOON, ACCOUNT.zone, keep_looks=90 * DAY, opens=opens)
        return "\n".join(lines)

    assert "It waits for the backfill hours, from 2026-11-23 22:00:00 on." in explained(1)
    assert "backfill hours" not in explained(2) + explained(3)
    assert waits_until_unknown(books) is None


def waits_until_unknown(books: Books) -> datetime | None:
    """Ask for a call of an account that is not in the settings."""
    with books.database.read() as tx:
        found = story.read_story(tx, "main", sid_of(1))
    assert found is not None
    return waits_until(found, {}, NIGHTS, NOON)


def test_a_drain_ends_when_all_that_is_left_waits_for_hours(books: Books) -> None:
    """Not while others are left or in work, and not where they begin within a quarter of one."""
    accounts: dict[str, Account] = {"main": ACCOUNT}

    def ends(now: datetime, backfill: Backfill = NIGHTS) -> str:
        with books.database.read() as tx:
            error = waits_for_hours(tx, accounts, backfill, now)
        return error.message if error else ""

    books.add(aged(1, 10 * DAY, NOON), aged(2, 11 * DAY, NOON), now=NOON)
    expected = "2 calls wait for the backfill hours, from 2026-11-23 22:00 on"
    assert ends(NOON) == expected
    assert ends(NOON, ALWAYS) == ""
    assert ends(NOON + timedelta(hours=9, minutes=44)) == expected
    assert ends(NOON + timedelta(hours=9, minutes=45)) == ""
    assert ends(NOON + 11 * HOUR) == ""
    books.claim(sid_of(1), now=NOON)
    assert ends(NOON) == ""
    books.end()
    books.add(aged(3, HOUR, NOON), now=NOON)
    assert ends(NOON) == ""


def risk_of(books: Books, now: datetime, backfill: Backfill) -> tuple[int, int | None]:
    """Return how many are at risk, and at which rate that was reckoned."""
    with books.database.read() as tx:
        (found,) = forecast.risks(tx, [ACCOUNT], now, backfill)
    return found.calls, found.rate_per_hour


def test_the_forecast_reckons_with_the_hours(books: Books) -> None:
    """By day with the night's rate, and with the nights' time only, until a deletion is near."""
    night = MONDAY + 5 * HOUR
    sign = processes.Beat(
        process="p", host="h", pid=1, version="1", started_at=MONDAY, recordings=0, bytes=0
    )
    books.add(*(aged(n, 10 * DAY, night) for n in range(20)), now=MONDAY)
    with books.database.write() as tx:
        settle_all(tx, [sid_of(n) for n in range(10)], "lease", night + HOUR / 2)
    books.add(*(aged(100 + n, KEPT - 5 * DAY, NOON) for n in range(6_000)), now=MONDAY)
    with books.database.write() as tx:
        processes.beat(tx, sign, NOON)
    calls, rate = risk_of(books, NOON, NIGHTS)
    assert rate == 60
    # Ten in ten minutes are 60 an hour: two nights of eight hours, then three urgent days.
    assert calls == pytest.approx(6_000 - 60 * (2 * 8 + 3 * 24), abs=61)
    # Without hours the present rate is that of the last hour: nothing was done, and all is lost.
    assert risk_of(books, NOON, ALWAYS)[1] == 0


def test_where_nothing_was_done_in_the_last_hours_the_rate_is_unknown(books: Books) -> None:
    """Workers may not have been there; nobody is alarmed by the day between."""
    books.add(aged(1, 10 * DAY, NOON), now=MONDAY)
    sign = processes.Beat(
        process="p", host="h", pid=1, version="1", started_at=MONDAY, recordings=0, bytes=0
    )
    with books.database.write() as tx:
        processes.beat(tx, sign, NOON)
    assert risk_of(books, NOON, NIGHTS) == (0, None)
