"""From a source to the catalog: CDR exports and bare Sids. The listing is in `jobs.listing`."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import SID_RULE, CallFacts, Source, is_sid
from archive.catalog import processes
from archive.catalog.database import written
from archive.catalog.intake import Intake, add_prepared
from archive.catalog.preflight import begin_preview, measured, unknown
from archive.catalog.rows import NEW_COLUMNS, prepare
from archive.entry import FOR_ALL
from archive.preflight import Preview
from jobs.cdr import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archive.accounts import Account
    from archive.catalog.database import Database, Tx
    from archive.catalog.rows import NewCall
    from archive.clock import Clock
    from archive.entry import Entry
    from archive.preflight import Measured
    from archive.readiness import Readiness

CHUNK: Final = 2_000
"""The most calls in one transaction while workers are there."""
CHUNK_ALONE: Final = 25_000
"""The most calls in one transaction else; it lasts about half a second."""
_LEAST: Final = 50
_HOLD_S: Final = 0.04
"""How long a transaction may keep other writers waiting."""
_AT_ONCE_S: Final = 0.001
"""Who had the lock within this did not wait for it."""


class Report(msgspec.Struct):
    """What came of enqueueing: rows read, calls new and known, rows that could not be used."""

    rows: int = 0
    new: int = 0
    known: int = 0
    rejected: int = 0

    def add(self, other: Report) -> None:
        """Add what another source brought."""
        self.rows += other.rows
        self.new += other.new
        self.known += other.known
        self.rejected += other.rejected

    def count(self, intake: Intake) -> None:
        """Add what a chunk brought."""
        self.new += intake.new
        self.known += intake.known


class Desk:
    """Takes calls of one account into the catalog, or with ``dry_run`` only counts them.

    What a dry run has counted is gathered in ``preview``.
    """

    def __init__(
        self,
        *,
        database: Database,
        account: Account,
        readiness: Readiness,
        clock: Clock,
        dry_run: bool,
        entry: Entry = FOR_ALL,
    ) -> None:
        self._entry = entry
        self._database = database
        self._account = account
        self._readiness = readiness
        self._clock = clock
        self._dry_run = dry_run
        self.preview = Preview()
        self._chunk = CHUNK

    def take_rows(
        self,
        rows: Iterable[CallFacts | Rejected],
        source: Source,
        on_rejected: Callable[[Rejected], None],
    ) -> Report:
        """Take in what a source yields: see `take_prepared`."""
        ready = prepared(rows, self._account, self._readiness, self._clock, self._entry)
        return self.take_prepared(ready, source, on_rejected)

    def take_prepared(
        self,
        rows: Iterable[NewCall | Rejected],
        source: Source,
        on_rejected: Callable[[Rejected], None],
    ) -> Report:
        """Take in what a source yields, a chunk a transaction; rejected rows stop nothing.

        Raises:
            InputError: the source cannot be read at all.
            CatalogError: the catalog cannot be written; earlier chunks are kept.
        """
        report = Report()
        iterator = iter(rows)
        with _no_collection():
            self._take_chunks(iterator, source, on_rejected, report)
        return report

    def _take_chunks(
        self,
        rows: Iterator[NewCall | Rejected],
        source: Source,
        on_rejected: Callable[[Rejected], None],
        report: Report,
    ) -> None:
        while chunk := list(islice(rows, self._chunk)):
            report.rows += len(chunk)
            calls = []
            for row in chunk:
                if isinstance(row, Rejected):
                    report.rejected += 1
                    on_rejected(row)
                else:
                    calls.append(row)
            report.count(self._take(calls, source))

    def take(self, calls: Iterable[CallFacts], source: Source) -> Intake:
        """Take calls in with one transaction, or count them."""
        return self._take(
            [
                prepare(call, self._account, self._readiness, self._clock(), self._entry)
                for call in calls
            ],
            source,
        )

    def _take(self, calls: list[NewCall], source: Source) -> Intake:
        if self._dry_run:
            return self._count(calls)
        asked = began = time.perf_counter()
        alone = True

        def take(tx: Tx) -> Intake:
            nonlocal alone, began
            began = time.perf_counter()
            now = self._clock()
            alone = not processes.live_hosts(tx, now)
            return add_prepared(tx, calls, account=self._account, source=source, now=now)

        taken = written(self._database, take)
        self._chunk = next_chunk(
            self._chunk,
            taken=len(calls),
            waited_s=began - asked,
            held_s=time.perf_counter() - began,
            alone=alone,
        )
        return taken

    def _count(self, calls: list[NewCall]) -> Intake:
        named = [dict(zip(NEW_COLUMNS, values, strict=True)) for values, _ in calls]
        with self._database.scratch() as tx:
            if not self.preview.calls:
                begin_preview(tx)
            sids = [str(row["sid"]) for row in named]
            fresh = unknown(tx, sids, self._account.name)
        new = len(fresh)
        for row in named:
            if row["sid"] in fresh:
                fresh.discard(str(row["sid"]))
                self.preview.add(row)
        return Intake(new=new, known=len(calls) - new)

    def measured(self) -> Measured:
        """Return what the catalog has measured, for a preflight.

        Raises:
            CatalogError: the catalog cannot be read.
        """
        with self._database.read() as tx:
            return measured(tx, self._account.name)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no garbage that refers to itself: in a million rows, that is a sixth of the time.

    Rows refer to nothing that refers to them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def prepared(
    rows: Iterable[CallFacts | Rejected],
    account: Account,
    readiness: Readiness,
    clock: Clock,
    entry: Entry = FOR_ALL,
) -> Iterator[NewCall | Rejected]:
    """Yield the rows of a source as they are taken in; rejected rows go through as they are."""
    for row in rows:
        if isinstance(row, Rejected):
            yield row
        else:
            yield prepare(row, account, readiness, clock(), entry)


def next_chunk(size: int, *, taken: int, waited_s: float, held_s: float, alone: bool) -> int:
    """Return how many calls the next transaction takes, after one of ``taken`` calls.

    While nobody else writes (it did not wait for the lock) it grows: small ones write the same
    pages again and again. As soon as others do, it falls to what holds them up no longer than that.
    ``alone`` says that no worker is there who could be held up.
    """
    if waited_s < _AT_ONCE_S or held_s <= 0:
        return min(CHUNK_ALONE if alone else CHUNK, max(2 * size, _LEAST))
    return max(_LEAST, min(CHUNK, size, int(taken * _HOLD_S / held_s)))


def sid_rows(sids: Iterable[str], source: str) -> Iterator[CallFacts | Rejected]:
    """Yield bare Sids as calls of unknown date, and what is no Sid as rejected."""
    for number, line in enumerate(sids, start=1):
        sid = line.strip()
        if not sid:
            continue
        if is_sid(sid):
            yield CallFacts(sid=sid)
        else:
            yield Rejected(source, number, f"{sid[:40]!a} is no Sid ({SID_RULE})")
