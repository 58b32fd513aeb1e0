"""From a source to the catalog: CDR exports and bare Sids. The listing is in `jobs.listing`."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import SID_RULE, CallFacts, Source, is_sid
from archive.catalog.intake import Intake, add_calls, count_calls
from jobs.cdr import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archive.accounts import Account
    from archive.catalog.database import Database
    from archive.clock import Clock
    from archive.readiness import Readiness

CHUNK: Final = 2000
"""The most calls in one transaction."""
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

    def count(self, intake: Intake) -> None:
        """Add what a chunk brought."""
        self.new += intake.new
        self.known += intake.known


class Desk:
    """Takes calls of one account into the catalog, or with ``dry_run`` only counts them."""

    def __init__(
        self,
        *,
        database: Database,
        account: Account,
        readiness: Readiness,
        clock: Clock,
        dry_run: bool,
    ) -> None:
        self._database = database
        self._account = account
        self._readiness = readiness
        self._clock = clock
        self._dry_run = dry_run
        self._counted: set[str] = set()
        self._chunk = CHUNK

    def take_rows(
        self,
        rows: Iterable[CallFacts | Rejected],
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
        while chunk := list(islice(iterator, self._chunk)):
            report.rows += len(chunk)
            rejected = [row for row in chunk if isinstance(row, Rejected)]
            for row in rejected:
                on_rejected(row)
            report.rejected += len(rejected)
            report.count(self.take([r for r in chunk if isinstance(r, CallFacts)], source))
        return report

    def take(self, calls: list[CallFacts], source: Source) -> Intake:
        """Take calls in with one transaction, or count them."""
        if self._dry_run:
            return self._count(calls)
        asked = time.perf_counter()
        with self._database.write() as tx:
            began = time.perf_counter()
            taken = add_calls(
                tx,
                calls,
                account=self._account,
                source=source,
                readiness=self._readiness,
                now=self._clock(),
            )
        self._chunk = next_chunk(
            self._chunk,
            taken=len(calls),
            waited_s=began - asked,
            held_s=time.perf_counter() - began,
        )
        return taken

    def _count(self, calls: list[CallFacts]) -> Intake:
        # Nothing is written, so what a former chunk would have added is remembered here.
        fresh = [call for call in calls if call.sid not in self._counted]
        self._counted.update(call.sid for call in fresh)
        with self._database.read() as tx:
            intake = count_calls(tx, fresh, account=self._account)
        intake.known += len(calls) - len(fresh)
        return intake


def next_chunk(size: int, *, taken: int, waited_s: float, held_s: float) -> int:
    """Return how many calls the next transaction takes, after one of ``taken`` calls.

    While nobody else writes (it did not wait for the lock) it grows: small ones write the same
    pages again and again. As soon as others do, it falls to what holds them up no longer than that.
    """
    if waited_s < _AT_ONCE_S or held_s <= 0:
        return min(CHUNK, size + size // 2)
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
