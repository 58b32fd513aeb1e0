"""How far back the provider's API knows calls, and how many it tells of in one answer.

Source: Exotel voice API, Bulk call details: 31 days by default, one month a query, six months of
history. Recordings may be kept for longer: up to a year, by plan.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

LOOKBACK: Final = timedelta(days=31)
"""How far back the listing looks where no DateCreated is given, and the longest range it takes."""

SIDS_PER_REQUEST: Final = 100
"""How many calls one request of the listing may ask for, and one page may hold."""

HISTORY: Final = timedelta(days=183)
"""How far back the API knows calls at all: six months."""
