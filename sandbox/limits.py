"""The provider's rate limit: so many requests in any minute, counted per account.

Source: Exotel voice API, rate limits: 200 a minute over all voice APIs, HTTP 429 above it.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

MINUTE = timedelta(seconds=60)
RETRY_AFTER_SECONDS = 30
_MOST_REMEMBERED = 1_000_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the limiter says to one request.

    ``remaining`` requests may follow now; at ``reset`` the oldest counted one stops counting.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: datetime

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers the newer documents speak of; the reset is in Unix seconds."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(self.reset.timestamp()) + 1),
        }
        if not self.allowed:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return headers


class SlidingMinute:
    """Admits at most ``limit`` requests in any 60 seconds (0: as many as come).

    Refused requests do not count, so a client that is refused gets through a minute later at most.
    """

    def __init__(self, limit: int) -> None:
        """Begin with an empty minute."""
        self._limit = limit
        self._admitted: deque[datetime] = deque()
        # Answers that take long are worked out in threads of their own.
        self._lock = Lock()

    def admit(self, now: datetime) -> Allowance | None:
        """Judge one request; None where there is no limit."""
        if not self._limit:
            return None
        with self._lock:
            _forget(self._admitted, now)
            allowed = len(self._admitted) < self._limit
            if allowed:
                self._admitted.append(now)
            remaining = self._limit - len(self._admitted)
            return Allowance(allowed, self._limit, remaining, self._admitted[0] + MINUTE)


class PeakMinute:
    """Remembers the most requests there were in any 60 seconds (up to a million)."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: deque[datetime] = deque(maxlen=_MOST_REMEMBERED)
        self.peak = 0

    def see(self, now: datetime) -> None:
        """Count one request."""
        _forget(self._seen, now)
        self._seen.append(now)
        self.peak = max(self.peak, len(self._seen))


def _forget(moments: deque[datetime], now: datetime) -> None:
    """Drop what lies a minute or more back."""
    while moments and moments[0] <= now - MINUTE:
        moments.popleft()
