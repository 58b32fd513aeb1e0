"""A small archive with its catalog: real files, as workers leave them, and commands on it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from archive.audio import look_at_head
from archive.catalog.writer import Catalog
from archive.proof import Proof
from archive.store import Pending, Place, Store
from jobs.daykeeper import write_changed_days
from jobs.recording import with_flag
from sandbox import audio
from tests.unit.books import ACCOUNT, NOW, Books, called
from tests.unit.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from archive.call import CallFacts

DAY = "main/2026/02/09"
HOUR = f"{DAY}/17"


def sound(number: int, *, seconds: float = 65.0) -> bytes:
    """Return an MP3; each number has bytes of its own."""
    return audio.mp3("vaulted", number, audio.mp3_frames_for_seconds(seconds)).whole()


class Vaulted:
    """A folder with settings, catalog and recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "recordings"
        self.catalog = folder / "state" / "catalog.db"
        self.books = Books(self.catalog)
        self.store = Store(self.root)
        self.terminal = Terminal(folder)

    def archive(self, sid: str, body: bytes, **known: Any) -> str:  # noqa: ANN401 - any fact
        """Archive a call as a worker does; return the recording's path below the root."""
        facts = called(sid, **known)
        self.books.add(facts)
        self.books.claim(sid, lease=sid)
        proof = self.publish(facts, body)
        assert [sid] == self.books.archive(proof, lease=sid)
        self.books.end(sid)
        return proof.path

    def publish(self, facts: CallFacts, body: bytes) -> Proof:
        """Put a recording and its sidecar into their place, and leave the catalog behind."""
        began = facts.began_at
        assert began is not None
        pending = Pending(
            lease="lease",
            place=Place(
                account="main",
                sid=facts.sid,
                object_name=f"object-{facts.sid}.mp3",
                began=began,
                zone=ACCOUNT.zone,
            ),
            audio=look_at_head(body[:65_536], len(body)),
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
            body=body,
            about={
                "call": msgspec.to_builtins(facts),
                "source": "https://recordings.exotel.com/x",
                "content_type": "audio/mpeg",
                "etag": "",
                "archived_at": NOW.isoformat(timespec="seconds"),
            },
        )
        (proof,) = self.store.publish([pending])
        assert isinstance(proof, Proof)
        return with_flag(proof, facts)

    def write_days(self) -> None:
        """Write SHA256SUMS and manifests, as the leader does."""

        async def write() -> int:
            catalog = await Catalog.open(self.catalog)
            try:
                return await write_changed_days(catalog, self.root)
            finally:
                await catalog.close()

        assert asyncio.run(write()) == 0

    def file(self, path: str) -> Path:
        """Return a file below the root."""
        return self.root / path

    def sidecar(self, path: str) -> Path:
        """Return the file beside a recording."""
        return (self.root / path).with_suffix(".json")

    def lose_catalog(self) -> None:
        """Remove the catalog with its companions."""
        self.books.database.close()
        for file in self.catalog.parent.glob("catalog.db*"):
            file.unlink()

    def reopen(self) -> None:
        """Open the catalog that is there now."""
        self.books.database.close()
        self.books = Books(self.catalog)

    def state(self, sid: str) -> tuple[str, str]:
        """Return a call's state and reason."""
        row = self.books.row(sid)
        return row["state"], row["reason"]

    def told(self) -> list[dict[str, Any]]:
        """Return all that the catalog knows and a rebuilt one has to know as well."""
        calls = self.books.sql(
            "SELECT account, sid, replace(state, 'leased', 'expected') AS state, "
            "reason, day, delete_by_ms, settled_ms, created_ms, began_ms, ended_ms, duration_s, "
            "talk_s, status, leg2_status, direction, from_number, to_number, exophone "
            "FROM calls ORDER BY account, sid"
        )
        sightings = self.books.sql("SELECT * FROM sightings ORDER BY account, sid, source")
        recordings = self.books.sql("SELECT * FROM recordings ORDER BY path")
        candidates = self.books.sql("SELECT * FROM candidates ORDER BY account, sid, object_name")
        return [dict(row) for row in (*calls, *sightings, *recordings, *candidates)]

    def hint(self, sid: str, name: str, *, same_as: str = "") -> None:
        """Note that an export told of a further recording of a call."""
        url = f"https://recordings.exotel.com/exotelrecordings/acme1/{name}"
        self.books.sql(
            "INSERT INTO candidates VALUES ('main', ?, ?, ?, 'cdr', 1700000000000, ?)",
            sid,
            name,
            url,
            same_as,
        )
