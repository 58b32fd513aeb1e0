"""The time of day, passed in wherever a decision depends on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class Clock(Protocol):
    """Tells the time as an aware datetime."""

    def __call__(self) -> datetime:
        """Return now, aware."""
        ...


def system_clock() -> datetime:
    """Return the machine's time, aware, in UTC."""
    return datetime.now(UTC)


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since 1970 in UTC, the form in which the catalog keeps times."""
    return (moment - EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """Return the aware UTC datetime of a catalog time."""
    return EPOCH + timedelta(milliseconds=ms)
