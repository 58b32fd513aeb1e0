"""The report of a day of which the catalog could tell nothing: an alarm, in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archive.errors import LostCatalogError
from archive.morning.facts import Level, Note, Verdict
from archive.morning.verdict import spoken

if TYPE_CHECKING:
    from datetime import datetime

    from archive.errors import CatalogError


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a `Morning`: by the same names, so that who reads those finds its verdict."""

    day: str
    made_at: datetime
    timezone: str
    verdict: Verdict


def unreadable(error: CatalogError, *, day: str, made_at: datetime, timezone: str) -> Unreadable:
    """Return the report of a day (``YYYY-MM-DD``), by what kept the catalog from being read."""
    note = Note(
        text=error.hint or "nothing is known of the day's calls until it can be read",
        command="callvault rebuild" if isinstance(error, LostCatalogError) else "callvault doctor",
        alarm=True,
    )
    sentence = f"ALARM: nothing can be told of {spoken(day)}: {error.message}"
    verdict = Verdict(level=Level.ALARM, sentence=sentence, notes=(note,))
    return Unreadable(day=day, made_at=made_at, timezone=timezone, verdict=verdict)
