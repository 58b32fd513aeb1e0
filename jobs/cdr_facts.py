"""What the cells of an export's row tell of a call. What cannot be read is left unknown."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from archive.call import CallFacts
from archive.provider_time import is_blank, parse_time
from jobs.day_order import DayOrder, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

_MAX_TEXT: Final = 64
_LONGEST_BLANK: Final = 4
_MAX_ECHO: Final = 40
_MAX_SECONDS: Final = 7 * 86_400  # a call can last four hours; a week is no call's duration
_SECONDS: Final = re.compile(r"(\d{1,9})(?:\.0*)?", re.ASCII)
_URL: Final = re.compile(r"https?://[^,;|\s]+", re.ASCII)
_MOST_URLS: Final = 20
_PLAIN_TIME: Final = 19  # YYYY-MM-DD HH:MM:SS
_MAX_DAYS: Final = 1_000

ReadTime: TypeAlias = "Callable[[str], datetime | None]"


class UnreadTimes(msgspec.Struct):
    """Times that stand in an export and could not be read: how many, and the first of them."""

    count: int = 0
    first: str = ""

    def add(self, text: str) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or ascii(text)[:_MAX_ECHO]


def facts_of(
    cells: tuple[str, ...], sid: str, read_time: ReadTime, *, only_times: bool
) -> CallFacts:
    """Return what a row's cells, in the order of `jobs.cdr_columns.NAMES`, tell of a call.

    ``only_times`` leaves out all but the times of creation and start.
    """
    _, created, started, ended, duration, talk, status, leg2, direction, *texts, urls = cells
    from_, to, group, exophone = texts
    created_at = read_time(created)
    # Most calls start in the second in which they are created.
    started_at = created_at if started == created else read_time(started)
    if only_times:
        return CallFacts(sid=sid, created_at=created_at, started_at=started_at)
    return CallFacts(
        sid=sid,
        created_at=created_at,
        started_at=started_at,
        ended_at=read_time(ended),
        duration_s=_seconds(duration),
        talk_s=_seconds(talk),
        status=_word(status),
        leg2_status=_word(leg2),
        direction=_word(direction),
        from_number=_text(from_),
        to_number=_text(to),
        exophone=_text_again(exophone),
        group=_text_again(group) if group else "",
        recording_urls=_urls(urls) or msgspec.UNSET,
    )


def time_reader(zone: ZoneInfo, unread: UnreadTimes, order: DayOrder | None = None) -> ReadTime:
    """Return `parse_time` for one zone, with None for what is no time, made for millions of calls.

    What is no time is counted in ``unread``. The usual form takes the zone's offset from a table of
    days: working it out costs three times as much as all the rest.
    """
    offsets: dict[str, timedelta | None] = {}
    from_iso = datetime.fromisoformat

    def read(text: str) -> datetime | None:
        if len(text) == _PLAIN_TIME:
            try:
                return from_iso(text + "+00:00") - offsets[text[:10]]  # type: ignore[operator]
            except KeyError:
                learn(text[:10])
            except (TypeError, ValueError):
                pass  # a day on which the clocks change, or no such time: the plain way tells
        with suppress(ValueError):
            return parse_time(text, zone)
        if order is not None:
            with suppress(ValueError):
                return parse_time(parse_date(text, order).isoformat(), zone)
        unread.add(text)
        return None

    def learn(day: str) -> None:
        """Note the day's offset; None where the clocks change that day or there is no such day."""
        if len(offsets) >= _MAX_DAYS:
            offsets.clear()
        offsets[day] = None
        with suppress(ValueError):
            start, last = (parse_time(f"{day} {time}", zone) for time in ("00:00:00", "23:59:59"))
            if start and last and last - start == timedelta(seconds=86_399):
                offsets[day] = from_iso(f"{day} 00:00:00+00:00") - start

    return read


def _urls(text: str) -> tuple[str, ...]:
    """Return the URLs in a cell. What stands between several is not documented: any will do."""
    if not text:
        return ()
    found = _URL.match(text)
    if found and found.end() == len(text):
        return (text,)
    return tuple(_URL.findall(text)[:_MOST_URLS])


@lru_cache(maxsize=16_384)
def _seconds(text: str) -> int | None:
    """Read a duration in whole seconds, also as a spreadsheet saves it (``35.0``)."""
    found = _SECONDS.fullmatch(text.strip())
    seconds = int(found[1]) if found else -1
    return seconds if 0 <= seconds <= _MAX_SECONDS else None


@lru_cache(maxsize=4_096)
def _word(text: str) -> str:
    return _text(text).lower()


@lru_cache(maxsize=4_096)
def _text_again(text: str) -> str:
    """Read a text of which there are few: a company has some teams and ExoPhones."""
    return _text(text)


def _text(text: str) -> str:
    text = text.strip()
    if not text.isprintable():
        text = "".join(filter(str.isprintable, text)).strip()
    return "" if len(text) <= _LONGEST_BLANK and is_blank(text) else text[:_MAX_TEXT]
