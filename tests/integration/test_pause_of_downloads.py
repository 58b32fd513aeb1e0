"""A certificate of the recordings' host that does not fit holds its account, and fails no call."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from archive.accounts import Account
from archive.body import FetchTroubleError
from archive.call import CallFacts, Source
from archive.catalog import intake, pauses, work
from archive.catalog.writer import Catalog
from archive.fetch import Fetched, Fetcher
from archive.publisher import Publisher
from archive.readiness import Readiness
from archive.store import Store
from archive.verdicts import Symptom
from archive.wire import CallAnswer
from jobs.batch import archive_batch
from jobs.capacity import Capacity
from jobs.parts import CTX_KEY, Line, Parts
from jobs.payload import Batch, encode_batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from archive.api import Api
    from archive.catalog.pauses import Paused

BEGAN = datetime(2026, 2, 9, 12, 0, tzinfo=UTC)
ACCOUNT = Account(name="main", sid="acme1")
SIDS = [f"{index:028x}197m" for index in range(1, 6)]


class Api200:
    """An API that answers: each call has a recording."""

    def __init__(self) -> None:
        self.account = ACCOUNT

    async def by_sids(self, sids: Sequence[str], _: object) -> list[CallAnswer]:
        """Answer for all."""
        url = "https://recordings.exotel.com/exotelrecordings/acme1"
        return [CallAnswer(called(sid), f"{url}/{sid}.mp3") for sid in sids]


class Broken(Fetcher):
    """A fetcher that finds one trouble with all recordings."""

    def __init__(self, symptom: Symptom) -> None:
        self.symptom = symptom

    async def fetch(self, url: str, part: Path, *, age: timedelta | None) -> Fetched:
        """Fail."""
        del url, part, age
        raise FetchTroubleError(self.symptom, "as told")


def called(sid: str) -> CallFacts:
    """Return a call of the day before."""
    ended = BEGAN + timedelta(minutes=1)
    return CallFacts(sid=sid, started_at=BEGAN, ended_at=ended, duration_s=60, status="completed")


class Worker:
    """One worker process's parts, with a clock that a test sets."""

    def __init__(self, catalog: Catalog, store: Store, publisher: Publisher) -> None:
        self.now = BEGAN + timedelta(days=1)
        self.fetcher = Broken(Symptom.FETCH_TLS)
        self._catalog = catalog
        self._parts = Parts(
            process="process",
            host="host",
            lines={"main": Line(ACCOUNT, cast("Api", Api200()), self.fetcher)},
            catalog=catalog,
            store=store,
            publisher=publisher,
            capacity=Capacity(2, accounts=["main"]),
            readiness=Readiness(),
            min_free=0,
            clock=lambda: self.now,
            dice=lambda: 0.0,
        )

    async def run(self) -> list[Paused]:
        """Run the batch of all calls, a second after the pause's probe; return what is held."""
        payload = encode_batch(Batch("main", SIDS))
        await archive_batch({CTX_KEY: self._parts, "job_id": "job"}, payload)
        held = await self._catalog.read(pauses.pauses)
        self.now = max([self.now, *(paused.probe_at for paused in held)]) + timedelta(seconds=1)
        return held

    async def claimable(self) -> list[work.ClaimedCall]:
        """Return the calls that are still expected, with what they have gone through."""
        await self._catalog.write(
            work.begin_batch, lease="look", process="p", job_id="look", now=self.now
        )
        return await self._catalog.write(work.claim, account="main", sids=SIDS, lease="look")


@asynccontextmanager
async def working(tmp_path: Path) -> AsyncIterator[Worker]:
    """Take the calls in, and open what a worker needs."""
    catalog = await Catalog.open(tmp_path / "state" / "catalog.db")
    try:
        await catalog.write(
            intake.add_calls,
            [called(sid) for sid in SIDS],
            account=ACCOUNT,
            source=Source.CDR,
            readiness=Readiness(),
            now=BEGAN,
        )
        store = Store(tmp_path / "recordings")
        async with Publisher(store) as publisher:
            yield Worker(catalog, store, publisher)
    finally:
        await catalog.close()


async def test_it_pauses_until_a_download_works_and_no_call_pays(tmp_path: Path) -> None:
    """That the API answers lifts nothing; each probe counts, so that a drain can give up."""
    async with working(tmp_path) as worker:
        for strikes in (1, 2, 3):
            (held,) = await worker.run()
            assert (held.reason, held.scope) == ("fetch-tls", "account:main")
            assert (held.strikes, held.fatal) == (strikes, False)
            assert held.detail.startswith("fetching ")

        worker.fetcher.symptom = Symptom.FETCH_TIMEOUT
        assert await worker.run() == []
        worker.now += timedelta(hours=1)
        tries = {call.facts.sid: call.tries for call in await worker.claimable()}

    # What came over a connection is each call's own trouble again, and its first.
    assert tries == dict.fromkeys(SIDS, 1)


async def test_an_address_that_is_not_public_is_each_calls_own_failure(tmp_path: Path) -> None:
    """A person has to look; nothing else is held up."""
    async with working(tmp_path) as worker:
        worker.fetcher.symptom = Symptom.FETCH_FORBIDDEN_ADDRESS
        assert await worker.run() == []
        assert await worker.claimable() == []
