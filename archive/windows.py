"""Ranges of DateCreated, as the listing takes them."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from archive.history import LOOKBACK


class Window(msgspec.Struct, frozen=True):
    """A range of DateCreated, both ends included."""

    start: datetime
    end: datetime


def windows(
    start: datetime, end: datetime, longest: timedelta = LOOKBACK - timedelta(days=1)
) -> list[Window]:
    """Cut a range into windows that the listing takes, oldest first."""
    cut = []
    while start < end:
        stop = min(end, start + longest)
        cut.append(Window(start, stop))
        start = stop
    return cut
