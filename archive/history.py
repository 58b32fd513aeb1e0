"""How far back the provider's API knows calls.

Source: Exotel voice API, Bulk call details: 31 days by default, one month a query, six months of
history. Recordings may be kept for longer: up to a year, by plan.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

LOOKBACK: Final = timedelta(days=31)
"""How far back the listing looks where no DateCreated is given, and the longest range it takes."""

HISTORY: Final = timedelta(days=183)
"""How far back the API knows calls at all: six months."""
