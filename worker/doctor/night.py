"""The check of the last night: are all calls of yesterday settled, and since when."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from archive.catalog import examine
from archive.catalog.examine import looking_at
from archive.provider_time import day_of
from worker.doctor.catalog import READ_S, usable
from worker.doctor.check import Check, Found, Group, aside, passed, skipped, warned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.examine import Night
    from worker.doctor.world import World

_USUAL: Final = 3
"""On so many of seven days calls are usual: an office's week has five."""
_DAY: Final = timedelta(days=1)


def checks(world: World) -> Iterator[Check]:
    """Return the check, for each account."""
    for account in world.accounts:
        yield Check(
            name="night",
            group=Group.SERVER,
            look=partial(_look, world, account),
            account=account.name,
            needs=frozenset({"catalog"}),
        )


async def _look(world: World, account: Account) -> Found:
    now = world.effects.clock()
    yesterday = day_of(now - _DAY, account.zone)

    def look() -> Night | str:
        if why := usable(world):
            return why
        with looking_at(world.settings.catalog_path, within_s=READ_S) as tx:
            return examine.night(
                tx,
                account.name,
                yesterday,
                first_day=day_of(now - 8 * _DAY, account.zone),
                before=day_of(now - 2 * _DAY, account.zone),
            )

    seen = await aside(look)
    return skipped(seen) if isinstance(seen, str) else judge_night(seen, account, yesterday, now)


def judge_night(night: Night, account: Account, day: str, now: datetime) -> Found:
    """Tell whether yesterday is done, and when that was; and whether anything is heard at all."""
    listed = f"the listing was read last {_said(night.listed_at, account)}"
    if night.usual < _USUAL and not night.calls:
        return skipped(f"calls are not usual here yet; {listed}")
    if not night.calls:
        return warned(
            f"no call of {day} is known, though there are calls on most days; {listed}",
            f"callvault reconcile --from {day} --to {day}",
        )
    if night.unsettled:
        return warned(
            f"{night.unsettled:,} of {night.calls:,} calls of {day} are not settled; a recording "
            f"was archived last {_said(night.archived_at, account)}",
            "callvault work --drain",
        )
    if night.listed_at is not None and now - night.listed_at > _DAY:
        return warned(
            f"all {night.calls:,} known calls of {day} are settled, but {listed}",
            "callvault reconcile",
        )
    settled = _said(night.settled_at, account)
    return passed(f"all {night.calls:,} calls of {day} are settled, the last {settled}")


def _said(moment: datetime | None, account: Account) -> str:
    if moment is None:
        return "never"
    return f"at {moment.astimezone(account.zone):%Y-%m-%d %H:%M}"
