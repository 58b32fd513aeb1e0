"""A week in pressed time: polled, called back, reconciled each night, with everything that fails.

The clock is moved by hand, in steps. Everything else is real: the provider's stand-in and the
webhook over HTTP, the poller, the spool, the catalog, a Valkey.
"""

from __future__ import annotations

import asyncio
import heapq
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from archive.api import ApiTroubleError
from archive.catalog.sources import sources_of
from jobs.listing import Clerk
from jobs.reconcile import reconcile
from sandbox.callbacks import RETRIES, Callback, Fate, callbacks_of
from sandbox.calling_back import deliver
from tests.provider import KEY, TOKEN, write_config
from tests.week.provider import ZONE, Clock, Served, serving_week
from worker.asking import open_asking
from worker.build import Effects
from worker.polling import pollers_of
from worker.serving import serve
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from archive.sources import Brought
    from jobs.poller import Poller
    from worker.asking import Asking
    from worker.settings import Settings

SECRET: Final = "week-5d1c77aa90b3e2"
MONDAY: Final = datetime(2026, 3, 2, tzinfo=ZONE)
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_SETTLED: Final = timedelta(hours=5)
"""After the last call began: four hours for the longest, and one for the sweep that finds it."""
_BOUND_S: Final = 60.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when; times are from Monday 00:00 on in the account's zone."""

    days: int = 7
    calls: int = 14_000
    step: timedelta = timedelta(minutes=5)
    fate: Fate = Fate(lost=8, doubled=10, late=15)
    web_down: tuple[timedelta, timedelta] = (
        2 * _DAY + timedelta(hours=2, minutes=10),
        2 * _DAY + timedelta(hours=3, minutes=40),
    )
    poller_down: tuple[timedelta, timedelta] = (3 * _DAY + 22 * _HOUR, 4 * _DAY + 6 * _HOUR)
    storm: tuple[timedelta, timedelta] = (5 * _DAY + 14 * _HOUR, 5 * _DAY + 15 * _HOUR)


class Outcome(msgspec.Struct, kw_only=True):
    """What came of it; ``found_by_night`` is what each reconciliation still had to add."""

    calls: int
    long_calls: int
    known: int
    rounds: int = 0
    failed_rounds: int = 0
    requests: int = 0
    delivered: int = 0
    dropped: int = 0
    refused: int = 0
    found_by_night: list[int]
    sources: list[Brought]


async def run(plan: Plan, folder: Path) -> Outcome:
    """Let the week pass.

    Raises:
        AssertionError: the web server did not take in what it had answered.
    """
    clock = Clock(MONDAY.astimezone(UTC))
    async with serving_week(clock, calls=plan.calls, span=plan.days * _DAY) as served:
        config = write_config(
            folder / "config.toml",
            accounts={"main": served.account},
            web={"port": 0},
            poll={"every": "60s", "first": "1h"},
        )
        environment = {
            "EXOTEL_API_KEY": KEY,
            "EXOTEL_API_TOKEN": TOKEN,
            "EXOTEL_WEBHOOK_SECRET": SECRET,
        }
        settings = load_settings(config, {})
        accounts = list(settings.accounts.values())
        effects = Effects(clock=clock)
        async with open_asking(settings, environment, accounts, effects=effects) as asking:
            (poller,) = pollers_of(settings, asking, accounts, effects)
            poller.rest_for(plan.step)
            week = _Week(plan, clock, served, settings, environment, asking, poller)
            async with week:
                return await week.run()


class _Week:
    """The week as it passes."""

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        served: Served,
        settings: Settings,
        environment: dict[str, str],
        asking: Asking,
        poller: Poller,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._served = served
        self._settings = settings
        self._environment = environment
        self._asking = asking
        self._poller = poller
        self._stack = AsyncExitStack()
        self._web: tuple[asyncio.Task[None], asyncio.Event, str] | None = None
        provider = served.provider
        self._calls = [provider.call(index) for index in range(provider.calls)]
        self._waiting = [
            (callback.at, number, 0, callback)
            for number, callback in enumerate(
                callback
                for call in self._calls
                for callback in callbacks_of(call, provider, served.recording_host, plan.fate)
            )
        ]
        heapq.heapify(self._waiting)
        self._outcome = Outcome(
            calls=len(self._calls),
            long_calls=sum(call.duration > 3_600 for call in self._calls),
            known=0,
            found_by_night=[],
            sources=[],
        )

    async def __aenter__(self) -> None:
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())

    async def __aexit__(self, *_: object) -> None:
        await self._end_web()
        await self._stack.aclose()

    async def run(self) -> Outcome:
        plan, outcome = self._plan, self._outcome
        end = plan.days * _DAY + _SETTLED
        passed = timedelta(0)
        stormy = False
        while passed < end:
            passed += plan.step
            self._clock.now = (MONDAY + passed).astimezone(UTC)
            if not stormy and plan.storm[0] <= passed < plan.storm[1]:
                stormy = True
                self._served.storm(plan.storm[1] - passed)
            await self._run_web(up=not plan.web_down[0] <= passed < plan.web_down[1])
            await self._call_back()
            if not plan.poller_down[0] <= passed < plan.poller_down[1]:
                await self._poll()
            if passed % _DAY == 3 * _HOUR and passed > _DAY:
                await self._reconcile(MONDAY + passed - 3 * _HOUR - _DAY)
        await self._end_web()
        main = self._poller.account
        outcome.refused = self._served.refused()
        outcome.known = await self._asking.catalog.read(
            lambda tx: int(tx.connection.execute("SELECT COUNT(*) FROM calls").fetchone()[0])
        )
        outcome.sources = await self._asking.catalog.read(
            sources_of, main, MONDAY, MONDAY + plan.days * _DAY
        )
        return outcome

    async def _run_web(self, *, up: bool) -> None:
        if up and self._web is None:
            stopping = asyncio.Event()
            ready = asyncio.get_running_loop().create_future()
            serving = asyncio.create_task(
                serve(
                    self._settings,
                    self._environment,
                    stopping,
                    on_ready=ready.set_result,
                    clock=self._clock,
                )
            )
            await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            self._web = (serving, stopping, f"{await ready}/hook/main/{SECRET}")
        elif not up:
            await self._end_web()

    async def _end_web(self) -> None:
        if self._web is not None:
            serving, stopping, _ = self._web
            stopping.set()
            await serving
            self._web = None

    async def _call_back(self) -> None:
        """Send what is due; what fails is sent again 5 and 15 minutes later, then dropped."""
        outcome = self._outcome
        last = None
        while self._waiting and self._waiting[0][0] <= self._clock():
            at, number, tries, callback = heapq.heappop(self._waiting)
            if self._web and await deliver(self._session, self._web[2], callback):
                outcome.delivered += 1
                last = callback
            elif tries < len(RETRIES):
                again = callback.at + RETRIES[tries]
                heapq.heappush(self._waiting, (max(at, again), number, tries + 1, callback))
            else:
                outcome.dropped += 1
        if last is not None:
            await self._until_taken(last)

    async def _until_taken(self, callback: Callback) -> None:
        """Wait until the last callback is in the catalog, so that time can go on."""
        async with asyncio.timeout(_BOUND_S):
            while not await self._asking.catalog.read(  # noqa: ASYNC110 - in another task
                lambda tx: tx.rows("known_sids", account="main", sids=f'["{callback.sid}"]')
            ):
                await asyncio.sleep(0.01)

    async def _poll(self) -> None:
        try:
            done = await self._poller.round()
        except ApiTroubleError as trouble:
            self._outcome.failed_rounds += 1
            self._poller.rest_after_trouble(trouble)
        else:
            self._outcome.rounds += 1
            self._outcome.requests += done.requests

    async def _reconcile(self, begin: datetime) -> None:
        """Compare the day that begins then, as the nightly timer does."""
        account = self._poller.account
        clerk = Clerk(
            catalog=self._asking.catalog,
            account=account,
            readiness=self._settings.readiness,
            clock=self._clock,
        )
        told = await reconcile(
            clerk,
            self._asking.apis[account.name],
            self._asking.catalog,
            begin,
            begin + _DAY - timedelta(seconds=1),
            now=self._clock(),
            on_page=lambda _: None,
        )
        self._outcome.found_by_night.append(told.new)
