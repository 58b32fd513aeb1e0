"""A process that is killed between two statements of a write: all of it is there, or nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Final

from archive.catalog.sqlite import SqliteDatabase
from tests.provider import ROOT
from tests.unit.books import SIDS, Books, called

if TYPE_CHECKING:
    from pathlib import Path

_WORK: Final = """
import os, signal, sys
from pathlib import Path
from archive.verdicts import Absent
from tests.unit.books import SIDS, Books, proved

books, most = Books(Path(sys.argv[1])), int(sys.argv[2])
seen = 0

def count(_statement):
    global seen
    seen += 1
    if seen > most:
        os.kill(os.getpid(), signal.SIGKILL)

books.database._connection.set_trace_callback(count)
books.claim(*SIDS[:4])
books.archive(proved(SIDS[0]))
books.archive(proved(SIDS[1]))
books.settle(SIDS[2], Absent("no-answer"))
books.end()
"""
# What the catalog shows before the first of the writes above and after each of them.
_STAGES: Final = (
    {"expected": 4},
    {"leased": 4},
    {"leased": 3, "archived": 1},
    {"leased": 2, "archived": 2},
    {"leased": 1, "archived": 2, "absent": 1},
    {"expected": 1, "archived": 2, "absent": 1},
)


def killed_after(folder: Path, statements: int) -> tuple[int, dict[str, int]]:
    """Let a process be killed before one more statement; return its code and the calls' states."""
    path = folder / f"{statements}.db"
    with closing(Books(path).database):
        Books(path).add(*map(called, SIDS[:4]))
    done = subprocess.run(  # noqa: S603 - our own Python, no shell
        [sys.executable, "-c", _WORK, str(path), str(statements)], cwd=ROOT, check=False
    )
    with closing(SqliteDatabase(path)) as database, database.read() as tx:
        (sound,) = tx.connection.execute("PRAGMA integrity_check").fetchone()
        assert sound == "ok"
        rows = tx.connection.execute("SELECT state, COUNT(*) FROM calls GROUP BY state")
        states = dict(rows.fetchall())
        (looks,) = tx.connection.execute("SELECT COUNT(*) FROM looks").fetchone()
        (batches,) = tx.connection.execute("SELECT COUNT(*) FROM batches").fetchone()
    balance = Books(path).balance()
    assert balance.faults == []
    assert looks == states.get("archived", 0) + states.get("absent", 0)
    assert batches == min(1, states.get("leased", 0))
    return done.returncode, states


def test_a_write_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Killed before the first statement, the second, and so on until the work is done."""
    found = []
    with ThreadPoolExecutor(2) as pool:
        for first in range(0, 200, 8):
            some = list(pool.map(lambda n: killed_after(tmp_path, n), range(first, first + 8)))
            found += some
            if any(code == 0 for code, _ in some):
                break
    codes = [code for code, _ in found]
    assert set(codes) == {-signal.SIGKILL, 0}
    assert codes == sorted(codes), "once it survives, it survives with more statements too"
    assert [states for _, states in found if states not in _STAGES] == []
    stages = [_STAGES.index(states) for _, states in found]
    assert stages == sorted(stages)
    assert set(stages) == set(range(len(_STAGES)))
