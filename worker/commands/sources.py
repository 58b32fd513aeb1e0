"""How it is said what each source of calls brought, and when one was silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from archive.catalog.sources import sources_of
from archive.morning.facts import Sources
from archive.provider_time import day_of
from worker.opening import open_to_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    from archive.accounts import Account
    from archive.sources import Brought, Silence
    from worker.settings import Settings

_SHOWN: Final = 12
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


def read_sources(
    settings: Settings, accounts: Iterable[Account], *, day: str | None, now: datetime
) -> list[Sources]:
    """Return what sources brought on a day (``YYYY-MM-DD``), or without one yesterday and today.

    Nothing for an empty day, which stands for calls of unknown date.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    if day == "":
        return []
    database = open_to_look(settings)
    try:
        with database.read() as tx:
            told = []
            for account in accounts:
                first = day or day_of(now - _DAY, account.zone)
                begin = datetime.fromisoformat(first).replace(tzinfo=account.zone)
                end = now if day is None else min(now, begin + _DAY - _SECOND)
                sources = sources_of(tx, account, begin, end) if begin < end else []
                told.append(
                    Sources(account=account.name, begin=begin, end=end, brought=tuple(sources))
                )
            return told
    finally:
        database.close()


def source_lines(told: Iterable[Brought], zone: ZoneInfo) -> Iterator[str]:
    """Write what sources brought: a line for each, and one for each silence."""
    for one in told:
        yield f"{one.calls:>12,}  by {one.source}, {one.alone:,} of them only by it"
        for silence in one.silences[:_SHOWN]:
            yield f"{'':>14}{silence_text(one.source, silence, zone)}"
        if (more := len(one.silences) - _SHOWN) > 0:
            yield f"{'':>14}and {more:,} times more"


def silence_text(source: str, silence: Silence, zone: ZoneInfo) -> str:
    """Say when a source was silent, and what ended meanwhile."""
    since = silence.since.astimezone(zone)
    text = f"no {source} since {since:%Y-%m-%d %H:%M}"
    if silence.until is not None:
        until = silence.until.astimezone(zone)
        same_day = since.date() == until.date()
        text = f"no {source} between {since:%Y-%m-%d %H:%M} and "
        text += f"{until:%H:%M}" if same_day else f"{until:%Y-%m-%d %H:%M}"
    noun = "call" if silence.calls == 1 else "calls"
    return f"{text}, when {silence.calls:,} {noun} ended"
