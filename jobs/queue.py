"""The queue: arq on Redis, kept at the edge.

Redis holds a small window of work in flight and nothing else, so whatever happens to it costs time
and no recording. The pool is built here rather than by arq, whose own has neither timeouts nor
retries for a connection that drops (python-arq/arq issues 402 and 435); messages are msgpack, since
arq's default, pickle, would let whoever writes to Redis run code in the workers.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from archive.errors import QueueError
from archive.timings import JOB_TIMEOUT_S
from jobs.address import read_address
from jobs.connecting import connections
from jobs.payload import Batch, NewerPayloadError, decode_batch, encode_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

QUEUE: Final = "callvault:queue"
ARCHIVE_BATCH: Final = "archive_batch"

_MARK_S: Final = JOB_TIMEOUT_S + 10
"""The life of arq's mark of a begun job: the longest timeout and ten seconds (arq/worker.py)."""
_NO_KEY: Final = -2
"""What PTTL answers where there is no key."""
_RETRIES: Final = 40
"""With waits of up to a second between them: a Redis that restarts is waited for."""


_FIRST_RETRIES: Final = 5
_FIRST_BOUND_S: Final = 20.0
"""How long the first look may take in all."""
IMPATIENT: Final = 1
"""Retries of whoever waits by itself, and says meanwhile what is wrong."""

_PROBE: Final = "callvault:probe"
_GOES_ON: Final = "work goes on when it is back"


def serialise(message: dict[str, Any]) -> bytes:
    """Write arq's message as msgpack. What has no such form (an exception) becomes its text."""
    return msgspec.msgpack.encode(message, enc_hook=repr)


def deserialise(message: bytes) -> dict[str, Any]:
    """Read arq's message."""
    return msgspec.msgpack.decode(message, type=dict[str, Any])


def open_pool(url: str, *, retries: int = _RETRIES) -> ArqRedis:
    """Return a pool of connections for arq; it connects when first used. See `close_pool`."""
    pool = connections(read_address(url), retries=retries)
    return ArqRedis(
        pool, job_serializer=serialise, job_deserializer=deserialise, default_queue_name=QUEUE
    )


async def close_pool(pool: ArqRedis) -> None:
    """Close the pool with all its connections."""
    await pool.aclose(close_connection_pool=True)


async def check_queue(
    url: str, *, retries: int = _FIRST_RETRIES, bound_s: float = _FIRST_BOUND_S
) -> None:
    """Make sure that Redis answers and can be written to, before work is built on it.

    Raises:
        QueueError: it does not or cannot, after a few tries or ``bound_s`` seconds.
    """
    pool = open_pool(url, retries=retries)
    try:
        with queue_errors("reaching the queue"):
            # Where a server lets us in and is silent, redis-py's tries to connect and to ask
            # multiply: six of each would take many minutes.
            try:
                async with asyncio.timeout(bound_s):
                    await pool.set(_PROBE, "1", px=1000)
            except TimeoutError:
                raise TimeoutError(f"no answer within {bound_s:g} s") from None
    finally:
        await close_pool(pool)


@contextmanager
def queue_errors(doing: str) -> Iterator[None]:
    """Turn what a lost Redis raises into one error that says what was being done.

    Raises:
        QueueError: instead of redis' own errors.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        trouble = name_trouble(error)
        raise QueueError(f"{doing}: {trouble.text}", hint=trouble.hint) from error


class Trouble(NamedTuple):
    """What keeps Redis from being used, in a person's words, and what to do about it."""

    text: str
    hint: str


# Older servers wrap what a script met in an error of its own; its words are the same.
_BY_WORDS: Final = {
    ("OOM command not allowed", "OutOfMemoryError"): Trouble(
        "Redis is out of memory",
        "raise its maxmemory, or give callvault a Redis of its own: it needs some 20 MB",
    ),
    ("READONLY", "ReadOnlyError"): Trouble(
        "Redis is read-only",
        "it is a replica: let [queue] url name the primary, or make this one primary",
    ),
    ("CERTIFICATE_VERIFY_FAILED",): Trouble(
        "Redis shows a certificate that is not believed",
        "name the host in [queue] url as its certificate does; a private authority is believed "
        "where ssl_ca_certs in the URL names its file, or SSL_CERT_FILE does",
    ),
    ("No master found",): Trouble(
        "the sentinels tell of no master",
        "check the service's name, the sentinels and their password, if they have one, in [queue] "
        f"url; in a failover {_GOES_ON}",
    ),
}


def name_trouble(error: RedisError | OSError) -> Trouble:
    """Say what is wrong with Redis. Its own words are kept: they hold no password."""
    # On a socket redis-py makes a connection error of whatever was wrong with user or password. Of
    # what a transaction refused it is the other way round: there the cause says less.
    if isinstance(error, RedisConnectionError) and isinstance(error.__cause__, RedisError):
        error = error.__cause__
    said = f"({type(error).__name__}: {error})"
    for words, trouble in _BY_WORDS.items():
        if any(word in said for word in words):
            return trouble._replace(text=f"{trouble.text} {said}")
    match error:
        case AuthenticationError() | NoPermissionError():
            hint = "check the user and the password in [queue] url, and what that user may do"
            return Trouble(f"Redis does not let us in {said}", hint)
        case BusyLoadingError():
            return Trouble(f"Redis is still loading its file {said}", _GOES_ON)
        case ResponseError():
            hint = f"see what its log says; {_GOES_ON}"
            return Trouble(f"Redis refuses to work {said}", hint)
        case _:
            hint = f"check that it runs, and [queue] url; {_GOES_ON}"
            return Trouble(f"Redis does not answer {said}", hint)


class Queued:
    """What stands in the queue: how many batches wait, and the Sids of those looked at.

    ``waiting_of`` counts those that wait by account, ``waiting`` all jobs, also of other makers.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.waiting_of: dict[str, int] = {}
        self.sids: dict[str, set[str]] = {}

    def of(self, account: str) -> set[str]:
        """Return the Sids of an account that are in some batch."""
        return self.sids.get(account, set())


class JobQueue:
    """Puts batches in and looks at what is in. The only caller of ``enqueue_job``."""

    def __init__(self, pool: ArqRedis) -> None:
        self._pool = pool

    async def waiting(self) -> int:
        """Count the jobs that no worker has begun.

        Raises:
            QueueError: Redis does not answer.
        """
        with queue_errors("looking into the queue"):
            ids = await self._ids()
            return len(ids) - await self._running(ids)

    async def look(self, *, leaving_out: AbstractSet[str] = frozenset()) -> Queued:
        """Read what is queued; never remembered, so that a flushed Redis needs no ceremony.

        ``leaving_out`` names jobs whose Sids are not wanted: those that have claimed their calls,
        of which the catalog tells better which are still in work.

        Raises:
            QueueError: Redis does not answer.
        """
        found = Queued()
        with queue_errors("looking into the queue"):
            ids = await self._ids()
            if not ids:
                return found
            marks = await self._pool.mget([f"{in_progress_key_prefix}{i}" for i in ids])
            found.waiting = marks.count(None)
            begun = {job_id for job_id, mark in zip(ids, marks, strict=True) if mark is not None}
            looked = [job_id for job_id in ids if job_id not in leaving_out]
            keys = [f"{job_key_prefix}{job_id}" for job_id in looked]
            jobs = await self._pool.mget(keys) if keys else []
        for job_id, batch in zip(looked, map(_batch_of, jobs), strict=True):
            if batch is None:
                continue
            found.sids.setdefault(batch.account, set()).update(batch.sids)
            waits = int(job_id not in begun)
            found.waiting_of[batch.account] = found.waiting_of.get(batch.account, 0) + waits
        return found

    async def running(self) -> dict[str, float]:
        """Return the jobs that some worker has begun, with how many seconds ago it did.

        Raises:
            QueueError: Redis does not answer.
        """
        with queue_errors("looking into the queue"):
            ids = await self._ids()
            async with self._pool.pipeline(transaction=False) as pipe:
                for job_id in ids:
                    pipe.pttl(f"{in_progress_key_prefix}{job_id}")
                left_ms = await pipe.execute() if ids else []
        return {
            job_id: max(0.0, _MARK_S - left / 1000) if left >= 0 else 0.0
            for job_id, left in zip(ids, left_ms, strict=True)
            if left != _NO_KEY
        }

    async def put(self, batch: Batch) -> None:
        """Add a batch.

        Raises:
            QueueError: Redis does not answer, or is out of memory or read-only.
        """
        with queue_errors("queueing a batch"):
            await self._pool.enqueue_job(ARCHIVE_BATCH, encode_batch(batch))

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Remove dead jobs with all their keys: left alone they sit at the queue's front.

        Raises:
            QueueError: Redis does not answer.
        """
        if not job_ids:
            return
        with queue_errors("removing dead batches"):
            async with self._pool.pipeline(transaction=True) as pipe:
                for job_id in job_ids:
                    pipe.zrem(QUEUE, job_id)
                    pipe.delete(
                        f"{job_key_prefix}{job_id}",
                        f"{retry_key_prefix}{job_id}",
                        f"{in_progress_key_prefix}{job_id}",
                    )
                await pipe.execute()

    async def _ids(self) -> list[str]:
        return [job_id.decode() for job_id in await self._pool.zrange(QUEUE, 0, -1)]

    async def _running(self, ids: list[str]) -> int:
        if not ids:
            return 0
        return int(await self._pool.exists(*(f"{in_progress_key_prefix}{i}" for i in ids)))


def _batch_of(job: bytes | None) -> Batch | None:
    """Return the batch in a job's stored form; None for a job that expired or is another's."""
    if job is None:
        return None
    try:
        arguments = deserialise(job).get("a") or [None]
        return decode_batch(arguments[0])
    except (msgspec.DecodeError, NewerPayloadError, TypeError, IndexError):
        return None
