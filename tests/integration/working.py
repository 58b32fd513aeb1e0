"""One worker process's parts, built as a worker builds them, against a stand-in over HTTP.

The clock is a test's to move. The limiter sleeps by letting the time pass that Redis keeps.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from archive.api import PATIENCE
from archive.body import USUAL, Bounds
from archive.call import CallFacts, Source, State
from archive.catalog import balance, intake, pauses, story
from archive.publisher import Publisher
from archive.store import Store
from jobs.batch import archive_batch
from jobs.parts import CTX_KEY, Parts
from jobs.payload import Batch, encode_batch
from tests.integration.names import Names
from tests.provider import KEY, TOKEN, write_config
from worker.build import Effects, open_parts
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from arq.connections import ArqRedis

    from archive.catalog.pauses import Paused
    from tests.provider import Provider

_LIMIT: Final = "callvault:limit:main"
SECRETS: Final = (KEY, TOKEN, aiohttp.encode_basic_auth(KEY, TOKEN))
SETTLED: Final = (State.ABSENT, State.LOST, State.FAILED)


def called(truth: dict[str, Any]) -> CallFacts:
    """Return what an export says of a call."""
    return CallFacts(
        sid=truth["sid"],
        created_at=datetime.fromisoformat(truth["started_at"]),
        started_at=datetime.fromisoformat(truth["started_at"]),
        ended_at=datetime.fromisoformat(truth["ended_at"]),
        status=truth["status"],
    )


class Recorded:
    """A stand-in, and its calls: each is given to one test."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        truth = provider.truth()
        recorded = [call for call in truth if call["recorded"]]
        self._private = (call for call in recorded if call["index"] % 2)
        self._presigned = (call for call in recorded if not call["index"] % 2)
        self._others = [call for call in truth if not call["recorded"]]

    def take(self, count: int, *, presigned: bool = False) -> list[dict[str, Any]]:
        """Return calls that have a recording."""
        return list(itertools.islice(self._presigned if presigned else self._private, count))

    def without(self, kind: str) -> dict[str, Any]:
        """Return a call of a kind that has none."""
        call = next(call for call in self._others if call["kind"] == kind)
        self._others.remove(call)
        return call


class Worker:
    """A worker in a folder of its own, for an account that a test may change before it opens."""

    def __init__(self, folder: Path, account: dict[str, Any], pool: ArqRedis) -> None:
        self.now = datetime.now(UTC)
        self.names = Names(localhost="127.0.0.1")
        self.account = {"requests_per_minute": 100_000, **account}
        self.environment = {"EXOTEL_API_KEY": KEY, "EXOTEL_API_TOKEN": TOKEN}
        self.patience = PATIENCE
        self.bounds = USUAL
        self.store: Callable[[Path], Store] = Store
        self.dice: Callable[[], float] = random.random
        self.holds_s: list[float] = []
        self.root = folder / "recordings"
        self.folder = folder
        self._pool = pool
        self._parts: Parts | None = None

    @property
    def parts(self) -> Parts:
        """Its parts, while it is open."""
        assert self._parts is not None
        return self._parts

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open its parts; what was changed before holds from then on."""
        effects = Effects(
            clock=lambda: self.now,
            dice=self.dice,
            sleep=self._sleep,
            resolver=self.names,
            patience=self.patience,
            bounds=self.bounds,
        )
        async with open_parts(
            self._settings(), self._pool, self.environment, process="process", effects=effects
        ) as parts:
            store = self.store(self.root)
            async with Publisher(store) as publisher:
                self._parts = replace(parts, store=store, publisher=publisher)
                yield

    def replace_parts(self, parts: Parts) -> None:
        """Go on with other parts."""
        self._parts = parts

    def forget_short_patience(self) -> None:
        """Be as patient as usual, once it is opened again."""
        self.patience, self.bounds = PATIENCE, USUAL

    def hurry(
        self, *, api: float | None = None, stall: float | None = None, pace: float | None = None
    ) -> None:
        """Wait for so many seconds only."""
        self.patience = PATIENCE if api is None else timedelta(seconds=api)
        self.bounds = Bounds(
            stall=USUAL.stall if stall is None else timedelta(seconds=stall),
            pace=USUAL.pace if pace is None else timedelta(seconds=pace),
        )

    def keep_free(self, least: int) -> None:
        """Want so many bytes to be left free on the disk."""
        self._parts = replace(self.parts, min_free=least)

    async def take_in(self, *calls: CallFacts, source: Source = Source.CDR) -> None:
        """Make calls known."""
        await self.parts.catalog.write(
            intake.add_calls,
            calls,
            account=self.parts.lines["main"].account,
            source=source,
            readiness=self.parts.readiness,
            now=self.now,
        )

    async def run(self, *sids: str) -> None:
        """Run one batch; see that nothing of it is left behind."""
        payload = encode_batch(Batch("main", list(sids)))
        await archive_batch({CTX_KEY: self.parts, "job_id": "job"}, payload)
        parts = self.root / ".parts"
        assert not parts.exists() or not list(parts.iterdir())

    async def put_back(self, *sids: str) -> int:
        """Have settled calls looked at once more, as ``callvault retry`` does."""
        return await self.parts.catalog.write(
            story.put_back,
            accounts=["main"],
            states=SETTLED,
            reason=None,
            day=None,
            sids=sids,
            now=self.now,
        )

    async def row(self, sid: str) -> dict[str, Any]:
        """Return what the catalog has of a call."""

        def read(tx: Any) -> dict[str, Any]:  # noqa: ANN401 - a transaction of the catalog's
            (row,) = tx.rows("call", account="main", sid=sid)
            return dict(row)

        return await self.parts.catalog.read(read)

    async def held(self) -> list[Paused]:
        """Return the pauses in force."""
        return await self.parts.catalog.read(pauses.pauses)

    async def faults_of_the_books(self) -> list[str]:
        """Return what does not add up."""
        return (await self.parts.catalog.read(balance.balance)).faults

    def quarantined(self) -> list[str]:
        """List what came and was no recording."""
        return sorted(path.name for path in (self.root / ".quarantine").glob("main/*"))

    def recordings(self) -> dict[str, str]:
        """Return the SHA-256 of each recording in its place, by Sid."""
        files = (path for path in self.root.glob("main/*/*/*/*/*") if path.suffix != ".json")
        return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def secrets_on_disk(self, secrets: Iterable[str]) -> list[str]:
        """Return those texts that stand in any file of its folder but the settings."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        written = [path.read_bytes() for path in files if path.suffix != ".toml"]
        return [one for one in secrets if any(one.encode() in text for text in written)]

    def _settings(self) -> Settings:
        file = write_config(
            self.folder / "config.toml",
            accounts={"main": self.account},
            archive={"min_free": "0"},
        )
        return load_settings(file, {})

    async def _sleep(self, _: float) -> None:
        left_ms = await self._pool.pttl(f"{_LIMIT}:hold")
        if left_ms > 0:
            self.holds_s.append(left_ms / 1000)
        await self._pool.delete(*(f"{_LIMIT}:{name}" for name in ("hold", "all", "resolve")))
