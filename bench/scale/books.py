"""Catalogs of millions of rows that look real, made by SQL in minutes.

Three accounts, two years of calls in the order in which they came, nine of ten archived. The same
number always makes the same call, so that an export of known calls can be written from nothing.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg

from archive.catalog.counts import recount
from archive.catalog.database import open_database, written

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS: Final = ("sales", "support", "spare")
DAY_MS: Final = 86_400_000
_YEARS_MS: Final = 730 * DAY_MS
_ZONE_S: Final = 19_800
_CACHE_KIB: Final = 4 * 2**20
_BATCH: Final = 500_000

# n is the number of a call, h its dice of a thousand, t its beginning in ms.
_NUMBERED: Final = """
  SELECT n, (n * 7919) % 1000 AS h, {begin} + n * {step} AS t,
    CASE WHEN n % 20 < 14 THEN 'sales' WHEN n % 20 < 19 THEN 'support' ELSE 'spare' END AS account,
    {sid} AS sid FROM {numbers}
"""
_JUDGED: Final = """
  SELECT n, h, t, account, sid, CASE
      WHEN n >= {waits_from} THEN 'expected'
      WHEN h < 900 THEN 'archived' WHEN h < 985 THEN 'absent' WHEN h < 995 THEN 'excluded'
      WHEN h < 998 THEN 'lost' ELSE 'failed' END AS state,
    CASE
      WHEN n >= {waits_from} THEN CASE WHEN h < 30 THEN 'not-ready' ELSE '' END
      WHEN h < 900 THEN '' WHEN h < 965 THEN 'no-answer' WHEN h < 985 THEN 'too-short'
      WHEN h < 995 THEN 'direction' WHEN h < 998 THEN 'fetch-gone' ELSE 'http-500' END AS reason
  FROM ({numbered}) AS numbered
"""
_CALLS: Final = """
INSERT INTO calls (
  account, sid, state, reason, day, due_ms, delete_by_ms, settled_ms, created_ms, began_ms,
  ended_ms, duration_s, talk_s, status, leg2_status, direction, from_number, to_number, exophone,
  told_url, looks
)
SELECT account, sid, state, reason, {day}, t + 400000, t + 65664000000,
  CASE WHEN state = 'expected' THEN NULL ELSE t + 600000 + h * 1000 END, t, t,
  t + (20 + h % 600) * 1000, 20 + h % 600, 10 + h % 580,
  CASE reason WHEN 'no-answer' THEN 'no-answer' ELSE 'completed' END, '', 'inbound',
  '09' || CAST(100000000 + (n * 48271) % 899999999 AS TEXT),
  '08' || CAST(100000000 + (n * 16807) % 899999999 AS TEXT),
  '0804' || CAST(1000000 + n % 24 AS TEXT),
  'https://recordings.exotel.com/exotelrecordings/' || account || '/' || sid || '.mp3', 0
FROM ({judged}) AS judged
"""
_SIGHTINGS: Final = """
INSERT INTO sightings (account, sid, source, seen_ms)
SELECT account, sid, 'cdr', began_ms + 3600000 FROM calls ORDER BY account, sid
"""
_RECORDINGS: Final = """
INSERT INTO recordings (
  account, sid, object_name, path, sha256, bytes, format, channels, sample_rate, seconds,
  archived_ms, flag
)
SELECT account, sid, sid || '.mp3',
  account || '/' || replace(day, '-', '/') || '/' || sid || '.mp3', sid || sid,
  24000 + duration_s * 4000, 'mp3', 1, 8000, duration_s, settled_ms,
  CASE WHEN settled_ms % 997 = 0 THEN 'truncated' ELSE '' END
FROM calls WHERE state = 'archived'
"""
_LOOKS: Final = """
INSERT INTO looks (account, sid, at_ms, state, reason)
SELECT account, sid, settled_ms, state, reason FROM calls WHERE settled_ms > {looks_from}
"""


class Size(NamedTuple):
    """How many calls there are, how many of them wait, and up to when they came."""

    calls: int
    waiting: int
    until_ms: int

    @property
    def step_ms(self) -> int:
        """The time between two calls."""
        return _YEARS_MS // max(1, self.calls)


def sid_of(number: int) -> str:
    """Return the Sid of a call: both kinds of catalog can reckon it."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()[:31] + "g"


def make_file(path: Path, size: Size) -> None:
    """Make a catalog in a file. Nothing is flushed, and a crash leaves none."""
    open_database(path).close()
    line = sqlite3.connect(path, isolation_level=None)
    line.create_function("sid_of", 1, sid_of, deterministic=True)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
        line.execute(f"PRAGMA {pragma}").fetchall()
    made = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"
    aside = [row for row in line.execute(made) if row[2]]
    for kind, name, _ in aside:
        line.execute(f"DROP {kind} {name}")
    numbers = (
        "(WITH RECURSIVE c(n) AS (SELECT {0} UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {1})"
        " SELECT n FROM c) AS numbers"
    )
    for text in _fill(
        size,
        numbers=numbers,
        sid="sid_of(n)",
        day=f"date(t / 1000 + {_ZONE_S}, 'unixepoch')",
    ):
        line.execute("BEGIN")
        line.execute(text)
        line.execute("COMMIT")
    for _, _, text in sorted(aside):
        line.execute(text)
    line.execute("PRAGMA journal_mode = WAL").fetchall()
    line.close()
    _count(path)


def make_on_server(url: str, size: Size) -> None:
    """Make a catalog on a server, and have it know its own statistics as after a night."""
    open_database(url).close()
    with psycopg.connect(url, autocommit=True) as line:
        line.execute("SET session_replication_role = replica")
        line.execute("SET maintenance_work_mem = '1GB'")
        line.execute("SET work_mem = '512MB'")
        aside = _put_aside(line)
        for text in _fill(
            size,
            numbers="generate_series(CAST({0} AS BIGINT), {1} - 1) AS numbers(n)",
            sid="left(md5(CAST(n AS TEXT)), 31) || 'g'",
            day=f"to_char(to_timestamp(t / 1000 + {_ZONE_S}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        ):
            line.execute(text.encode())
        for text in aside:
            line.execute(text.encode())
        _count(url)
        line.execute("VACUUM ANALYZE")
        line.execute("CHECKPOINT")


def _count(where: str | Path) -> None:
    """Keep the counts of what was made behind the triggers' backs."""
    with closing(open_database(where)) as database:
        written(database, recount)


def _put_aside(line: psycopg.Connection[tuple[str, ...]]) -> list[str]:
    """Drop the keys and indexes of the large tables; return what makes them anew."""
    again = []
    for table in ("calls", "sightings", "recordings", "looks"):
        keys = line.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = CAST(%s AS regclass) AND contype IN ('p', 'u')",
            [table],
        ).fetchall()
        for name, text in keys:
            line.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
            again.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {text}")
        rest = line.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table]
        ).fetchall()
        for name, text in rest:
            line.execute(f"DROP INDEX {name}".encode())
            again.append(text)
    return again


def _fill(size: Size, *, numbers: str, sid: str, day: str) -> list[str]:
    """Return the statements that fill the tables: the calls in parts, since each takes room."""
    found = []
    for first in range(0, size.calls, _BATCH):
        numbered = _NUMBERED.format(
            begin=size.until_ms - _YEARS_MS,
            step=size.step_ms,
            sid=sid,
            numbers=numbers.format(first, min(first + _BATCH, size.calls)),
        )
        judged = _JUDGED.format(waits_from=size.calls - size.waiting, numbered=numbered)
        found.append(_CALLS.format(day=day, judged=judged))
    looks = _LOOKS.format(looks_from=size.until_ms - 90 * DAY_MS)
    return [*found, _SIGHTINGS, _RECORDINGS, looks] if size.calls else []
