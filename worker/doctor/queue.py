"""Checks of the queue: reachable, its version, policy, persistence, memory and answering time."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from redis.exceptions import RedisError

from archive.errors import QueueError
from jobs.queue import IMPATIENT, close_pool, open_pool, queue_errors
from worker.doctor.check import Check, Found, Group, Once, aside, failed, passed, skipped, warned
from worker.queues import queue_url
from worker.sections import EMBEDDED
from worker.valkey import EmbeddedValkey, socket_path
from worker.valkey_binary import OLDEST, find_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis.asyncio import Redis

    from worker.doctor.world import World

_PATIENCE_S: Final = 8.0
_PINGS: Final = 7
_SLOW_MS: Final = 20.0
_FULL: Final = 0.9
_NEEDED: Final = 32 * 2**20
_NEEDS: Final = frozenset({"queue"})


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself. ``persists`` are the ways in which it keeps what it holds.

    ``own`` is how ours was found: ``running``, or ``tried`` where it was started for the check;
    empty for a server that is somebody else's. ``program`` is what was started. ``most`` is its
    maxmemory, 0 for none.
    """

    version: str
    policy: str
    persists: tuple[str, ...]
    failing: tuple[str, ...]
    role: str
    used: int
    most: int
    ping_ms: float
    own: str = ""
    program: str = ""


def checks(world: World) -> Iterator[Check]:
    """Return the checks of the queue."""
    server = Once(partial(look_at_queue, world))
    make = partial(Check, group=Group.QUEUE, needs=_NEEDS, limit_s=20)

    async def queue() -> Found:
        return judge_server(await server())

    async def judged(judge: Any) -> Found:  # noqa: ANN401 - one of the judgements below
        try:
            found: Found = judge(await server())
        except QueueError:
            return skipped("the queue cannot be reached")
        return found

    yield make(name="queue", look=queue, fatal=True)
    yield make(name="policy", look=partial(judged, judge_policy))
    yield make(name="persistence", look=partial(judged, judge_persistence))
    yield make(name="memory", look=partial(judged, judge_memory), fatal=True)
    yield make(name="latency", look=partial(judged, judge_latency))


async def look_at_queue(world: World) -> Server:
    """Ask the configured server; one of our own that does not run is started, and ended, elsewhere.

    So no lock is taken and no file touched that a supervisor would want.

    Raises:
        QueueError: there is none, or it cannot be used.
    """
    queue = world.settings.queue
    if queue.url != EMBEDDED:
        return await ask(queue_url(world.settings, world.environment))
    socket = socket_path(queue.state.resolve())
    if await aside(socket.exists):
        # A socket that nobody listens on is what a killed server leaves.
        with suppress(QueueError):
            return msgspec.structs.replace(await ask(_url(socket)), own="running")
    return await asyncio.to_thread(_try_one)


def _try_one() -> Server:
    program = find_server()
    with (
        tempfile.TemporaryDirectory(prefix="callvault-doctor-") as folder,
        EmbeddedValkey(Path(folder), find=lambda: program) as valkey,
    ):
        server = asyncio.run(ask(valkey.url))
    return msgspec.structs.replace(server, own="tried", program=str(program))


def _url(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


async def ask(url: str) -> Server:
    """Ask a server what it says of itself.

    Raises:
        QueueError: it does not answer, or does not let us in.
    """
    pool = open_pool(url, retries=IMPATIENT)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await _asked(pool)
    except TimeoutError as error:
        raise QueueError(
            f"reaching the queue: no answer within {_PATIENCE_S:.0f} s",
            hint="check that it runs, and [queue] url; a firewall that drops is as silent",
        ) from error
    finally:
        await close_pool(pool)


async def _asked(pool: Redis) -> Server:
    with queue_errors("reaching the queue"):
        pings = [await _ping(pool) for _ in range(_PINGS)]
        return read_info(await pool.info(), await _saves(pool), median(pings))


async def _ping(pool: Redis) -> float:
    began = time.perf_counter()
    await pool.ping()
    return (time.perf_counter() - began) * 1000


async def _saves(pool: Redis) -> str | None:
    """Return when it saves by itself; None where that may not be asked."""
    try:
        return str((await pool.config_get("save")).get("save", ""))
    except RedisError:  # managed ones often refuse CONFIG
        return None


def read_info(info: Mapping[str, Any], saves: str | None, ping_ms: float) -> Server:
    """Make facts of what INFO says; where it says nothing, nothing is taken to be wrong."""
    aof, rdb = str(info.get("aof_enabled", "")) == "1", bool(saves)
    failing = {
        "AOF": aof and "aof_last_write_status" in info and info["aof_last_write_status"] != "ok",
        "RDB": rdb and info.get("rdb_last_bgsave_status", "ok") != "ok",
    }
    told = {"AOF": aof, "RDB": rdb, "unknown": not aof and saves is None}
    return Server(
        version=str(info.get("valkey_version") or info.get("redis_version") or ""),
        policy=str(info.get("maxmemory_policy", "")),
        persists=tuple(name for name, holds in told.items() if holds),
        failing=tuple(name for name, fails in failing.items() if fails),
        role=str(info.get("role", "")),
        used=_number(info.get("used_memory")),
        most=_number(info.get("maxmemory")),
        ping_ms=ping_ms,
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def judge_server(server: Server) -> Found:
    """Tell whether the server can be worked with."""
    ways = {
        "running": "its own server runs",
        "tried": f"none runs just now; {server.program} was started for this check and ended",
    }
    said = f"version {server.version or 'unknown'}; {ways.get(server.own, 'it answers')}"
    if server.role in {"slave", "replica"}:
        return failed(
            f"{said}, but it is a replica, which takes no writes",
            "let [queue] url name the primary",
        )
    seen = re.match(r"(\d+)\.(\d+)", server.version)
    if seen and (int(seen[1]), int(seen[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return warned(f"{said}, older than {oldest}", "install a newer valkey-server or redis")
    return passed(said)


def judge_policy(server: Server) -> Found:
    """Tell whether the server keeps what it was given."""
    if not server.policy:
        return skipped("the server does not tell its maxmemory-policy")
    if server.policy != "noeviction":
        return warned(
            f"maxmemory-policy is {server.policy}: where memory runs short it drops batches, which "
            "come later then, and the counts that keep requests within the provider's limit",
            "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in its redis.conf",
        )
    return passed("maxmemory-policy is noeviction")


def judge_persistence(server: Server) -> Found:
    """Tell whether what is queued outlives a restart; if not, that costs seconds and no call."""
    if server.failing:
        return warned(
            f"the server cannot write its {' and '.join(server.failing)}",
            "see its log, and the room on its disk",
        )
    if "unknown" in server.persists:
        return skipped("the server does not tell whether it persists")
    if not server.persists:
        return warned(
            "neither AOF nor RDB is on: after a restart the queue is filled anew from the catalog",
            "redis-cli CONFIG SET appendonly yes, and the same in its redis.conf",
        )
    return passed(f"{' and '.join(server.persists)} is on")


def judge_memory(server: Server) -> Found:
    """Tell whether there is room in the server's memory for some more batches."""
    used = f"{server.used / 1e6:,.1f} MB are used"
    if server.most <= 0:
        return passed(f"{used}, without a limit")
    said = f"{used} of {server.most / 1e6:,.1f} MB"
    do = "raise its maxmemory, or give callvault a Redis of its own: it needs some 20 MB"
    if server.used >= server.most:
        return failed(said, do)
    if server.used > server.most * _FULL or server.most < _NEEDED:
        return warned(said, do)
    return passed(said)


def judge_latency(server: Server) -> Found:
    """Tell whether the server answers quickly: the limiter asks it before every request."""
    said = f"it answers within {server.ping_ms:.1f} ms"
    if server.ping_ms > _SLOW_MS:
        return warned(said, "use a Redis on this machine or in its network; see its SLOWLOG")
    return passed(said)
