"""One worker process: arq's Worker with callvault's parts in its context.

``callvault work`` starts these under its supervisor (``python -m worker.main``). Whoever knows arq
can start one with ``arq worker.main.WorkerSettings`` as well; it then dispatches too.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import sys
import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog
from arq.worker import Worker, func

from archive.catalog import pauses, processes
from archive.errors import CallvaultError, CatalogError, QueueError
from archive.layout import PRIVATE_UMASK
from archive.timings import DOWNLOAD_GRACE_S, JOB_TIMEOUT_S
from jobs.batch import archive_batch
from jobs.parts import CTX_KEY, Parts, parts_of
from jobs.queue import (
    ARCHIVE_BATCH,
    IMPATIENT,
    QUEUE,
    close_pool,
    deserialise,
    open_pool,
    queue_errors,
    serialise,
)
from worker.build import REAL, open_parts
from worker.heart import beat, keep_beating, keep_signing
from worker.leading import lead_until
from worker.logs import configure_logging, quieten
from worker.places import host_name
from worker.pulse import FREE, STARTING, Pulse, nobody, sign_of
from worker.queues import queue_url
from worker.secrets import secrets_in
from worker.sections import EMBEDDED
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from arq.connections import ArqRedis

# Set by the supervisor for its children. They are no settings, hence not of their prefix.
QUEUE_URL_VARIABLE: Final = "CALLVAULTD_QUEUE"
"""The URL of the queue the supervisor keeps. Its absence tells a bare worker."""
PROCESS_VARIABLE: Final = "CALLVAULTD_PROCESS"
"""The name by which the supervisor knows the process."""
QUIET_VARIABLE: Final = "CALLVAULTD_QUIET"
"""Set where a progress bar is shown: only warnings are logged."""

_POLL_S: Final = 0.1
_HEALTH_S: Final = 15
_NOTE_S: Final = 3
CATALOG_LOST: Final = 74
"""The exit code of a process that found the catalog's server away when it began (``EX_IOERR``)."""
QUEUE_LOST: Final = 75
"""The exit code of a process that lost Redis (``EX_TEMPFAIL``): its supervisor waits for that."""
_GC: Final = (20_000, 20, 20)
_log = structlog.get_logger()


def settings_of_environment() -> Settings:
    """Read the settings as a worker process does: from the environment's file."""
    return load_settings(None, os.environ)


async def start(ctx: dict[str, Any]) -> None:
    """Arq's ``on_startup``: open the parts, begin to beat, and lead if nobody supervises."""
    os.umask(PRIVATE_UMASK)
    quieten()
    settings: Settings = ctx["settings"]
    stack = AsyncExitStack()
    ctx["stack"] = stack
    process = os.environ.get(PROCESS_VARIABLE) or f"{host_name(settings)}-{secrets.token_hex(4)}"
    parts = await stack.enter_async_context(
        open_parts(
            settings,
            ctx["redis"],
            os.environ,
            process=process,
            effects=replace(REAL, stirred=ctx.get("stirred", nobody)),
        )
    )
    ctx[CTX_KEY] = parts
    await beat(parts)
    _in_background(stack, keep_beating(parts))
    if QUEUE_URL_VARIABLE not in os.environ:
        await parts.catalog.write(pauses.probe_all, parts.clock())
        pool = open_pool(_queue_url(settings), retries=IMPATIENT)
        stack.push_async_callback(close_pool, pool)
        _in_background(
            stack,
            lead_until(
                parts.stopping,
                settings=settings,
                accounts=[line.account for line in parts.lines.values()],
                pool=pool,
                catalog=parts.catalog,
                store=parts.store,
            ),
        )
        _tell_on_signal(parts)


async def stop(ctx: dict[str, Any]) -> None:
    """Arq's ``on_shutdown``: batches have ended by now; say goodbye and close the parts."""
    parts: Parts | None = ctx.get(CTX_KEY)
    if parts is not None:
        parts.stopping.set()
        try:
            await beat(parts)
            await parts.catalog.write(processes.retire, parts.process, parts.clock())
        except CatalogError as error:
            _log.warning("cannot say goodbye", error=error.message)
    # arq stops also what could not start: then there is nothing to close.
    if stack := ctx.get("stack"):
        await stack.aclose()


def _in_background(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


def _tell_on_signal(parts: Parts) -> None:
    """Let batches know of a stop in a worker that arq's own command line runs.

    arq has its own handlers on the loop and hands them to nobody. A handler of `signal.signal` is
    called beside them, as the loop only listens to the wake-up that the interpreter sends it.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(parts.stopping.set))


_FUNCTIONS: Final = [func(archive_batch, name=ARCHIVE_BATCH, max_tries=10**6)]


def _arguments(settings: Settings, pool: ArqRedis) -> dict[str, Any]:
    """Return what arq's Worker is told, the same however it is started."""
    return {
        "functions": _FUNCTIONS,
        "queue_name": QUEUE,
        "redis_pool": pool,
        "on_startup": start,
        "on_shutdown": stop,
        "max_jobs": settings.worker.downloads,
        "job_timeout": JOB_TIMEOUT_S,
        "job_completion_wait": DOWNLOAD_GRACE_S,
        "keep_result": 0,
        "poll_delay": _POLL_S,
        "queue_read_limit": 1000,
        "health_check_interval": _HEALTH_S,
        "health_check_key": f"{QUEUE}:health:{os.getpid()}",
        "job_serializer": serialise,
        "job_deserializer": deserialise,
        "ctx": {"settings": settings},
        "log_results": False,
    }


def _queue_url(settings: Settings) -> str:
    if url := os.environ.get(QUEUE_URL_VARIABLE):
        return url
    if settings.queue.url != EMBEDDED:
        return queue_url(settings, os.environ)
    raise QueueError(
        "a bare arq worker needs a Redis that is there already, but [queue] url is 'embedded'",
        hint="set [queue] url, or start workers with 'callvault work', which brings its own",
    )


def __getattr__(name: str) -> dict[str, Any]:
    """Make ``WorkerSettings`` when arq asks for it, so that importing this module reads nothing.

    arq takes a dictionary in place of a settings class.
    """
    if name != "WorkerSettings":
        raise AttributeError(name)
    try:
        settings = settings_of_environment()
        configure_logging(settings.log, secrets=secrets_in(os.environ, settings.queue.url))
        return _arguments(settings, open_pool(_queue_url(settings)))
    except CallvaultError as error:
        sys.stderr.write(f"callvault: {error.message}\n{error.hint}\n")
        raise SystemExit(int(error.exit_code)) from None


class _Supervised:
    """A worker process under the supervisor, which stops it by SIGTERM, or by its own death."""

    def __init__(self, settings: Settings) -> None:
        self._pool = open_pool(_queue_url(settings))
        arguments = {**_arguments(settings, self._pool), "on_startup": self._start}
        arguments["ctx"]["stirred"] = self._stir
        self._worker = Worker(handle_signals=False, **arguments)
        self._ending: asyncio.Task[None] | None = None
        self._pulse = Pulse()
        self._signed = STARTING
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Work until told to end.

        Raises:
            QueueError: Redis was lost; what was in work is given back by then.
            CallvaultError: work cannot begin.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        threading.Thread(target=self._wait_for_supervisor, args=(loop,), daemon=True).start()
        signing = asyncio.create_task(keep_signing(self._sign, self._woken))
        running = asyncio.create_task(self._worker.async_run())
        try:
            with queue_errors("working on the queue"):
                await running
        except asyncio.CancelledError:
            pass  # how arq's worker ends when it was told to
        finally:
            await self._close()
            signing.cancel()

    async def _close(self) -> None:
        """End what runs and say goodbye.

        Not by arq's own way: that waits for Redis, which may be why we end, before it calls
        ``on_shutdown``.
        """
        worker = self._worker
        for task in worker.tasks.values():
            task.cancel()
        await _end_batches(worker)
        await stop(worker.ctx)
        await close_pool(self._pool)

    def _sign(self) -> bytes:
        parts: Parts | None = self._worker.ctx.get(CTX_KEY)
        if parts is not None:
            moved = self._pulse.take()
            self._signed = sign_of(moved=moved, holds=bool(parts.in_work.all()))
        return self._signed

    def _stir(self) -> None:
        self._pulse.stir()
        if self._signed in {STARTING, FREE}:
            self._woken.set()

    async def _start(self, ctx: dict[str, Any]) -> None:
        await start(ctx)
        self._stir()
        parts_of(ctx).capacity.on_change = self._pick_one_more
        self._pick_one_more(room=True)

    def _pick_one_more(self, room: bool) -> None:  # noqa: FBT001 - the callback's one fact
        """Let arq pick a batch only when it can begin: the others are for other processes."""
        self._worker.max_jobs = self._worker.job_counter + (1 if room else 0)

    def _stop(self) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())

    async def _end(self) -> None:
        """Let begun downloads finish within their grace, then end arq's worker."""
        loop = asyncio.get_running_loop()
        worker = self._worker
        worker.allow_pick_jobs = False
        until = loop.time() + DOWNLOAD_GRACE_S
        while loop.time() < until:
            # Asked again each time: a stop may come before the parts are there.
            parts: Parts | None = worker.ctx.get(CTX_KEY)
            if parts is not None:
                parts.stopping.set()
            if not worker.job_tasks:
                break
            await asyncio.sleep(_POLL_S)
        await _end_batches(worker)
        while worker.main_task is None or not worker.main_task.done():
            # Again and again: what runs while a worker starts may swallow a cancellation.
            if worker.main_task is not None:
                worker.main_task.cancel()
            await asyncio.sleep(_POLL_S)

    def _wait_for_supervisor(self, loop: asyncio.AbstractEventLoop) -> None:
        """End with the supervisor: it holds the other end of our standard input."""
        while os.read(0, 1):
            pass
        loop.call_soon_threadsafe(self._stop)


async def _end_batches(worker: Worker) -> None:
    """Cancel the batches in work, and leave arq a moment to note their end in Redis.

    No longer than that: a Redis that is away is no reason to stay. The leader finds what is left.
    """
    for batch in list(worker.job_tasks.values()):
        batch.cancel()
    if tasks := list(worker.tasks.values()):
        await asyncio.wait(tasks, timeout=_NOTE_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _supervised(settings: Settings) -> None:
    # arq's Worker wants a running loop when it is built.
    await _Supervised(settings).run()


def main() -> int:
    """Run one worker process under a supervisor; return the exit code."""
    import uvloop  # noqa: PLC0415 - a bare arq worker does without

    settings = settings_of_environment()
    configure_logging(
        settings.log,
        quiet=QUIET_VARIABLE in os.environ,
        secrets=secrets_in(os.environ, settings.queue.url),
    )
    # What is there when work begins stays; looking at it again and again finds nothing.
    gc.freeze()
    gc.set_threshold(*_GC)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_supervised(settings))
    except QueueError as error:
        _log.warning("the worker lost the queue", error=error.message, hint=error.hint)
        return QUEUE_LOST
    except CatalogError as error:
        _log.error("the worker cannot go on", error=error.message, hint=error.hint)
        return CATALOG_LOST if error.is_away else int(error.exit_code)
    except CallvaultError as error:
        _log.error("the worker cannot go on", error=error.message, hint=error.hint)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
