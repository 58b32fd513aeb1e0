"""A catalog in a real file, with shorthand for what tests do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archive.accounts import Account
from archive.call import CallFacts, Source
from archive.catalog import balance, intake, work
from archive.catalog.database import file_of, open_database
from archive.catalog.postgresql_queries import PostgresqlTx
from archive.layout import stem_of
from archive.proof import Proof
from archive.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from archive.catalog.balance import Balance
    from archive.catalog.database import Tx
    from archive.catalog.intake import Intake
    from archive.catalog.work import ClaimedCall, Outcome

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
ACCOUNT = Account(name="main", sid="acme1")
OTHER = Account(name="other", sid="acme2")
SIDS = [f"{index:028x}197m" for index in range(1, 10)]


def by_hand(tx: Tx, statement: str, *values: object) -> list[Any]:
    """Run a statement of a test's own, with its values at the question marks."""
    if isinstance(tx, PostgresqlTx):
        cursor = tx.connection.execute(statement.replace("%", "%%").replace("?", "%s"), values)
        return list(cursor) if cursor.description else []
    return list(tx.connection.execute(statement, values))


def called(sid: str, **known: Any) -> CallFacts:  # noqa: ANN401 - fields of every type
    """Return a call of the day before, answered and ended."""
    began = NOW - timedelta(days=1)
    usual = {
        "started_at": began,
        "ended_at": began + timedelta(seconds=65),
        "duration_s": 65,
        "status": "completed",
    }
    return CallFacts(sid=sid, **{**usual, **known})


def proved(
    sid: str, *, folder: str = "main/2026/02/09", object_name: str = "", number: int = 1
) -> Proof:
    """Return the proof of a recording of 1,000 bytes."""
    return Proof(
        sid=sid,
        object_name=object_name or f"{sid}.mp3",
        path=f"{folder}/17/{stem_of(sid, number)}.mp3",
        day_folder=folder,
        sha256="ab" * 32,
        size=1000,
        format="mp3",
        channels=1,
        sample_rate=8000,
        seconds=65.0,
    )


def _finds(proofs: Iterable[Proof]) -> list[work.Find]:
    by_sid: dict[str, tuple[Proof, ...]] = {}
    for proof in proofs:
        by_sid[proof.sid] = (*by_sid.get(proof.sid, ()), proof)
    return [work.Find(sid=sid, proofs=group) for sid, group in by_sid.items()]


class Books:
    """One catalog, each step in a transaction of its own."""

    def __init__(self, where: str | Path) -> None:
        self.where = where
        self.database = open_database(where)

    @property
    def path(self) -> Path:
        """The file that the catalog is."""
        return file_of(self.where)

    def add(
        self,
        *calls: CallFacts,
        account: Account = ACCOUNT,
        source: Source = Source.CDR,
        now: datetime = NOW,
    ) -> Intake:
        """Take calls in."""
        with self.database.write() as tx:
            return intake.add_calls(
                tx, calls, account=account, source=source, readiness=Readiness(), now=now
            )

    def claim(
        self,
        *sids: str,
        lease: str = "lease",
        process: str = "process",
        account: str = "main",
        now: datetime = NOW,
    ) -> list[ClaimedCall]:
        """Begin a batch and claim its calls."""
        with self.database.write() as tx:
            job_id = f"job of {lease}"
            work.begin_batch(tx, lease=lease, process=process, job_id=job_id, now=now)
            return work.claim(tx, account=account, sids=sids, lease=lease)

    def settle(self, sid: str, outcome: Outcome, *, lease: str = "lease") -> int:
        """Settle one call."""
        with self.database.write() as tx:
            return work.settle(tx, [(sid, outcome)], lease=lease, account="main", now=NOW)

    def archive(self, *proofs: Proof, lease: str = "lease") -> list[str]:
        """Note recordings as proved."""
        with self.database.write() as tx:
            return work.archive(tx, _finds(proofs), lease=lease, account="main", now=NOW)

    def found(self, *finds: work.Find, lease: str = "lease") -> list[str]:
        """Note what was found of calls' recordings."""
        with self.database.write() as tx:
            return work.archive(tx, finds, lease=lease, account="main", now=NOW)

    def end(self, lease: str = "lease") -> int:
        """End a batch."""
        with self.database.write() as tx:
            return work.end_batch(tx, lease=lease)

    def balance(self, *, account: str | None = None, day: str | None = None) -> Balance:
        """Count."""
        with self.database.read() as tx:
            return balance.balance(tx, account=account, day=day)

    def row(self, sid: str) -> dict[str, Any]:
        """Return a call's row."""
        (row,) = self.sql("SELECT * FROM calls WHERE sid = ?", sid)
        return dict(row)

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Do by hand what no function of ours does."""
        with self.database.write() as tx:
            return by_hand(tx, statement, *values)
