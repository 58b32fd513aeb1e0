"""An export of calls that a catalog knows, or of others: what somebody enqueues once more."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from archive.clock import from_ms
from bench.scale.books import DAY_MS, sid_of

if TYPE_CHECKING:
    from pathlib import Path

    from bench.scale.books import Size

_ZONE: Final = ZoneInfo("Asia/Kolkata")
_SALES: Final = 14
_OF: Final = 20


def write_export(path: Path, size: Size, *, rows: int, new: bool = False) -> int:
    """Write the account's newest calls; return how many. New ones have Sids that nobody knows."""
    written = 0
    begin = size.until_ms - 730 * DAY_MS
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            (
                *("CallSid", "StartTime", "EndTime", "Direction", "From", "To", "PhoneNumberSid"),
                *("Status", "ConversationDuration", "RecordingUrl"),
            )
        )
        for number in range(size.calls - 1, -1, -1):
            if written == rows:
                break
            if number % _OF >= _SALES:
                continue
            sid = sid_of(-number - 1) if new else sid_of(number)
            began = from_ms(begin + number * size.step_ms).astimezone(_ZONE)
            ended = began + timedelta(seconds=20 + (number * 7919) % 1000 % 600)
            table.writerow(
                (
                    sid,
                    f"{began:%Y-%m-%d %H:%M:%S}",
                    f"{ended:%Y-%m-%d %H:%M:%S}",
                    "inbound",
                    f"09{100_000_000 + (number * 48271) % 899_999_999}",
                    f"08{100_000_000 + (number * 16807) % 899_999_999}",
                    f"0804{1_000_000 + number % 24}",
                    "completed",
                    40,
                    f"https://recordings.exotel.com/exotelrecordings/sales/{sid}.mp3",
                )
            )
            written += 1
    return written
