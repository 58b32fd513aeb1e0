"""What the catalog is asked again and again, each by the function that the product has for it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from archive.accounts import Account
from archive.call import CallFacts, Source
from archive.catalog import intake, work
from archive.catalog.balance import day_balance
from archive.catalog.database import open_database, written
from archive.catalog.find import Wanted, find
from archive.catalog.rows import prepare
from archive.catalog.work import Find
from archive.clock import from_ms
from archive.proof import Proof
from archive.readiness import Readiness
from bench.scale.books import DAY_MS, sid_of
from bench.scale.timing import Measured, times

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.catalog.database import Database, Tx
    from bench.scale.places import Place
    from tests.postgresql import Server

KEPT_DAYS: Final = 760
_AT_ONCE: Final = 100
_CHUNK: Final = 1_000
_ACCOUNT: Final = Account(name="sales", sid="sales", retention_days=KEPT_DAYS)


class Questions:
    """One connection to a catalog, and what is asked of it."""

    def __init__(self, place: Place, server: Server | None, *, rounds: int) -> None:
        self._place = place
        self._server = server
        self._rounds = rounds
        self._database = open_database(place.url)
        self._now = from_ms(place.size.until_ms) + timedelta(hours=1)

    def all(self) -> list[Measured]:
        """Ask everything."""
        new = [self._new_calls() for _ in range(self._rounds)]
        known = [self._known_calls(turn) for turn in range(self._rounds)]
        found = [
            self._measured("insert of 1,000 new calls", lambda: self._take_in(new.pop())),
        ]
        if self._place.size.calls:
            found.append(
                self._measured("insert of 1,000 known calls", lambda: self._take_in(known.pop()))
            )
        found += [
            self._measured("look for 400 due calls, by deletion and lately", self._look),
            self._claims(),
            self._settles(),
        ]
        if self._place.size.calls:
            found += self._of_people()
        self._database.close()
        return found

    def _of_people(self) -> list[Measured]:
        number = f"08{100_000_000 + (_late(self._place) * 16807) % 899_999_999}"
        day = f"{from_ms(self._place.size.until_ms - 40 * DAY_MS):%Y-%m-%d}"
        begin = datetime.fromisoformat(f"{day}T00:00:00+05:30")
        of_day = Wanted(start=begin, end=begin + timedelta(days=1))
        of_call = Wanted(start=begin, end=begin + timedelta(days=1), sid=sid_of(_late(self._place)))
        return [
            self._measured("find: calls of a day", lambda: self._find(of_day)),
            self._measured("find: a Sid of a day", lambda: self._find(of_call)),
            self._measured(
                "find: a Sid", lambda: self._find(Wanted(sid=sid_of(_late(self._place))))
            ),
            self._measured("find: a number", lambda: self._find(Wanted(number=number)), rounds=3),
            self._measured("balance of a day", lambda: self._day(day)),
        ]

    def _measured(
        self, name: str, ask: Callable[[], str | None], *, rounds: int | None = None
    ) -> Measured:
        said: list[str | None] = []
        spent = times(lambda: said.append(ask()), rounds or self._rounds, self._server)
        return Measured(name, spent, said[-1] or "")

    def _claims(self) -> Measured:
        spent = []
        for _ in range(self._rounds):
            batch = _Batch(self._database, self._due(), self._now)
            spent += times(batch.claim, 1, self._server)
            batch.end()
        return Measured("claim of 100", spent)

    def _settles(self) -> Measured:
        spent = []
        for _ in range(self._rounds):
            batch = _Batch(self._database, self._due(), self._now)
            batch.claim()
            spent += times(batch.archive, 1, self._server)
            batch.end()
        return Measured("settle of 100, each with a recording", spent)

    def _due(self) -> list[str]:
        with self._database.read() as tx:
            due = work.due_by_deletion(tx, "sales", self._now, _AT_ONCE)
        return [one.sid for one in due]

    def _look(self) -> None:
        since = self._now - timedelta(days=1)
        with self._database.read() as tx:
            work.due_by_deletion(tx, "sales", self._now, 400)
            work.due_lately(tx, _ACCOUNT, self._now, since, 400)

    def _take_in(self, calls: list[CallFacts]) -> str:
        prepared = [prepare(facts, _ACCOUNT, Readiness(), self._now) for facts in calls]
        came = written(
            self._database,
            lambda tx: intake.add_prepared(
                tx, prepared, account=_ACCOUNT, source=Source.CDR, now=self._now
            ),
        )
        return f"{came.new} new"

    def _find(self, wanted: Wanted) -> str:
        with self._database.read() as tx:
            return f"{sum(1 for _ in find(tx, 'sales', _ACCOUNT.zone, wanted))} found"

    def _day(self, day: str) -> str:
        with self._database.read() as tx:
            return f"{day_balance(tx, 'sales', day).known} calls"

    def _new_calls(self) -> list[CallFacts]:
        began = self._now - timedelta(minutes=30)
        return [_facts(f"{secrets.token_hex(15)}zg", began, place) for place in range(_CHUNK)]

    def _known_calls(self, turn: int) -> list[CallFacts]:
        """Return the calls of an old export that comes once more: they lie together in time."""
        size = self._place.size
        first = size.calls // 2 + turn * 2 * _CHUNK
        numbers = [n for n in range(first, size.calls) if n % 20 < 14][:_CHUNK]  # noqa: PLR2004 - those of sales
        begins = {n: from_ms(size.until_ms - 730 * DAY_MS + n * size.step_ms) for n in numbers}
        return [_facts(sid_of(n), begins[n], n) for n in numbers]


class _Batch:
    """A batch as a worker has it: begun, claimed, settled, ended."""

    def __init__(self, database: Database, sids: list[str], now: datetime) -> None:
        self._database = database
        self._sids = sids
        self._now = now
        self._lease = secrets.token_hex(8)
        self._finds = [Find(sid=sid, proofs=(_proof(sid),)) for sid in sids]
        written(database, self._begin)

    def _begin(self, tx: Tx) -> None:
        work.begin_batch(tx, lease=self._lease, process="bench", job_id=self._lease, now=self._now)

    def claim(self) -> None:
        """Take the calls."""
        taken = written(
            self._database,
            lambda tx: work.claim(tx, account="sales", sids=self._sids, lease=self._lease),
        )
        assert len(taken) == len(self._sids)

    def archive(self) -> None:
        """Write that each has its recording."""
        held = written(
            self._database,
            lambda tx: work.archive(
                tx, self._finds, lease=self._lease, account="sales", now=self._now
            ),
        )
        assert len(held) == len(self._sids)

    def end(self) -> None:
        """Give back what it still holds."""
        written(self._database, lambda tx: work.end_batch(tx, lease=self._lease))


def _late(place: Place) -> int:
    """Return a number of a call of sales that is forty days old."""
    number = place.size.calls - 40 * DAY_MS // place.size.step_ms
    return number - number % 20


def _facts(sid: str, began: datetime, number: int) -> CallFacts:
    return CallFacts(
        sid=sid,
        created_at=began,
        started_at=began,
        ended_at=began + timedelta(seconds=60),
        duration_s=60,
        talk_s=50,
        status="completed",
        direction="inbound",
        from_number=f"09{100_000_000 + number}",
        to_number=f"08{100_000_000 + number}",
        exophone="08041000000",
        recording_urls=(f"https://recordings.exotel.com/exotelrecordings/sales/{sid}.mp3",),
    )


def _proof(sid: str) -> Proof:
    folder = f"sales/{datetime.now(UTC):%Y/%m/%d}"
    return Proof(
        sid=sid,
        object_name=f"{sid}.mp3",
        path=f"{folder}/{sid}.mp3",
        day_folder=folder,
        sha256=sid * 2,
        size=129_000,
        format="mp3",
        channels=1,
        sample_rate=8000,
        seconds=32.0,
    )
