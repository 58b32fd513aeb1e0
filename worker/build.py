"""Builds what the jobs and commands use, and closes it again in the right order."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from archive.api import PATIENCE, Api
from archive.bandwidth import Throttle
from archive.body import USUAL, Bounds
from archive.catalog import roots
from archive.clock import system_clock
from archive.fetch import Fetcher
from archive.outbound import open_session as open_outbound
from archive.publisher import Publisher
from archive.roots import RootFiles
from archive.store import Store
from archive.tallies import Tallies
from jobs.capacity import Capacity
from jobs.limiter import RedisLimiter
from jobs.parts import Line, Parts
from worker.opening import open_shared
from worker.places import host_name
from worker.pulse import nobody
from worker.secrets import credentials_for, usable_accounts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from datetime import timedelta

    import aiohttp
    from aiohttp.abc import AbstractResolver
    from arq.connections import ArqRedis

    from archive.accounts import Account
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from worker.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Time, chance, names and patience: what decides, and is not in the settings.

    ``clock`` is the catalog's wherever one is opened, but for tests. ``sleep`` is how the limiter
    waits, ``resolver`` what resolves names (None: the machine), ``patience`` is for an answer of
    the API, ``bounds`` for a recording. ``stirred`` is called when work moves, or waits for its
    turn with the provider.
    """

    clock: Clock = system_clock
    dice: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    resolver: AbstractResolver | None = None
    patience: timedelta = PATIENCE
    bounds: Bounds = USUAL
    stirred: Callable[[], None] = nobody


REAL: Final = Effects()


def by_catalog(effects: Effects, catalog: Catalog) -> Effects:
    """Return effects that go by the catalog's clock, which is the same on all hosts."""
    real = effects.clock is system_clock
    return replace(effects, clock=catalog.clock) if real else effects


def limiter_of(pool: ArqRedis, settings: Settings, effects: Effects = REAL) -> RedisLimiter:
    """Return the limiter that all workers share."""
    accounts = settings.accounts

    async def wait_for_a_turn(seconds: float) -> None:
        effects.stirred()
        await effects.sleep(seconds)

    return RedisLimiter(
        pool, per_minute=lambda name: accounts[name].requests_per_minute, sleep=wait_for_a_turn
    )


def open_session(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    connections: int,
    effects: Effects = REAL,
) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    """Open a session for the API and recordings of all accounts.

    Raises:
        SettingsError: a variable names a proxy or certificates that cannot be used.
    """
    return open_outbound(
        accounts=settings.accounts.values(),
        environment=environment,
        connections=connections,
        resolver=effects.resolver,
        answered=effects.stirred,
    )


def api_of(
    account: Account,
    settings: Settings,
    session: aiohttp.ClientSession,
    pool: ArqRedis,
    environment: Mapping[str, str],
    effects: Effects = REAL,
    tallies: Tallies | None = None,
) -> Api:
    """Return an account's API.

    Raises:
        CredentialsError: the account has no key or token.
    """
    only = len(settings.accounts) == 1
    return Api(
        session=session,
        account=account,
        credentials=credentials_for(account, environment, only_account=only),
        limiter=limiter_of(pool, settings, effects),
        clock=effects.clock,
        patience=effects.patience,
        tallies=tallies,
    )


async def open_store(settings: Settings, catalog: Catalog) -> Store:
    """Open the archive's files, which are begun only where the catalog knows of none.

    Raises:
        StoreError: the root cannot be written to, is empty though the catalog knows recordings, or
            is none that the catalog knows and should be one.
    """
    files = RootFiles(settings.archive.root)
    number = await catalog.write(
        roots.register,
        files,
        host=host_name(settings),
        shared=settings.archive.shared,
        fresh_mark=secrets.token_hex(8),
        now=catalog.clock(),
    )
    catalog.stand_at(number)
    return Store(files.path, sidecar=settings.archive.sidecar, number=number)


@asynccontextmanager
async def open_parts(
    settings: Settings,
    pool: ArqRedis,
    environment: Mapping[str, str],
    *,
    process: str,
    effects: Effects = REAL,
) -> AsyncIterator[Parts]:
    """Open everything a worker process needs, for the accounts that have a key and token.

    Raises:
        CredentialsError: no account has.
        SettingsError: a variable names a proxy or certificates that cannot be used.
        CatalogError: the catalog cannot be opened.
        StoreError: the archive's root cannot be written to.
    """
    async with AsyncExitStack() as stack:
        only = len(settings.accounts) == 1
        accounts, _ = usable_accounts(settings.accounts, environment)
        catalog = await open_shared(settings)
        stack.push_async_callback(catalog.close)
        effects = by_catalog(effects, catalog)
        capacity = Capacity(settings.worker.downloads, accounts=accounts)
        session = await stack.enter_async_context(
            open_session(settings, environment, connections=capacity.most + 8, effects=effects)
        )
        tallies = Tallies()
        share = settings.worker.rate_of_process
        loop = asyncio.get_running_loop()
        throttle = Throttle(share, clock=loop.time) if share else None
        lines = {
            name: Line(
                account=account,
                api=api_of(account, settings, session, pool, environment, effects, tallies),
                fetcher=Fetcher(
                    session=session,
                    account=account,
                    credentials=credentials_for(account, environment, only_account=only),
                    window=settings.readiness.window,
                    bounds=effects.bounds,
                    throttle=throttle,
                    arrived=effects.stirred,
                ),
            )
            for name, account in accounts.items()
        }
        store = await open_store(settings, catalog)
        publisher = await stack.enter_async_context(Publisher(store))
        yield Parts(
            process=process,
            host=host_name(settings),
            lines=lines,
            catalog=catalog,
            store=store,
            publisher=publisher,
            capacity=capacity,
            readiness=settings.readiness,
            min_free=settings.archive.min_free,
            clock=effects.clock,
            dice=effects.dice,
            stirred=effects.stirred,
            tallies=tallies,
        )
