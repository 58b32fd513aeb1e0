"""What the clients are measured with: Sids, an export, and the recording's bytes."""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from sandbox.audio import mp3, mp3_frames_for_bytes

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT: Final = "bench1"
KEY: Final = "bench-key"
TOKEN: Final = "bench-token"  # noqa: S105 - made up, of a server that lives for the run
_ZONE: Final = ZoneInfo("Asia/Kolkata")
_BYTES_A_SECOND: Final = 16_000
"""128 kbit/s, as the provider's MP3 have."""
_FIRST: Final = timedelta(hours=6)
_SPREAD_MIN: Final = 720
_HEADERS: Final = (
    *("CallSid", "DateCreated", "From", "To", "PhoneNumberSid", "Direction", "Status"),
    *("StartTime", "EndTime", "Duration", "ConversationDuration", "RecordingUrl"),
)


class Size(NamedTuple):
    """A class of recordings: how it is called, and how many bytes it is about."""

    name: str
    about: int

    @property
    def seconds(self) -> int:
        """How long a call of that size takes, in whole seconds; no call is told as too short."""
        return max(8, round(self.about / _BYTES_A_SECOND))


SIZES: Final = (
    Size("2 KB", 2_090),
    Size("129 KB", 129_000),
    Size("961 KB", 961_000),
    Size("9.6 MB", 9_600_000),
    Size("100 MB", 100_000_000),
)


def size_named(name: str) -> Size:
    """Return a class by its name."""
    return next(size for size in SIZES if size.name == name)


def yesterday() -> datetime:
    """Return when yesterday began, where the account is."""
    now = datetime.now(UTC).astimezone(_ZONE)
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def sids_of(size: Size, count: int) -> list[str]:
    """Return Sids in no order, as the provider's are.

    The server knows nothing of them: each says itself when its call began and ended (hours and
    minutes), and the server's answers are made of that.
    """
    sids = []
    for number in range(count):
        mark = hashlib.sha256(f"{number}".encode()).hexdigest()
        began = _FIRST + timedelta(minutes=int(mark[:4], 16) % _SPREAD_MIN)
        ended = began + timedelta(seconds=max(60, size.seconds))
        sids.append(f"{_clock(began)}{_clock(ended)}{mark[4:24]}197m")
    return sids


def _clock(since_midnight: timedelta) -> str:
    minutes = since_midnight // timedelta(minutes=1)
    return f"{minutes // 60:02}{minutes % 60:02}"


def write_recording(path: Path, size: Size) -> int:
    """Write the bytes that every call of a class has; return how many they are."""
    audio = mp3("bench", 1, mp3_frames_for_bytes(size.about))
    with path.open("wb") as file:
        file.writelines(audio.chunks())
    return audio.size


def write_export(path: Path, sids: list[str], size: Size, host: str) -> None:
    """Write the provider's CDR export of the calls."""
    day = yesterday().date().isoformat()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADERS)
        for sid in sids:
            began, ended = (f"{day} {sid[at : at + 2]}:{sid[at + 2 : at + 4]}:00" for at in (0, 4))
            url = f"http://{host}/exotelrecordings/{ACCOUNT}/{sid}.mp3"
            seconds = str(size.seconds)
            numbers = ("09800000001", "09800000002", "09800000003")
            writer.writerow(
                (sid, began, *numbers, "inbound", "completed", began, ended, seconds, seconds, url)
            )
