"""A real Valkey for the tests: one per test process, started the way callvault starts its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from jobs.queue import close_pool, open_pool
from tests.integration.working import Recorded
from tests.provider import running_provider
from worker.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from arq.connections import ArqRedis


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that the tests of this process share."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey.url


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of that server, which is empty at the start of each test."""
    async with Redis.from_url(valkey_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def pool(redis: Redis, valkey_url: str) -> AsyncIterator[ArqRedis]:
    """A pool as the workers have it, on an empty server."""
    await redis.ping()
    pool = open_pool(valkey_url)
    yield pool
    await close_pool(pool)


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    """A stand-in that the tests of a module share, each with calls of its own."""
    options = ("--calls", "1200", "--bytes", "112000", "--urls", "both", "--rate-limit", "0")
    with running_provider(*options, "--format", "mp3") as provider:
        yield Recorded(provider)
