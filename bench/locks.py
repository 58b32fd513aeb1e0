"""How long the catalog's writers wait for its lock, with everybody at it at once.

Several processes claim and settle as workers do, beside an import of CDR rows and `status` in a
loop, on one catalog. What is measured is the time from asking for the write lock to having it, and
the time that it is then held. The disk decides much of it: a commit is flushed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import platform
import secrets
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.accounts import Account
from archive.call import CallFacts, Source
from archive.catalog import balance, processes, work
from archive.catalog.database import Tx, file_of
from archive.catalog.sqlite import SqliteDatabase
from archive.catalog.writer import Catalog
from archive.clock import system_clock
from archive.readiness import Readiness
from archive.timings import HEARTBEAT_S
from archive.verdicts import Absent
from jobs.intake import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Event

_ACCOUNT: Final = Account(name="main", sid="acme1")
_BEGAN: Final = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)
_BATCH: Final = 100
_AT_ONCE: Final = 16
"""Downloads side by side, each of which ends with a write of its own."""


class Timed(SqliteDatabase):
    """A connection that notes how long it waited for the lock, and how long it then held it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.waits: list[float] = []
        self.holds: list[float] = []

    def _begin(self) -> None:
        began = time.perf_counter()
        super()._begin()
        self.waits.append(time.perf_counter() - began)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Write, and note how long the lock was held."""
        with super().write() as tx:
            began = time.perf_counter()
            yield tx
        self.holds.append(time.perf_counter() - began)


def main() -> None:
    """Run everybody for a while and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--download-ms", type=float, default=60)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="callvault-bench-", dir=".") as folder:
        path = Path(folder) / "catalog.db"
        _import(path, 20_000, start=0)
        _run(path, chosen)


def _run(path: Path, chosen: argparse.Namespace) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    folder = path.parent
    workers = [
        context.Process(target=_work, args=(path, folder / f"worker{n}", chosen.download_ms, stop))
        for n in range(chosen.processes)
    ]
    asking = context.Process(target=_ask, args=(path, folder / "status", stop))
    for process in (*workers, asking):
        process.start()
    began = time.perf_counter()
    importing = _import(path, chosen.rows, start=1_000_000)
    took = time.perf_counter() - began
    stop.set()
    for process in (*workers, asking):
        process.join()
    print(f"{chosen.processes} workers, an import of {chosen.rows:,} rows ({took:.0f} s), status;")
    print(f"{os.cpu_count()} cores {platform.machine()}; milliseconds")
    print(f"{'':28}{'writes':>9}{'p50':>9}{'p99':>9}{'max':>9}")
    told = [json.loads((folder / f"worker{n}").read_text()) for n in range(chosen.processes)]
    status = json.loads((folder / "status").read_text())
    _line("workers wait for the lock", _all(told, "waits"))
    _line("workers hold it", _all(told, "holds"))
    _line("workers' writes, whole", _all(told, "writes"))
    _line("the import waits for it", importing.waits)
    _line("the import holds it", importing.holds)
    _line("status, whole", status["reads"])
    settled = sum(one["settled"] for one in told)
    print(f"{settled:,} calls settled, {settled / took:,.0f} a second")


def _all(told: list[dict[str, list[float]]], what: str) -> list[float]:
    return list(itertools.chain.from_iterable(one[what] for one in told))


def _line(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    print(f"{name:28}{len(ordered):>9,}{p50:>9.1f}{p99:>9.1f}{ordered[-1] * 1000:>9.1f}")


def _import(path: Path, rows: int, *, start: int) -> Timed:
    """Take calls in, as `enqueue cdr` does."""
    database = Timed(path)
    desk = Desk(
        database=database,
        account=_ACCOUNT,
        readiness=Readiness(),
        clock=system_clock,
        dry_run=False,
    )
    calls = (_call(number) for number in range(start, start + rows))
    desk.take_rows(calls, Source.CDR, lambda _: None)
    database.close()
    return database


def _call(number: int) -> CallFacts:
    began = _BEGAN + timedelta(seconds=number % 86_400)
    return CallFacts(
        # In no order, as the provider's are.
        sid=f"{number * 2654435761 % 2**32:08x}{number:024x}",
        created_at=began,
        started_at=began,
        ended_at=began + timedelta(seconds=65),
        duration_s=65,
        status="completed",
        direction="inbound",
        from_number="0000000000",
        to_number="0000000001",
    )


def _ask(path: Path, told: Path, stop: Event) -> None:
    """Ask again and again how many calls stand where."""
    reads = []
    while not stop.wait(0.2):
        began = time.perf_counter()
        database = SqliteDatabase(path)
        with database.read() as tx:
            balance.balance(tx)
        database.close()
        reads.append(time.perf_counter() - began)
    told.write_text(json.dumps({"reads": reads}))


def _work(path: Path, told: Path, download_ms: float, stop: Event) -> None:
    asyncio.run(_Worker(path, download_ms, stop).run(told))


class _Worker:
    """Claims batches and settles their calls, one write each, some at once."""

    def __init__(self, path: Path, download_ms: float, stop: Event) -> None:
        self._opened: list[Timed] = []
        self._catalog = Catalog(path, self._open)
        self._download_s = download_ms / 1000
        self._stop = stop
        self._name = secrets.token_hex(4)
        self._writes: list[float] = []
        self._settled = 0
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def _open(self, where: str | Path) -> Timed:
        self._opened.append(Timed(file_of(where)))
        return self._opened[-1]

    async def run(self, told: Path) -> None:
        beating = asyncio.create_task(self._beat())
        while not self._stop.is_set():
            await self._batch()
        beating.cancel()
        await self._catalog.close()
        (database,) = self._opened
        found = {"waits": database.waits, "holds": database.holds, "writes": self._writes}
        text = json.dumps({**found, "settled": self._settled})
        await asyncio.to_thread(told.write_text, text)

    async def _beat(self) -> None:
        while True:
            sign = processes.Beat(
                process=self._name,
                host="here",
                pid=os.getpid(),
                version="",
                started_at=_BEGAN,
                recordings=0,
                bytes=0,
            )
            await self._catalog.write(processes.beat, sign, system_clock())
            await asyncio.sleep(HEARTBEAT_S)

    async def _batch(self) -> None:
        lease, now = secrets.token_hex(16), system_clock()
        write = self._catalog.write
        due = await self._catalog.read(work.due_by_deletion, "main", now, 5 * _BATCH)
        # Not all of them the same, as if a dispatcher had dealt them out.
        sids = [call.sid for call in due[secrets.randbelow(5) * _BATCH :][:_BATCH]]
        await write(work.begin_batch, lease=lease, process=self._name, job_id=lease, now=now)
        claimed = await write(work.claim, account="main", sids=sids, lease=lease)
        facts = [call.facts for call in claimed]
        await write(work.learn, facts, lease=lease, account=_ACCOUNT, now=now)
        async with asyncio.TaskGroup() as downloads:
            for call in claimed:
                downloads.create_task(self._call(call.facts.sid, lease))
        await write(work.end_batch, lease=lease)

    async def _call(self, sid: str, lease: str) -> None:
        async with self._slots:
            await asyncio.sleep(self._download_s)
        began = time.perf_counter()
        settled = await self._catalog.write(
            work.settle,
            [(sid, Absent("no-answer"))],
            lease=lease,
            account="main",
            now=system_clock(),
        )
        self._settled += settled
        self._writes.append(time.perf_counter() - began)


if __name__ == "__main__":
    main()
