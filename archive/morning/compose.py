"""Puts a morning report together from what the catalog knows of each account's day: pure."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.morning.facts import (
    OTHERS,
    Compared,
    Counts,
    Due,
    Hour,
    Margins,
    Morning,
    Past,
    Promptness,
    Ran,
    Room,
    Share,
    Work,
    add_counts,
    counts_of,
    without_counts,
)
from archive.morning.measures import bars_of, even_bounds, gather, spread_of
from archive.morning.remedies import MISSING, WITHOUT, flagged_of, reasons_of
from archive.morning.usual import former_days, usual_calls, usual_shares
from archive.morning.verdict import Held, Seen, Usual, judge
from archive.room import days_left

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from archive.catalog.morning import Part

_MINUTE: Final = 60
_PROMPT_BOUNDS: Final = tuple(
    round(minutes * _MINUTE)
    for minutes in (1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 15, 30, 60, 120, 360, 1440)
)
_STEPS: Final = (1, 2, 3, 6, 12, *(24 * days for days in (1, 2, 5, 10, 30, 60, 120, 360)))
_BARS: Final = 14
_SHOWN: Final = 10
PAST_DAYS: Final = 14
"""So many days are shown, the day itself the last."""
_AHEAD: Final = 7


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand beside the catalog's days.

    ``named``: commands have to name an account. ``known``: a call is known, of whatever day.
    ``free`` are the bytes left on the archive's disk, None where that cannot be told. ``written``
    is what was written to it on each of the last days, ``pace`` how many bytes a day bring, None
    where that is not known. ``missing_root`` says that the recordings are not there.
    """

    made_at: datetime
    named: bool
    work: Work
    runs: tuple[Ran, ...] = ()
    verified: Ran | None = None
    held: tuple[Held, ...] = ()
    troubles: tuple[str, ...] = ()
    missing_root: str = ""
    written: Mapping[str, int] = {}
    pace: float | None = None
    free: int | None = None
    min_free: int = 0
    known: bool = True


def compose(parts: Sequence[Part], day: str, now: Now) -> Morning:
    """Return the report of a day on which at least one account is looked at."""
    shares = tuple(
        Share(account=p.account.name, name=p.account.name, counts=counts_of(p.balance.states))
        for p in parts
    )
    counts = add_counts(share.counts for share in shares)
    recordings = sum(part.balance.recordings for part in parts)
    faults = tuple(
        f"{part.account.name}: {fault}" if now.named else fault
        for part in parts
        for fault in part.balance.faults
    )
    flagged = tuple(
        one
        for part in parts
        for one in flagged_of(
            part.balance.flagged, day=day, account=part.account.name if now.named else ""
        )
    )
    sources = tuple(part.sources for part in parts)
    size = sum(part.balance.bytes for part in parts)
    room = _room(now)
    seen = Seen(
        day=day,
        over=all(part.end <= now.made_at for part in parts),
        counts=counts,
        recordings=recordings,
        faults=faults,
        usual=tuple(_usual(part, day) for part in parts),
        flagged=flagged,
        undated=sum(part.undated for part in parts),
        sources=sources,
        margins=_margins(parts, now.made_at),
        held=now.held,
        troubles=now.troubles,
        missing_root=now.missing_root,
        runs=now.runs,
        room=room,
        known=now.known,
    )
    reasons = {
        states: tuple(
            reason
            for p in parts
            for reason in reasons_of(
                p.account.name, p.balance, states, day=day, named=now.named, first=p.first
            )
        )
        for states in (MISSING, WITHOUT)
    }
    return Morning(
        day=day,
        made_at=now.made_at,
        timezone=parts[0].account.timezone,
        verdict=judge(seen),
        counts=counts,
        recordings=recordings,
        bytes=size,
        faults=faults,
        accounts=shares,
        exophones=_exophones(parts, counts),
        hours=_hours(parts),
        missing=reasons[MISSING],
        without=reasons[WITHOUT],
        flagged=flagged,
        undated=seen.undated,
        sources=sources,
        promptness=_promptness(parts),
        margins=seen.margins,
        work=_work(parts, now.work),
        runs=now.runs,
        verified=now.verified,
        before=_before(parts, day),
        past=_past(parts, day, now.written),
        room=room,
        paused="; ".join(f"{held.scope}: {held.words}" for held in now.held) or None,
        troubles=now.troubles,
    )


def _usual(part: Part, day: str) -> Usual:
    calls = {one: counts.calls for one, counts in part.days.items()}
    return Usual(
        account=part.account.name,
        counts=part.days.get(day, Counts()),
        former=usual_calls(day, calls, part.known_since),
        shares=usual_shares(day, part.days),
    )


def _exophones(parts: Sequence[Part], total: Counts) -> tuple[Share, ...]:
    named = sorted(
        (share for part in parts for share in part.exophones),
        key=lambda share: (-share.counts.calls, share.account, share.name),
    )[:_SHOWN]
    rest = without_counts(total, add_counts(share.counts for share in named))
    others = [Share(account="", name=OTHERS, counts=rest)] if rest.calls else []
    return (*named, *others)


def fewer_shares(shares: Sequence[Share], most: int) -> tuple[Share, ...]:
    """Return the first of the shares, and one that stands for the others."""
    if len(shares) <= most + 1:
        return tuple(shares)
    rest = add_counts(share.counts for share in shares[most:])
    return (*shares[:most], Share(account="", name=OTHERS, counts=rest))


def _hours(parts: Sequence[Part]) -> tuple[Hour, ...]:
    if not any(part.hours for part in parts):
        return ()
    # By elapsed hours: where clocks are changed, a day has 23 of them, or 25.
    zone, begin = parts[0].begin.tzinfo, parts[0].begin.astimezone(UTC)
    length = (parts[0].end.astimezone(UTC) - begin) // timedelta(hours=1)
    last = max(length, *(hour + 1 for part in parts for hour in part.hours))
    return tuple(
        Hour(
            begin=(begin + timedelta(hours=hour)).astimezone(zone),
            counts=add_counts(p.hours[hour] for p in parts if hour in p.hours),
        )
        for hour in range(last)
    )


def _promptness(parts: Sequence[Part]) -> Promptness:
    everything = [(s, n) for part in parts for s, n in part.promptness.items()]
    counted = gather((seconds, n) for seconds, n in everything if seconds is not None)
    in_vain = gather((s, n) for part in parts for s, n in part.in_vain.items())
    return Promptness(
        archived=sum(n for _, n in everything),
        timely=sum(counted.values()),
        on_disk=spread_of(counted),
        bars=bars_of(counted, _PROMPT_BOUNDS),
        in_vain=spread_of(in_vain),
    )


def _margins(parts: Sequence[Part], now: datetime) -> Margins:
    counted = gather((hours, n) for part in parts for hours, n in part.margins.items())
    until = (now.astimezone(parts[0].account.zone) + timedelta(days=_AHEAD)).date().isoformat()
    days = sorted({day for part in parts for day in part.due if day <= until})
    return Margins(
        hours=spread_of(counted),
        bars=bars_of(counted, even_bounds(counted, _STEPS, _BARS)),
        due=tuple(Due(day, sum(part.due.get(day, 0) for part in parts)) for day in days),
        past=sum(part.past for part in parts),
        at_risk=tuple(part.at_risk for part in parts if part.at_risk),
    )


def _work(parts: Sequence[Part], work: Work) -> Work:
    spans = [part.came for part in parts if part.came]
    return msgspec.structs.replace(
        work,
        first=min((first for first, _ in spans), default=None),
        last=max((last for _, last in spans), default=None),
    )


def _before(parts: Sequence[Part], day: str) -> Compared | None:
    known = [(part, part.before) for part in parts if part.before is not None]
    if not known:
        return None
    before = former_days(day)[0]
    counts = add_counts(part.days.get(before, Counts()) for part, _ in known)
    return Compared(
        day=before,
        calls=counts.calls,
        archived=counts.archived,
        recordings=sum(recorded.recordings for _, recorded in known),
        bytes=sum(recorded.bytes for _, recorded in known),
    )


def _past(parts: Sequence[Part], day: str, written: Mapping[str, int]) -> tuple[Past, ...]:
    that = date.fromisoformat(day)
    days = [(that - timedelta(days=back)).isoformat() for back in reversed(range(PAST_DAYS))]
    return tuple(
        Past(
            day=one,
            counts=add_counts(part.days[one] for part in parts if one in part.days),
            bytes=written.get(one),
        )
        for one in days
    )


def _room(now: Now) -> Room | None:
    if now.free is None:
        return None
    left = days_left(now.free - now.min_free, now.pace)
    return Room(free=now.free, min_free=now.min_free, days_left=left)
