"""A recordings' host that is down for all calls, or refuses some: over HTTP."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.verdicts import RULES, Symptom
from jobs.health import IN_A_ROW, PROBED
from tests.integration.working import Worker, called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from arq.connections import ArqRedis

    from tests.integration.working import Recorded

SECOND = timedelta(seconds=1)
MANY = 8 * IN_A_ROW


@asynccontextmanager
async def working(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis, calls: list[dict[str, Any]]
) -> AsyncIterator[Worker]:
    """Open a worker that knows the calls, on a provider that is in order."""
    recorded.provider.heal()
    worker = Worker(tmp_path, recorded.provider.account, pool)
    try:
        async with worker.open():
            await worker.take_in(*map(called, calls))
            yield worker
            assert await worker.faults_of_the_books() == []
    finally:
        recorded.provider.heal()


def asked(recorded: Recorded) -> int:
    """Return how often the hosts were asked for a recording."""
    stats = recorded.provider.stats()
    return sum(sum(stats.get(name, {}).values()) for name in ("recording", "storage"))


async def tries(worker: Worker, calls: list[dict[str, Any]]) -> list[int]:
    """Return what each call has paid."""
    rows = [await worker.row(call["sid"]) for call in calls]
    return [row["tries"] + row["refreshes"] for row in rows]


@pytest.mark.parametrize(
    ("kind", "symptom"),
    [("error-503", Symptom.FETCH_HOST_DOWN), ("forbidden", Symptom.FETCH_REFUSES_ALL)],
)
async def test_a_probe_finds_it_down_after_few_downloads(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis, kind: str, symptom: Symptom
) -> None:
    """Also by a process that has seen nothing of it yet; the pause's delay grows to its cap."""
    calls = recorded.take(MANY)
    sids = [call["sid"] for call in calls]
    async with working(tmp_path, recorded, pool, calls) as worker:
        recorded.provider.spoil({"kind": kind, "where": "hosts"})
        recorded.provider.reset()
        await worker.run(*sids)
        (held,) = await worker.held()
        assert (held.reason, held.fatal) == (symptom, False)
        assert PROBED < asked(recorded) <= IN_A_ROW + worker.parts.capacity.downloads
    again = Worker(tmp_path, recorded.provider.account, pool)
    again.now, again.dice = held.probe_at + SECOND, lambda: 0.0
    async with again.open():
        recorded.provider.spoil({"kind": kind, "where": "hosts"})
        for strikes, minutes in ((2, 2), (3, 4), (4, 5)):
            recorded.provider.reset()
            await again.run(*sids)
            (held,) = await again.held()
            assert (held.reason, held.strikes) == (symptom, strikes)
            assert held.probe_at - again.now <= timedelta(minutes=minutes)
            assert held.probe_at - again.now > timedelta(minutes=minutes) - SECOND
            assert asked(recorded) == PROBED
            again.now = held.probe_at + SECOND
        assert set(await tries(again, calls)) == {0}
        recorded.provider.heal()
        await again.run(*sids)
        assert await again.held() == []
        assert len(again.recordings()) == MANY


async def test_a_pause_of_a_host_outlives_an_answer_of_the_api_without_a_recording(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis
) -> None:
    """A 404 of the host shows no recording either: it is that call's own, and lifts nothing."""
    calls = recorded.take(IN_A_ROW + 1)
    *sids, other = [call["sid"] for call in calls]
    async with working(tmp_path, recorded, pool, calls) as worker:
        recorded.provider.spoil({"kind": "outage", "where": "hosts", "sid": sids})
        recorded.provider.spoil({"kind": "not-found", "where": "hosts", "sid": [other]})
        await worker.run(*sids)
        (held,) = await worker.held()
        worker.now = held.probe_at + SECOND
        await worker.run(other)
        assert [held] == await worker.held()
        row = await worker.row(other)
        assert (row["reason"], row["refreshes"]) == ("fetch-gone", 1)
        recorded.provider.heal()
        await worker.run(*sids)
        assert await worker.held() == []


async def test_troubled_recordings_among_good_ones_are_judged_one_by_one(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis
) -> None:
    """More than make a pause, and each fails after its limit; the good ones are archived."""
    limit = RULES[Symptom.FETCH_REFUSED].limit
    assert limit is not None
    calls = recorded.take(2 * IN_A_ROW)
    sids = [call["sid"] for call in calls]
    good = recorded.take(4 * (limit + 1))
    turns = iter(good)
    async with working(tmp_path, recorded, pool, [*calls, *good]) as worker:
        recorded.provider.spoil({"kind": "forbidden", "where": "hosts", "sid": sids})
        for _ in range(limit + 1):
            for part in (sids[::4], sids[1::4], sids[2::4], sids[3::4]):
                await worker.run(*part)
                await worker.run(next(turns)["sid"])
            assert await worker.held() == []
            worker.now += timedelta(minutes=6)
        rows = [await worker.row(sid) for sid in sids]
        assert {("failed", "fetch-refused")} == {(row["state"], row["reason"]) for row in rows}
        assert {call["sid"] for call in good} == set(worker.recordings())
