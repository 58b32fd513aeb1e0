"""Polling against a stand-in over HTTP: what is found, what it costs, what stops it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.api import ApiTroubleError
from archive.call import Source
from archive.catalog import hearings, pauses, troubles, watermarks
from archive.polling import HOLD, Poll, Walk
from archive.verdicts import Symptom
from jobs.following import keep_polling
from jobs.leader import POLLING, Leader
from jobs.poller import Poller, Round
from tests.integration.test_leader import until
from tests.integration.working import Worker, called
from tests.provider import Provider, running_provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from arq.connections import ArqRedis

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
POLL = Poll(first=2 * DAY)
EMPTY = {"where": "listing", "kind": "leave-out", "share": 1.0, "parameters": {"rows": 1.0}}


@pytest.fixture(scope="module")
def listed() -> Iterator[Provider]:
    """A stand-in with 300 calls of the last day, each with a recording."""
    options = ("--calls", "300", "--bytes", "2000", "--mix", "clean", "--rate-limit", "0")
    with running_provider(*options, "--format", "mp3") as provider:
        yield provider


@pytest.fixture
def provider(listed: Provider) -> Iterator[Provider]:
    """The stand-in, in good health and with nothing counted."""
    listed.heal()
    listed.reset()
    yield listed
    listed.heal()


@asynccontextmanager
async def polling(
    folder: Path, provider: Provider, pool: ArqRedis, **account: object
) -> AsyncIterator[tuple[Worker, Poller]]:
    """Open a worker and a poller that share a catalog; time is the worker's."""
    worker = Worker(folder, {**provider.account, **account}, pool)
    # The catalog keeps whole milliseconds.
    worker.now = worker.now.replace(microsecond=0)
    async with worker.open():
        yield worker, poller_of(worker)


def poller_of(worker: Worker) -> Poller:
    """Return a poller of the worker's account."""
    parts = worker.parts
    return Poller(
        api=parts.lines["main"].api,
        catalog=parts.catalog,
        poll=POLL,
        readiness=parts.readiness,
        clock=lambda: worker.now,
        dice=lambda: 0.0,
        host="here",
    )


async def known(worker: Worker) -> set[str]:
    """Return the Sids that the listing brought."""
    rows = await worker.parts.catalog.read(
        lambda tx: list(tx.connection.execute("SELECT sid FROM sightings WHERE source = 'listing'"))
    )
    return {row["sid"] for row in rows}


async def met(worker: Worker) -> list[str]:
    """Return what ``status`` tells of."""
    found = await worker.parts.catalog.read(troubles.troubles, worker.now)
    return [trouble.what for trouble in found]


async def mark(worker: Worker, walk: Walk = Walk.RECENT) -> datetime | None:
    """Return a watermark."""
    found = await worker.parts.catalog.read(watermarks.watermark, "main", walk)
    return None if found is None else found.until


async def heard(worker: Worker) -> list[tuple[datetime, datetime]]:
    """Return when the listing was heard."""
    found = await worker.parts.catalog.read(
        hearings.hearings, "main", worker.now - 9 * DAY, worker.now
    )
    assert {one.source for one in found} <= {Source.LISTING}
    return [(one.since, one.until) for one in found]


async def test_a_round_brings_every_call_and_a_second_one_nothing_new(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """The watermark stands at the live edge then, and only the overlap is asked for again."""
    async with polling(tmp_path, provider, pool) as (worker, poller):
        first = await poller.round()
        edge = worker.now - POLL.settle
        assert (first.listed, first.new, first.until) == (300, 300, edge)
        assert {call["sid"] for call in provider.truth()} == await known(worker)
        assert await mark(worker) == await mark(worker, Walk.LONG) == edge

        before = worker.now
        worker.now += 5 * MINUTE
        second = await poller.round()
        assert (second.new, second.requests) == (0, 1)
        assert await mark(worker) == worker.now - POLL.settle
        assert await heard(worker) == [(before, worker.now)]


async def test_polled_calls_need_no_second_request(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """The URLs that the listing brings are used: 300 recordings for the requests of the listing.

    That is 10 for 1,000 and one for each window; calls of an export take 10 more to be resolved.
    """
    async with polling(tmp_path, provider, pool) as (worker, poller):
        done = await poller.round()
        sids = [call["sid"] for call in provider.truth()]
        for begin in range(0, len(sids), 100):
            await worker.run(*sids[begin : begin + 100])
        stats = provider.stats()
        held = {sid: worker.recordings()[sid] for sid in sids}
        assert held == {call["sid"]: call["sha256"] for call in provider.truth()}
        assert await worker.faults_of_the_books() == []
        assert stats["api_requests"] == done.requests <= 7
        assert stats["misplaced_credentials"] == 0


@pytest.mark.parametrize("kind", ["not-found", "expired", "redirect"])
async def test_a_stale_url_of_the_listing_costs_nothing_but_a_look(
    tmp_path: Path, provider: Provider, pool: ArqRedis, kind: str
) -> None:
    """What it leads to is not believed: the next look asks the API, and the recording comes."""
    async with polling(tmp_path, provider, pool) as (worker, poller):
        await poller.round()
        sid = provider.truth()[0]["sid"]
        provider.reset()
        provider.spoil({"where": "recording", "kind": kind, "share": 1.0})
        await worker.run(sid)
        row = await worker.row(sid)
        assert (row["state"], row["listed_url"]) == ("expected", "")
        assert provider.stats()["api_requests"] == 0

        provider.heal()
        worker.now += timedelta(hours=1)
        await worker.run(sid)
        assert (await worker.row(sid))["state"] == "archived"
        assert provider.stats()["api_requests"] == 1


async def test_a_paused_account_is_probed_with_fresh_urls(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """When one recording after the other is refused, the listing's URLs are dropped, all of them.

    Else a host that has moved on would refuse them in each probe, and hold the account for good.
    """
    async with polling(tmp_path, provider, pool) as (worker, poller):
        await poller.round()
        sids = [call["sid"] for call in provider.truth()[:200]]
        provider.spoil({"where": "recording", "kind": "expired", "share": 1.0})
        await worker.run(*sids[:100])
        assert [held.reason for held in await worker.held()] == [Symptom.FETCH_REFUSES_ALL]
        assert {(await worker.row(sid))["listed_url"] for sid in sids} == {""}

        provider.heal()
        provider.reset()
        worker.now += timedelta(hours=1)
        await worker.run(*sids[:100])
        assert provider.stats()["api_requests"] == 1
        assert await worker.held() == []


async def test_a_window_that_is_not_read_to_its_end_moves_nothing(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """What was read before is kept, the trouble shows in `status`, and the next round has all."""
    async with polling(tmp_path, provider, pool) as (worker, poller):
        provider.spoil({"where": "listing", "kind": "error-503", "share": 1.0})
        with pytest.raises(ApiTroubleError):
            await poller.round()
        assert await mark(worker) is None
        assert await met(worker) == ["polling:main"]
        assert await worker.held() == []
        grown = [poller.rest_after_trouble(ApiTroubleError(Symptom.API_TIMEOUT, "")) for _ in "123"]
        assert grown == sorted(set(grown))

        provider.heal()
        await poller.round()
        assert len(await known(worker)) == 300
        assert await met(worker) == []


async def test_refused_credentials_pause_the_account_until_a_round_finds_them_good(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """While paused nothing is asked, but for the probe; one that a person made is not probed."""
    async with polling(tmp_path, provider, pool) as (worker, poller):
        provider.spoil({"where": "listing", "kind": "unauthorised", "share": 1.0})
        with pytest.raises(ApiTroubleError):
            await poller.round()
        (held,) = await worker.held()
        assert (held.scope, held.reason, held.fatal) == ("account:main", "api-unauthorised", True)

        provider.heal()
        provider.reset()
        waiting = await poller.round()
        assert (waiting.paused or "").startswith("api-unauthorised")
        assert provider.stats()["api_requests"] == 0

        worker.now += timedelta(hours=1)
        assert (await poller.round()).paused is None
        assert await worker.held() == []

        scope = pauses.account_scope("main")
        await worker.parts.catalog.write(
            pauses.pause_by_operator, scope, why="moving", now=worker.now
        )
        worker.now += DAY
        assert (await poller.round()).paused == "operator (moving)"


async def test_an_empty_listing_is_an_alarm_where_calls_are_known(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """The watermark stays, `status` tells; when calls are listed again nothing is missing.

    After some hours polling goes on all the same, and that time is not said to be heard.
    """
    async with polling(tmp_path, provider, pool) as (worker, poller):
        truth, began = provider.truth(), worker.now
        await worker.take_in(*(called(call) for call in truth[:100]))
        provider.spoil(EMPTY)
        done = await poller.round()
        assert "where there always are some" in (done.alarm or "")
        assert await met(worker) == ["listing:main"]
        stood = await mark(worker)
        assert stood is not None
        assert stood < datetime.fromisoformat(truth[0]["started_at"])

        worker.now += HOLD
        done = await poller.round()
        assert (done.alarm, done.until) == (None, worker.now - POLL.settle)
        # But for when it was listened to first.
        assert await heard(worker) == [(began, began)]
        assert await met(worker) == []


async def test_an_alarm_ends_when_calls_are_listed_again(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """The window is asked for again in the next round, and nothing of it is missing."""
    async with polling(tmp_path, provider, pool) as (worker, poller):
        await worker.take_in(*(called(call) for call in provider.truth()[:100]))
        provider.spoil(EMPTY)
        await poller.round()
        provider.heal()
        worker.now += MINUTE
        done = await poller.round()
        assert (done.alarm, len(await known(worker))) == (None, 300)
        assert await met(worker) == []


async def test_a_provider_that_refuses_to_list_long_calls_is_polled_all_the_same(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """The long walk is tried again an hour later; its watermark stays."""
    async with polling(tmp_path, provider, pool) as (worker, poller):
        await poller.round()
        worker.now += 2 * timedelta(hours=1)
        api = poller._api
        asked: list[Any] = []

        def listing(window: Any, *, longer_than: timedelta | None = None) -> Any:  # noqa: ANN401 - as the API has it
            asked.append(longer_than)
            if longer_than is not None:
                raise ApiTroubleError(Symptom.API_REFUSED, "HTTP 400")
            return api.listing(window)

        poller._api = type("Refusing", (), {"listing": staticmethod(listing)})()
        before = await mark(worker, Walk.LONG)
        for _ in range(2):
            assert (await poller.round()).until is not None
        assert asked == [None, timedelta(minutes=15), None]
        assert await mark(worker, Walk.LONG) == before


async def test_one_host_polls_and_trouble_with_one_account_holds_up_no_other(
    tmp_path: Path, provider: Provider, pool: ArqRedis
) -> None:
    """Followed by two, one makes the rounds; another goes on when that one stops."""
    async with polling(tmp_path, provider, pool) as (worker, good):

        class Broken(Poller):
            async def round(self) -> Round:
                """Fail in a way that nobody thought of."""
                raise ValueError("a fault of ours")

        broken = poller_of(worker)
        broken.__class__ = Broken
        stops = [asyncio.Event(), asyncio.Event()]
        told: list[int] = []

        async def follow(number: int, *pollers: Poller) -> None:
            await keep_polling(
                pollers,
                Leader(pool, POLLING),
                stops[number],
                every=timedelta(milliseconds=100),
                tell=lambda _: told.append(number),
            )

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(0, broken, good))
            await until(lambda: told)
            tasks.create_task(follow(1, poller_of(worker)))
            await until(lambda: len(told) > 2)
            assert set(told) == {0}
            stops[0].set()
            await until(lambda: 1 in told)
            stops[1].set()
