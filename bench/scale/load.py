"""What a call costs those that all hosts share: Redis and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg

from bench.scale.timing import server_s

if TYPE_CHECKING:
    from tests.postgresql import Server


class Load(NamedTuple):
    """What a server has done so far: statements, transactions, bytes of its log, CPU seconds."""

    statements: int
    commits: int
    wal_bytes: int
    cpu_s: float

    def since(self, before: Load, recordings: int) -> str:
        """Tell what was done for each recording, in a line."""
        statements, commits, wal = (
            (now - then) / recordings for now, then in zip(self[:3], before[:3], strict=True)
        )
        cpu_ms = 1000 * (self.cpu_s - before.cpu_s) / recordings
        return (
            f"PostgreSQL, each: {statements:.1f} statements, {commits:.2f} transactions,"
            f" {wal:,.0f} bytes of WAL, {cpu_ms:.2f} ms of CPU"
        )


def load_of(server: Server) -> Load:
    """Read a server's own counters."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as line:
        found = line.execute(
            "SELECT (SELECT SUM(calls) FROM pg_stat_statements),"
            " (SELECT SUM(xact_commit) FROM pg_stat_database),"
            " (SELECT wal_bytes FROM pg_stat_wal)"
        ).fetchone()
    assert found is not None
    return Load(int(found[0]), int(found[1]), int(found[2]), server_s(server))
