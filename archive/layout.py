"""Where a recording lies in the archive: pure functions. The format is in ``docs/format.md``."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

PARTS: Final = ".parts"
"""Folder of files that are being written; nothing in it is a recording."""
QUARANTINE: Final = ".quarantine"
"""Folder of what came with the provider's 200 and is no audio, and of files found to be wrong."""

PRIVATE_UMASK: Final = 0o027
"""What every process of ours sets: recordings are for their owner and group alone."""

SUFFIXES: Final = ("mp3", "wav")
_NUMBERED: Final = re.compile(r"_[0-9]+\Z")

CHECKSUMS: Final = "SHA256SUMS"
"""A day's recordings, for ``sha256sum -c``."""
MANIFEST: Final = "manifest.jsonl"
"""A day's calls, archived or not."""


def day_folder(account: str, began: datetime, zone: ZoneInfo) -> PurePosixPath:
    """Return ``{account}/{YYYY}/{MM}/{DD}`` for the day the call began in the account's zone."""
    return PurePosixPath(account, began.astimezone(zone).strftime("%Y/%m/%d"))


def stem_of(sid: str, number: int) -> str:
    """Return the file name of a call's recording but for its suffix: ``{sid}``, ``{sid}_2``.

    A name that ends in ``_`` and digits always ends in the recording's number, so no Sid and number
    have the name of another Sid and number: the first recording of a Sid of that form is ``_1``.
    """
    return sid if number == 1 and not _NUMBERED.search(sid) else f"{sid}_{number}"


def number_of(stem: str, sid: str) -> int:
    """Return the number of a call's recording from its name, 1 where it has none."""
    number = stem.removeprefix(f"{sid}_")
    return int(number) if stem != sid and number.isdecimal() else 1


@lru_cache(maxsize=1024)
def recording_path(
    account: str, sid: str, began: datetime, zone: ZoneInfo, suffix: str, number: int = 1
) -> PurePosixPath:
    """Return ``{account}/{YYYY}/{MM}/{DD}/{HH}/{sid}.{suffix}``; see `stem_of` for others.

    Remembered: each step of a publishing asks for it.
    """
    hour = began.astimezone(zone).strftime("%H")
    return day_folder(account, began, zone) / hour / f"{stem_of(sid, number)}.{suffix}"


def sidecar_path(recording: PurePosixPath) -> PurePosixPath:
    """Return where the JSON beside a recording lies."""
    return recording.with_suffix(".json")


def part_name(lease: str, stem: str, kind: str) -> str:
    """Return the name of a file being written; it carries the token of the batch that writes it."""
    return f"{lease}.{stem}.{kind}"


def lease_of_part(name: str) -> str:
    """Return the token in a part file's name."""
    return name.partition(".")[0]
