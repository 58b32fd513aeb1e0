"""The queue's connections by way of real sentinels: found, and followed to a new master."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from archive.errors import QueueError
from jobs.queue import check_queue, close_pool, open_pool
from tests.redises import PASSWORD, SERVICE, documented_user, free_port, until, watched_servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from arq.connections import ArqRedis

    from tests.redises import Server, Watched

OF_SENTINELS = PASSWORD[::-1]
OF_USER = PASSWORD.upper()
OPTION = f"?sentinel_password={quote(OF_SENTINELS, safe='')}"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Two servers that want a password, watched by three sentinels that want another."""
    user = documented_user("+sentinel|masters", OF_USER)
    with watched_servers(
        tmp_path, password=PASSWORD, of_sentinels=OF_SENTINELS, known_user=user
    ) as watched:
        yield watched


async def test_a_new_master_is_followed_whether_the_old_one_lives_or_not(watched: Watched) -> None:
    """Commands on many connections all come to their end, on the new master.

    First the old master is told to be a replica, then the new one is killed.
    """
    pool = open_pool(watched.url(user="default") + OPTION)
    try:
        assert await counted(pool, watched, "first") == 20
        old = watched.master
        with watched.sentinels[0].asked() as line:
            line.execute_command("SENTINEL FAILOVER", SERVICE)
        await asyncio.to_thread(until, lambda: is_replica(old))
        assert await counted(pool, watched, "second") == 20
        assert watched.master is not old
        await asyncio.to_thread(until, watched.is_whole)

        killed_at = time.monotonic()
        watched.master.kill()
        assert await counted(pool, watched, "third") == 20
        gap_s = time.monotonic() - killed_at
        assert watched.master is old
        sys.stderr.write(f"gap of the failover: {gap_s:.1f} s\n")
    finally:
        await close_pool(pool)


async def counted(pool: ArqRedis, watched: Watched, name: str) -> int:
    """Count to 20 on as many connections; return what the master then says."""
    await asyncio.gather(*(pool.incr(name) for _ in range(20)))
    with watched.master.asked() as line:
        return int(line.get(name))


def is_replica(server: Server) -> bool:
    """Tell whether a server takes itself for a replica.

    A sentinel that makes it one ends all of its connections (CLIENT KILL), and maybe the asker's.
    """
    with suppress(RedisConnectionError), server.asked() as line:
        return bool(line.role()[0] == "slave")
    return False


async def test_a_user_with_the_documented_rights_is_told_of_the_master(watched: Watched) -> None:
    """The sentinels refuse it nothing."""
    who = f"sentinel_username=callvault&sentinel_password={quote(OF_USER, safe='')}"
    await check_queue(f"{watched.url(user='default')}?{who}", retries=0)
    for sentinel in watched.sentinels:
        with sentinel.asked() as line:
            assert line.acl_log() == []


async def test_what_the_sentinels_do_not_tell_is_said_in_words(watched: Watched) -> None:
    """A sentinel that is away is passed over; no sentinel, no such service, no password: errors."""
    url, nobody = watched.url(user="default"), f"127.0.0.1:{free_port()}"
    first = url.split("@")[1].split(",")[0]
    await check_queue(url.replace(first, nobody) + OPTION)

    for wrong, hint in (
        (url + "s" + OPTION, "the service's name"),
        (url, "their password"),
        (f"redis+sentinel://{nobody}/{SERVICE}", "the sentinels"),
    ):
        with pytest.raises(QueueError, match="the sentinels tell of no master") as caught:
            await check_queue(wrong, retries=0)
        assert hint in caught.value.hint
        assert "<redis" not in caught.value.message
        assert quote(PASSWORD, safe="") not in caught.value.message
    with pytest.raises(QueueError, match="Redis does not let us in"):
        await check_queue(watched.url() + OPTION, retries=0)
