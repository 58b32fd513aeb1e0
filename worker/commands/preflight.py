"""How a preflight is said: what ``enqueue --dry-run`` would bring, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archive.preflight import Bounds, Forecast, reckon
from archive.tree import free_bytes
from worker.commands.options import human_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from archive.accounts import Account
    from jobs.intake import Desk
    from worker.settings import Settings


def forecast(desk: Desk, settings: Settings, account: Account, now: datetime) -> Forecast:
    """Return what the calls that a desk has counted would bring.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    return reckon(
        desk.preview,
        desk.measured(),
        bounds=Bounds(
            requests_per_minute=account.requests_per_minute,
            free=max(0, free_bytes(settings.archive.root) - settings.archive.min_free),
            limit_rate=settings.worker.limit_rate,
            backfill=settings.backfill,
            zone=account.zone,
        ),
        now=now,
    )


class Ahead(msgspec.Struct, frozen=True):
    """A forecast of an account's calls, and when it was made."""

    told: Forecast
    account: Account
    now: datetime

    def lines(self) -> Iterator[str]:
        """Write it for a person."""
        return _lines(self.told, self.account, self.now)


def _lines(told: Forecast, account: Account, now: datetime) -> Iterator[str]:
    yield f"{told.new:>12,}  calls would be new, {told.left_out:,} of them left out or settled"
    hours = told.seconds / 3600
    yield f"{told.recordings:>12,}  recordings expected, {hours:,.1f} hours of audio"
    least, most = told.bytes
    if told.measured:
        shares = ", ".join(f"{share:.0%} {name}" for name, share in told.formats.items())
        yield f"{human_bytes(least):>12}  as measured in this archive ({shares})"
    else:
        yield (
            f"{human_bytes(least):>12}  to {human_bytes(most)}: nothing was measured here yet; the "
            "least is for MP3, the most for two channels of WAV"
        )
    limit = account.requests_per_minute
    yield f"{told.requests:>12,}  requests to the provider, which takes {limit} a minute"
    pace = f"at {told.pace:,.1f} recordings a second" if told.pace else "at the limit of requests"
    if told.limit_rate:
        pace += f" and {human_bytes(told.limit_rate)}/s ([worker] limit_rate)"
    if told.in_hours:
        pace += ", in the backfill hours"
    when = told.finish.astimezone(account.zone)
    yield f"{'':>14}done by {when:%Y-%m-%d %H:%M}, {pace}, with all that waits already"
    if told.pace is None:
        yield f"{'':>14}(no download rate was measured yet: fetching may take longer)"
    room = "" if told.fits else ", WHICH IS TOO LITTLE"
    days = "" if told.disk_days is None else f": {told.disk_days:,.0f} days of calls like these"
    yield f"{human_bytes(told.free):>12}  free on the disk of the recordings{room}{days}"
    if told.already_past:
        yield f"{told.already_past:>12,}  are past their day of deletion already"
    if told.too_late:
        yield f"{told.too_late:>12,}  WILL BE DELETED BEFORE THEIR TURN"
    if told.undated:
        yield f"{told.undated:>12,}  have no date, so nobody knows when theirs are deleted"
    yield f"as of {now.astimezone(account.zone):%Y-%m-%d %H:%M}; nothing was changed"
