"""A catalog in all kinds of states, and what is told of it in the text format of Prometheus."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from archive.catalog import pauses, processes, runs, tallies, troubles
from archive.catalog.hearings import begin_listening, hear
from archive.errors import CatalogError
from archive.tallies import RECORDING_BYTES, REQUESTS, Count
from tests.unit.books import NOW
from worker.exposition import exposition
from worker.metrics import Reader
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from archive.call import Source
    from tests.unit.books import Books
    from worker.timers import Timed

_WORKER = {"host": "here", "pid": 7, "version": "1", "recordings": 0, "bytes": 0}


class Exposed:
    """A catalog whose metrics are read at a time that a test chooses."""

    def __init__(self, folder: Path, books: Books, settings: str, now: datetime = NOW) -> None:
        config = folder / "config.toml"
        config.write_text(settings)
        self.settings = load_settings(config, {})
        self.books = books
        self.now = now
        self.free = 10**12
        self.timers: tuple[Timed, ...] = ()

    def reader(self) -> Reader:
        """Return a new reader."""
        return Reader(
            self.settings,
            self.clock,
            free=lambda _: self.free,
            host="here",
            timers=lambda: self.timers,
        )

    def text(self) -> bytes:
        """Return the metrics as they are told now."""
        reader = self.reader()
        try:
            return exposition(reader.read(), reader.disks(), up=True, version="1")
        except CatalogError:
            return exposition(None, reader.disks(), up=False, version="1")
        finally:
            reader.close()

    def clock(self) -> datetime:
        """Tell the time."""
        return self.now

    def count(self, *counts: Count, ago: timedelta = timedelta(0)) -> None:
        """Count what processes did."""
        with self.books.database.write() as tx:
            tallies.add(tx, counts, host="here", now=self.now - ago)

    def request(self, outcome: str, amount: int = 1) -> None:
        """Count requests to the provider."""
        self.count(Count("main", REQUESTS, outcome, amount))

    def download(self, size: int) -> None:
        """Count bytes."""
        self.count(Count("main", RECORDING_BYTES, "", size))

    def beat(self, process: str = "process") -> None:
        """Let a worker process say that it lives."""
        sign = processes.Beat(process=process, started_at=self.now, **_WORKER)  # type: ignore[arg-type] # of several types
        with self.books.database.write() as tx:
            processes.beat(tx, sign, self.now)

    def pause(self, reason: str = "api-timeout") -> None:
        """Hold an account up."""
        with self.books.database.write() as tx:
            pauses.pause(
                tx,
                "account:main",
                reason=reason,
                detail="x",
                fatal=False,
                after=timedelta(minutes=1),
                now=self.now,
            )

    def meet(self, what: str) -> None:
        """Let a host meet a trouble."""
        with self.books.database.write() as tx:
            troubles.note_trouble(tx, what, "x", host="here", now=self.now)

    def run(self, command: str, code: int = 0, *, ago: timedelta = timedelta(0)) -> None:
        """Note a run that has just ended."""
        run = runs.begun(command, host="here", now=self.now - ago)
        with self.books.database.write() as tx:
            runs.end(tx, run, code=code, note="", now=self.now - ago)

    def listen(self, source: Source) -> None:
        """Begin to listen to a source."""
        with self.books.database.write() as tx:
            begin_listening(tx, "main", source, self.now)

    def hear(self, source: Source) -> None:
        """Hear a source."""
        with self.books.database.write() as tx:
            hear(tx, "main", source, self.now, self.now)
