"""The bulk listing's rules: what may be asked, and which calls answer it.

Source: Exotel voice API, Bulk call details. At most 100 Sids and 100 rows a request, one month of
dates, six months of history; without dates the last 31 days; calls still going on are left out.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sandbox.calls import HISTORY, Call, Provider

MONTH = timedelta(days=31)
MOST_SIDS = 100
MOST_NUMBERS = 5
MOST_ROWS = 100
DEFAULT_ROWS = 50
LEAST_VALIDITY, MOST_VALIDITY = 5, 60

STATUSES = frozenset(
    ("queued", "ringing", "in-progress", "completed", "failed", "busy", "no-answer", "canceled")
)
DIRECTIONS = frozenset({"inbound", "outbound-dial", "outbound-api"})

_FILTERS = frozenset({"Status", "Direction", "To", "From", "PhoneNumber", "Duration"})

_WALL_TIME = "%Y-%m-%d %H:%M:%S"
_BOUND = re.compile(r"(gte|lte):(.+)")
_SECONDS = re.compile(r"(\d{1,6})s?")

Test = Callable[[Call], bool]


class BadRequestError(ValueError):
    """A request that breaks one of the provider's rules; the text says which."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One request for calls: a window of dates, cursors, and tests each call has to pass.

    ``sids`` is None where any call may answer. ``after`` and ``before`` are Sids of rows that were
    handed out as cursors.
    """

    low: datetime
    high: datetime
    sids: tuple[str, ...] | None
    tests: tuple[Test, ...]
    descending: bool
    rows: int
    after: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """The calls of one page in the order asked for, and what there is around them."""

    calls: tuple[Call, ...]
    total: int
    has_previous: bool
    has_next: bool


def validity_minutes(query: Mapping[str, str]) -> int | None:
    """Read ``RecordingUrlValidity``: 5 to 60 minutes, None where it was not asked for."""
    text = query.get("RecordingUrlValidity")
    if text is None:
        return None
    minutes = _whole_number("RecordingUrlValidity", text)
    if not LEAST_VALIDITY <= minutes <= MOST_VALIDITY:
        message = f"RecordingUrlValidity must be from {LEAST_VALIDITY} to {MOST_VALIDITY} minutes"
        raise BadRequestError(message)
    return minutes


def read(query: Mapping[str, str], now: datetime, zone: tzinfo) -> Listing:
    """Read a request for calls; ``BadRequestError`` where it breaks a rule."""
    low, high = _window(query.get("DateCreated"), now, zone)
    order = query.get("SortBy", "DateCreated:desc")
    if order not in {"DateCreated:asc", "DateCreated:desc"}:
        message = "SortBy must be DateCreated:asc or DateCreated:desc"
        raise BadRequestError(message)
    rows = _whole_number("PageSize", query.get("PageSize", str(DEFAULT_ROWS)))
    if not 1 <= rows <= MOST_ROWS:
        message = f"PageSize must be from 1 to {MOST_ROWS}"
        raise BadRequestError(message)
    return Listing(
        low=low,
        high=high,
        sids=_listed(query, "Sid", MOST_SIDS),
        tests=tuple(_tests(query)),
        descending=order.endswith("desc"),
        rows=rows,
        after=query.get("After"),
        before=query.get("Before"),
    )


def may_be_slow(query: Mapping[str, str]) -> bool:
    """Tell whether answering may mean to look at every call of the window."""
    return "Sid" not in query and not _FILTERS.isdisjoint(query)


def find(listing: Listing, provider: Provider, now: datetime) -> Page:
    """Find the page of calls that answers a request; ``BadRequestError`` on an unknown cursor."""
    places = _candidates(listing, provider, now)
    ahead = _after_cursor(listing, places, provider)
    found: list[Call] = []
    for index in ahead:
        call = provider.call(index)
        if _passes(listing, call, now):
            found.append(call)
        if len(found) > listing.rows:
            break
    more = len(found) > listing.rows
    del found[listing.rows :]
    backwards = listing.before is not None
    return Page(
        calls=tuple(reversed(found) if backwards else found),
        total=_total(listing, places, provider, now),
        has_previous=more if backwards else listing.after is not None,
        has_next=backwards or more,
    )


def _candidates(listing: Listing, provider: Provider, now: datetime) -> Sequence[int]:
    """Give the indexes, ascending, of the calls in the window that had begun by ``now``."""
    window = provider.between(max(listing.low, now - HISTORY), min(listing.high, now))
    if listing.sids is None:
        return window
    known = {provider.index_of(sid) for sid in listing.sids}
    return sorted(index for index in known if index is not None and index in window)


def _after_cursor(listing: Listing, places: Sequence[int], provider: Provider) -> Iterator[int]:
    """Walk the candidates from the cursor on: forwards, or backwards where it says Before."""
    backwards = listing.before is not None
    sid = listing.before if backwards else listing.after
    ascending = listing.descending is backwards
    if sid is not None:
        cursor = provider.index_of(sid)
        if cursor is None:
            message = "The cursor is not one of this listing"
            raise BadRequestError(message)
        left, right = bisect_left(places, cursor), bisect_right(places, cursor)
        places = places[right:] if ascending else places[:left]
    return iter(places) if ascending else reversed(places)


def _passes(listing: Listing, call: Call, now: datetime) -> bool:
    return call.ended_at <= now and all(test(call) for test in listing.tests)


def _total(listing: Listing, places: Sequence[int], provider: Provider, now: datetime) -> int:
    """Count the calls that answer; without tests only the newest need to be looked at."""
    surely_ended = 0
    if not listing.tests:
        surely_ended = bisect_left(places, now - provider.longest, key=provider.started_at)
    rest = (provider.call(index) for index in places[surely_ended:])
    return surely_ended + sum(_passes(listing, call, now) for call in rest)


def _window(text: str | None, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Read ``DateCreated``; an open end reaches to now or a month back."""
    bounds: dict[str, datetime] = {}
    for part in (text or "").split(";") if text else ():
        match = _BOUND.fullmatch(part.strip())
        if match is None:
            message = "DateCreated must look like gte:2026-01-01 00:00:00;lte:2026-01-31 23:59:59"
            raise BadRequestError(message)
        bounds[match[1]] = _wall_time(match[2], zone)
    high = bounds.get("lte", now)
    low = bounds.get("gte", high - MONTH)
    if high - low > MONTH:
        message = f"DateCreated may span {MONTH.days} days at most"
        raise BadRequestError(message)
    return low, high


def _wall_time(text: str, zone: tzinfo) -> datetime:
    try:
        return datetime.strptime(text.strip(), _WALL_TIME).replace(tzinfo=zone)
    except ValueError:
        message = f"{text!r} is not a time like 2026-01-01 00:00:00"
        raise BadRequestError(message) from None


def _tests(query: Mapping[str, str]) -> Iterator[Test]:
    """Turn the filters of a request into tests."""
    if (statuses := _words(query, "Status", STATUSES)) is not None:
        yield lambda call: call.status in statuses
    if (directions := _words(query, "Direction", DIRECTIONS)) is not None:
        yield lambda call: call.direction in directions
    if (called := _listed(query, "To", MOST_NUMBERS)) is not None:
        yield lambda call: call.called in called
    if (callers := _listed(query, "From", MOST_NUMBERS)) is not None:
        yield lambda call: call.caller in callers
    if (exophones := _listed(query, "PhoneNumber", MOST_NUMBERS)) is not None:
        yield lambda call: call.exophone in exophones
    if (lengths := query.get("Duration")) is not None:
        least, most = _lengths(lengths)
        yield lambda call: least <= call.duration <= most


def _words(query: Mapping[str, str], name: str, allowed: frozenset[str]) -> tuple[str, ...] | None:
    given = _listed(query, name, len(allowed))
    if given is not None and not allowed.issuperset(given):
        message = f"{name} must be one of {', '.join(sorted(allowed))}"
        raise BadRequestError(message)
    return given


def _listed(query: Mapping[str, str], name: str, most: int) -> tuple[str, ...] | None:
    """Read a list with commas; None where it was not given."""
    text = query.get(name)
    if text is None:
        return None
    given = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(given) > most:
        message = f"{name} takes {most} values at most"
        raise BadRequestError(message)
    return given


def _lengths(text: str) -> tuple[int, int]:
    """Read ``gte:10s;lte:45s`` as whole seconds."""
    bounds = {"gte": 0, "lte": 10**6}
    for part in text.split(";"):
        match = _BOUND.fullmatch(part.strip())
        length = _SECONDS.fullmatch(match[2]) if match else None
        if match is None or length is None:
            message = "Duration must look like gte:10s;lte:45s"
            raise BadRequestError(message)
        bounds[match[1]] = int(length[1])
    return bounds["gte"], bounds["lte"]


def _whole_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len("1000000")):
        message = f"{name} must be a whole number"
        raise BadRequestError(message)
    return int(text)
