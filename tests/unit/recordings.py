"""Small recordings on their way into a store."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from archive.audio import AudioFacts, AudioKind
from archive.proof import Proof
from archive.store import Pending, Place

IST = ZoneInfo("Asia/Kolkata")
BEGAN = datetime(2026, 2, 1, 4, 30, tzinfo=UTC)
HOUR = "main/2026/02/01/10"
SIDS = [f"{index:028x}197m" for index in range(1, 4)]
AUDIO = AudioFacts(AudioKind.MP3, 1, 8000, 32_000, 65.5)


def place(sid: str, object_name: str = "") -> Place:
    """Return the place of a call's recording."""
    return Place(
        account="main", sid=sid, object_name=object_name or f"{sid}.mp3", began=BEGAN, zone=IST
    )


def pending(sid: str, body: bytes = b"audio", *, lease: str = "lease") -> Pending:
    """Return a recording that is held in memory."""
    return Pending(
        lease=lease,
        place=place(sid),
        audio=AUDIO,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        body=body,
        about={"call": {"sid": sid}, "etag": "e"},
    )


def proof(sid: str, body: bytes = b"audio") -> Proof:
    """Return what is to be said of it once it is published."""
    return Proof(
        sid=sid,
        object_name=f"{sid}.mp3",
        path=f"{HOUR}/{sid}.mp3",
        day_folder="main/2026/02/01",
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        format="mp3",
        channels=1,
        sample_rate=8000,
        seconds=65.5,
    )
