"""``callvault work``: worker processes under one supervisor, which also leads.

The supervisor starts the queue where it is embedded, one process per core, and what must run beside
arq (dispatching, rescue, day files). A process that dies is started again; its calls are given back
at once, since its end is certain. A drain ends when every known call is settled.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from archive.call import State
from archive.catalog import balance, counts, pauses, processes, tallies
from archive.catalog.held import read_held
from archive.clock import system_clock
from archive.errors import (
    CallvaultError,
    CatalogError,
    CredentialsError,
    Exit,
    FatalError,
    LaterError,
    QueueError,
    leaves,
)
from archive.outbound import check_environment
from archive.tallies import REQUESTS
from archive.waits import waiting_text
from jobs.daykeeper import settle_days, write_changed_days
from jobs.queue import IMPATIENT, check_queue, close_pool, open_pool
from jobs.rescue import sweep
from worker import notify
from worker.build import open_store
from worker.child import run_child
from worker.ending import hopeless, waits_for_hours
from worker.leading import lead_until
from worker.main import (
    CATALOG_LOST,
    PROCESS_VARIABLE,
    QUEUE_LOST,
    QUEUE_URL_VARIABLE,
    QUIET_VARIABLE,
)
from worker.opening import open_shared
from worker.outlook import Watch, correct_deletion_days, hold_up
from worker.places import host_name
from worker.progress import RunState, rest_after
from worker.pulse import Crew
from worker.queue_warnings import warn_of_queue
from worker.queues import keep_queue
from worker.secrets import usable_accounts
from worker.service import Service, StatusProgress
from worker.settings import CONFIG_VARIABLE, Settings
from worker.statedisk import Lookout, full_disk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arq.connections import ArqRedis

    from archive.accounts import Account
    from archive.catalog.balance import Tally
    from archive.catalog.pauses import Paused
    from archive.catalog.writer import Catalog
    from archive.store import Store
    from worker.progress import Progress

_RESTART_CAP_S: Final = 30.0
_HOPELESS_DEATHS: Final = 8
"""Quick deaths of a worker in a row, after which a drain ends: some half a minute."""
_LIVED_LONG_S: Final = 60.0
_QUEUE_LOOK_S: Final = 0.5
_DRAIN_PATIENCE_S: Final = 300.0
_STOP_PATIENCE_S: Final = 5.0
"""How long a stop goes on to write day files."""
_WORKERS: Final = "workers"
"""The part of the service that is ready when a worker process can work."""
_log = structlog.get_logger()


class Supervisor:
    """Runs until told to stop, or, draining, until every known call is settled."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        drain: bool,
        progress: Progress,
        service: Service | None = None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._drain = drain
        self.service = service or Service()
        self.service.expect(_WORKERS)
        self._crew = Crew(lambda: self.service.has(_WORKERS))
        self.service.watch(self._crew.facts)
        self._disk = Lookout(partial(full_disk, settings), time.monotonic)
        self._progress = StatusProgress(
            self.service, progress, trouble=lambda: self._disk.words or self._crew.trouble
        )
        self._stopping = asyncio.Event()
        self._interrupted = False
        self._started_at = system_clock()
        self._trouble: CallvaultError | None = None
        self._archived_before = 0
        self._asked_before = 0
        self._at_risk = 0
        self._accounts: dict[str, Account] = {}
        self._left_out: dict[str, CredentialsError] = {}

    async def run(self) -> Exit:
        """Run, and return the exit code.

        Raises:
            CallvaultError: work cannot begin, or cannot go on.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._interrupt)
        settings = self._settings
        check_environment(settings.accounts.values(), self._environment)
        self._accounts, self._left_out = usable_accounts(settings.accounts, self._environment)
        catalog = await open_shared(settings)
        try:
            self._started_at = catalog.clock()
            store = await open_store(settings, catalog)
            if not (self._drain and await self._is_settled(catalog)):
                async with self.service.running(self._stopping):
                    await self._work(catalog, store)
            # What a stop has no time for stays marked, and the next run writes it.
            patience_s = _STOP_PATIENCE_S if self._interrupted else None
            await write_changed_days(catalog, settings.archive.root, patience_s=patience_s)
            return await self._conclude(catalog)
        except (CatalogError, QueueError) as error:
            # What no room was left for is known by its cause rather than by what failed first.
            if (full := full_disk(settings)) is not None:
                raise full.error() from error
            raise
        finally:
            await catalog.close()

    async def _work(self, catalog: Catalog, store: Store) -> None:
        self._archived_before = (await self._tally(catalog)).states[State.ARCHIVED]
        self._asked_before = await catalog.read(tallies.total_of, REQUESTS)
        await catalog.write(pauses.probe_all, catalog.clock())
        await hold_up(catalog, self._left_out, catalog.clock())
        await sweep(catalog, store)
        await correct_deletion_days(catalog, self._settings.accounts.values())
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(keep_queue(self._settings, self._environment))
            pool = open_pool(url, retries=IMPATIENT)
            stack.push_async_callback(close_pool, pool)
            await check_queue(url)
            await warn_of_queue(self._settings, self._environment)
            self._progress.begin()
            stack.callback(self._progress.end)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._lead(catalog, store, pool))
                    tasks.create_task(self._watch(catalog))
                    for _ in range(self._settings.worker.process_count):
                        tasks.create_task(self._keep_running(catalog, url))
            except* CallvaultError as group:
                self._trouble = next(leaves(group))
            with suppress(CatalogError):  # the last figures; the balance is read apart
                await self._look(catalog)

    def stop(self) -> None:
        """Stop as at a signal: begun downloads get their time, and nothing is lost."""
        self._interrupt()

    def _interrupt(self) -> None:
        self._interrupted = True
        self._stopping.set()

    def _stop_for(self, trouble: CallvaultError) -> None:
        self._trouble = self._trouble or trouble
        self._stopping.set()

    async def _lead(self, catalog: Catalog, store: Store, pool: ArqRedis) -> None:
        try:
            await lead_until(
                self._stopping,
                settings=self._settings,
                accounts=self._accounts.values(),
                pool=pool,
                catalog=catalog,
                store=store,
                # A service waits for what is away; a drain has somebody who waits for its end.
                patience_s=_DRAIN_PATIENCE_S if self._drain else None,
                crew=self._crew,
            )
        except CallvaultError as error:
            self._stop_for(error)

    async def _watch(self, catalog: Catalog) -> None:
        """Show the progress, and end a drain when it is done or hopeless."""
        loop = asyncio.get_running_loop()
        settings = self._settings
        deletions = Watch(catalog, settings.accounts.values(), catalog.clock, settings.backfill)
        while not self._stopping.is_set():
            began = loop.time()
            if not catalog.is_in_its_place():
                self._stop_for(_catalog_gone(catalog))
                return
            full = self._disk.look()
            if full is not None and self._drain:
                self._stop_for(full)
                return
            try:
                await self._look(catalog)
                self._at_risk = await deletions.look()
            except CatalogError as error:
                _log.warning("cannot read the catalog", error=error.message)
            await self._rest(rest_after(loop.time() - began))

    async def _look(self, catalog: Catalog) -> None:
        tally = await self._tally(catalog)
        _, size = await catalog.read(processes.work_since, self._started_at)
        held = await catalog.read(pauses.pauses)
        now, settings = system_clock(), self._settings
        in_hours = await catalog.read(read_held, self._accounts.values(), settings.backfill, now)
        zone = next(iter(settings.accounts.values())).zone
        self._progress.update(
            RunState(
                tally=tally,
                recordings=tally.states[State.ARCHIVED] - self._archived_before,
                size=size,
                requests=await catalog.read(tallies.total_of, REQUESTS) - self._asked_before,
                at_risk=self._at_risk,
                held=tuple(held),
                in_hours=sum(one.calls for one in in_hours),
                waiting=waiting_text(tally.waits, in_hours, zone=zone),
            )
        )
        if not self._drain:
            return
        # Not by the tally: were a count wrong, a drain would leave calls behind.
        if await self._is_settled(catalog):
            self._stopping.set()
        else:
            await self._end_if_hopeless(catalog, held)

    async def _end_if_hopeless(self, catalog: Catalog, held: list[Paused]) -> None:
        """Stop a drain when nothing that waits can go on before long: see exit codes 5 and 7."""
        accounts, backfill = self._accounts, self._settings.backfill
        why = (
            await catalog.read(hopeless, accounts, held, host_name(self._settings))
            if held
            else None
        )
        if why is None:
            why = await catalog.read(waits_for_hours, accounts, backfill, catalog.clock())
        if why is not None:
            self._stop_for(why)

    async def _keep_running(self, catalog: Catalog, url: str) -> None:
        """Keep one worker process running, started again with a growing delay when it dies."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while not self._stopping.is_set():
            began = loop.time()
            code = await self._run_one(catalog, url)
            if self._stopping.is_set():
                return
            if code in {Exit.USAGE, Exit.FATAL}:
                self._stop_for(FatalError("a worker process could not begin: see above"))
                return
            # A queue or catalog that is away ends a drain by the leader's patience.
            is_away = code in {CATALOG_LOST, QUEUE_LOST}
            if self._drain and not is_away and deaths >= _HOPELESS_DEATHS:
                self._stop_for(CallvaultError("worker processes keep dying: see the log above"))
                return
            deaths = 0 if loop.time() - began > _LIVED_LONG_S else deaths + 1
            delay = min(_RESTART_CAP_S, 0.1 * 2**deaths)
            _log.warning("a worker process died and is started again", code=code, in_s=delay)
            await self._rest(delay)
            if code == QUEUE_LOST:
                await self._until_the_queue_works(url)

    async def _run_one(self, catalog: Catalog, url: str) -> int:
        name = f"{host_name(self._settings)}-{secrets.token_hex(4)}"
        environment = {
            **{k: v for k, v in self._environment.items() if k not in notify.VARIABLES},
            CONFIG_VARIABLE: self._settings.source,
            QUEUE_URL_VARIABLE: url,
            PROCESS_VARIABLE: name,
        }
        if self._progress.wants_quiet:
            environment[QUIET_VARIABLE] = "1"
        signed = partial(self._crew.signed, name)
        code = await run_child(environment, self._stopping, signed=signed)
        self._crew.gone(name)
        try:
            # Its end is certain, so its calls need not wait for the lease to lapse.
            await catalog.write(processes.retire, name, catalog.clock())
        except CatalogError as error:
            _log.warning("its calls are given back when its lease lapses", error=error.message)
        return code

    async def _until_the_queue_works(self, url: str) -> None:
        """Wait for Redis: a worker started sooner would only die of it again."""
        while not self._stopping.is_set():
            try:
                await check_queue(url, retries=0)
            except QueueError:
                await self._rest(_QUEUE_LOOK_S)
            else:
                return

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _is_settled(self, catalog: Catalog) -> bool:
        return (await catalog.read(balance.unsettled_accounts)).isdisjoint(self._accounts)

    async def _tally(self, catalog: Catalog) -> Tally:
        return await catalog.read(balance.tally, self._accounts, catalog.clock())

    async def _conclude(self, catalog: Catalog) -> Exit:
        """Give back what killed processes held, and say how the run ended."""
        settings = self._settings
        if not catalog.is_in_its_place():
            raise _catalog_gone(catalog)
        await catalog.write(processes.rescue, catalog.clock())
        lost = await catalog.read(balance.troubled_since, self._started_at) if self._drain else 0
        # That calls wait for their hours is told of by the next run, too; what was lost is not.
        if self._trouble is not None and not (lost and isinstance(self._trouble, LaterError)):
            raise self._trouble
        if not self._drain:
            return Exit.COMPLETE
        if lost:
            return Exit.PERMANENT_LOSSES
        if self._interrupted and not await self._is_settled(catalog):
            return Exit.WORK_REMAINS
        waiting = await catalog.read(balance.unsettled_accounts)
        for name in waiting & set(self._left_out):
            raise self._left_out[name]
        if strangers := waiting - set(settings.accounts):
            names = ", ".join(sorted(strangers))
            _log.warning("calls of accounts that are not in the settings remain", accounts=names)
            return Exit.WORK_REMAINS
        if not await settle_days(catalog, settings.archive.root):
            raise FatalError(
                "SHA256SUMS or manifest.jsonl of some days could not be written",
                hint="check that the day folders below [archive] root are ours to write to",
            )
        if faults := await catalog.read(counts.audit):
            raise CallvaultError(f"the books do not balance: {'; '.join(faults)}")
        return Exit.COMPLETE


def _catalog_gone(catalog: Catalog) -> CatalogError:
    return CatalogError(
        f"the catalog {catalog.name} was removed or replaced while it was in use",
        hint="put it back, or enqueue the same calls again: files that are there are adopted",
    )
