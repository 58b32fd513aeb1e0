"""An import that is killed in its middle, and run again."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.acceptance.vault import Vault, until

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 60_000
HEADER = "CallSid,DateCreated,From,To,Direction,Status,StartTime,EndTime,Duration,RecordingUrl"


def row(number: int) -> str:
    """Return a row of about 150 characters; Sids come in no order, as the provider's do."""
    sid = f"{number * 2654435761 % 2**32:08x}{number:023d}z"
    start, end = (f"2026-03-{1 + number % 28:02d} 10:00:{second:02d}" for second in (0, 50))
    url = f"https://recordings.exotel.com/exotelrecordings/nobody1/{sid}.mp3"
    return f"{sid},{start},05551234567,05560000001,inbound,completed,{start},{end},50,{url}"


def test_an_import_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What was taken in before the kill is known, the rest is added, and nothing is there twice."""
    vault = Vault(tmp_path)
    export = tmp_path / "large.csv"
    export.write_text("\n".join([HEADER, *map(row, range(ROWS))]) + "\n", encoding="utf-8")

    with vault.started("enqueue", "cdr", "large.csv") as running:
        until(lambda: known(vault), while_running=running)
        running.send(signal.SIGKILL)
        running.wait()
    before = known(vault)
    again = vault.good("enqueue", "cdr", "large.csv")
    status = vault.status()

    assert 0 < before < ROWS
    counts = f"{ROWS - before:,} calls new, {before:,} already known, 0 rows rejected"
    assert again.out == f"{ROWS:,} rows read: {counts}\n"
    assert (status["known"], status["expected"], status["balanced"]) == (ROWS, ROWS, True)


def known(vault: Vault) -> int:
    """Return how many calls the catalog has."""
    return sum(vault.states().values())
