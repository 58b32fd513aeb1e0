"""The catalog between processes: one that comes and goes takes nothing from one that stays."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from archive.catalog.sqlite import SqliteDatabase
from archive.catalog.writer import Catalog

if TYPE_CHECKING:
    from pathlib import Path

    from archive.catalog.database import Tx

COMES_AND_GOES = """
import sys
from pathlib import Path
from archive.catalog.sqlite import SqliteDatabase
SqliteDatabase(Path(sys.argv[1])).close()
"""


def pause_of(scope: str, tx: Tx) -> None:
    """Write any row."""
    tx.connection.execute("INSERT INTO pauses VALUES (?, '', '', 0, 0, 0, 0)", (scope,))


async def test_another_process_that_closes_the_catalog_harms_nobody(tmp_path: Path) -> None:
    """A process opens and closes the catalog while a worker has it open: later writes are seen.

    SQLite's locks are the process's: closing any other descriptor of the file would drop them, and
    whoever then closes the catalog takes itself for the last one and removes the log in use.
    """
    path = tmp_path / "catalog.db"
    catalog = await Catalog.open(path)
    await catalog.write(lambda tx: pause_of("first", tx))

    command = [sys.executable, "-c", COMES_AND_GOES, str(path)]
    await asyncio.to_thread(subprocess.run, command, check=True)

    assert path.with_name("catalog.db-wal").exists()
    await catalog.write(lambda tx: pause_of("second", tx))
    with closing(SqliteDatabase(path)) as other, other.read() as tx:
        seen = [row["scope"] for row in tx.rows("pauses")]
    await catalog.close()
    assert seen == ["first", "second"]
