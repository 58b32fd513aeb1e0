"""The stand-in provider over real HTTP, in this process, by a clock that is moved by hand."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from sandbox import serving, several
from sandbox.access import Credentials, Signer
from sandbox.api import Api
from sandbox.app import Sandbox, api_app, recording_app, storage_app
from sandbox.calls import Provider
from sandbox.fault_book import Book
from sandbox.fault_json import read
from sandbox.limits import SlidingMinute
from sandbox.objects import Objects
from sandbox.rows import Links, UrlMode
from sandbox.sending import Shelf
from sandbox.spoilt_json import World
from sandbox.stats import Stats
from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ZONE: Final = ZoneInfo("Asia/Kolkata")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


class Served:
    """The provider and where it is."""

    def __init__(self, provider: Provider, sandbox: Sandbox, hosts: tuple[str, str, str]) -> None:
        self.provider = provider
        self._sandbox = sandbox
        self._hosts = hosts

    @property
    def recording_host(self) -> str:
        """The host and port of recordings."""
        return self._hosts[1]

    @property
    def account(self) -> dict[str, object]:
        """The settings of an account that is served by it."""
        api, recordings, storage = self._hosts
        return {
            "sid": self.provider.account,
            "api_base": f"http://{api}",
            "recording_hosts": [recordings],
            "storage_hosts": [f"{storage}/exotelrecordings"],
            "requests_per_minute": 100_000,
        }

    def storm(self, length: timedelta) -> None:
        """Let the API answer 429 to everything for so long."""
        rule = {
            "kind": "too-many",
            "where": "api",
            "seconds": length.total_seconds(),
            "in_row": None,
            "parameters": {"retry_after": 1},
        }
        self._sandbox.faults.add(read([rule]), self._sandbox.clock())

    def refused(self) -> int:
        """Return how often the API has answered 429."""
        shown = self._sandbox.stats.shown()
        listing = shown["listing"]
        assert isinstance(listing, dict)
        return int(listing.get("429", 0))


@asynccontextmanager
async def serving_week(clock: Clock, *, calls: int, span: timedelta) -> AsyncIterator[Served]:
    """Serve calls that begin within ``span`` from now on, some of them hours long."""
    provider = Provider(
        calls=calls,
        first=clock(),
        span=span,
        zone=ZONE,
        launched=clock() + span + timedelta(days=2),
        seed="week",
        hours=0.05,
    )
    async with AsyncExitStack() as stack:
        listeners = [stack.enter_context(serving.listen("127.0.0.1", 0)) for _ in range(3)]
        api, recordings, storage = map(serving.address, listeners)
        credentials, signer = Credentials(KEY, TOKEN), Signer("week")
        links = Links(recordings, storage, UrlMode.PRIVATE, signer)
        sandbox = Sandbox(
            api=Api(provider, links, credentials, SlidingMinute(0), rate_headers=False),
            objects=Objects(provider, credentials, signer),
            stats=Stats(provider.calls),
            shelf=Shelf(partial(several.audio, provider)),
            faults=Book(World(provider, links), [], clock()),
            clock=clock,
        )
        apps = (api_app(sandbox), recording_app(sandbox), storage_app(sandbox))
        for app, listener in zip(apps, listeners, strict=True):
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.SockSite(runner, listener).start()
        yield Served(provider, sandbox, (api, recordings, storage))
