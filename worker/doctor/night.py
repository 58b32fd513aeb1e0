"""The checks of the last night: how commands ended, and whether yesterday's calls are settled."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from archive.catalog import examine, runs
from archive.catalog.examine import looking_at
from archive.errors import Exit
from archive.provider_time import day_of, spoken_time
from worker.doctor.catalog import READ_S, usable
from worker.doctor.check import Check, Found, Group, aside, failed, passed, skipped, warned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.examine import Night
    from archive.catalog.runs import Run
    from worker.doctor.world import World

_USUAL: Final = 3
"""On so many of seven days calls are usual: an office's week has five."""
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_BROKEN: Final = frozenset({Exit.UNEXPECTED, Exit.USAGE, Exit.FATAL})
_SHORT: Final = frozenset({Exit.WORK_REMAINS, Exit.PERMANENT_LOSSES})


def checks(world: World) -> Iterator[Check]:
    """Return the check of runs, and that of the night for each account."""
    yield Check(
        name="runs",
        group=Group.SERVER,
        look=partial(_runs, world),
        needs=frozenset({"catalog"}),
    )
    for account in world.accounts:
        yield Check(
            name="night",
            group=Group.SERVER,
            look=partial(_look, world, account),
            account=account.name,
            needs=frozenset({"catalog"}),
        )


async def _runs(world: World) -> Found:
    now = world.effects.clock()

    def look() -> list[Run] | str:
        if why := usable(world):
            return why
        with looking_at(world.settings.catalog.url, within_s=READ_S) as tx:
            return runs.between(tx, now - _WEEK, now)

    seen = await aside(look)
    zone = next((account.zone for account in world.accounts), ZoneInfo("UTC"))
    return skipped(seen) if isinstance(seen, str) else judge_runs(seen, now, zone)


def judge_runs(seen: Sequence[Run], now: datetime, zone: ZoneInfo) -> Found:
    """Tell how each command ended that was run last: what fails night after night shows here."""
    last = {run.command: run for run in sorted(seen, key=lambda run: run.began)}
    said = "; ".join(_told(run, now, zone) for run in last.values())
    broken = [run for run in last.values() if run.code in _BROKEN]
    short = [run for run in last.values() if run.code in _SHORT or _is_lost(run, now)]
    if not last:
        return skipped("no command that has an end was run in the last 7 days")
    if broken:
        return failed(said, f"run it by hand and read what it says: callvault {broken[0].command}")
    if short:
        return warned(said, "callvault report, and the log: journalctl -u 'callvault-*' -e")
    return passed(said)


def _told(run: Run, now: datetime, zone: ZoneInfo) -> str:
    began = spoken_time(run.began, zone)
    if run.code is None:
        end = "was never ended" if _is_lost(run, now) else "goes on"
    else:
        end = f"ended with {run.code}"
    note = f" ({run.note})" if run.note and run.code else ""
    return f"{run.command} of {began} {end}{note}"


def _is_lost(run: Run, now: datetime) -> bool:
    return run.ended is None and now - run.began > _DAY


async def _look(world: World, account: Account) -> Found:
    now = world.effects.clock()
    yesterday = day_of(now - _DAY, account.zone)

    def look() -> Night | str:
        if why := usable(world):
            return why
        with looking_at(world.settings.catalog.url, within_s=READ_S) as tx:
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
    listed = "the listing was never read"
    if night.listed_at is not None:
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
            f"{night.unsettled:,} of {night.calls:,} calls of {day} are not settled; "
            + _last_archived(night.archived_at, account),
            "callvault work --drain",
        )
    if night.listed_at is not None and now - night.listed_at > _DAY:
        return warned(
            f"all {night.calls:,} known calls of {day} are settled, but {listed}",
            "callvault reconcile",
        )
    settled = _said(night.settled_at, account)
    return passed(f"all {night.calls:,} calls of {day} are settled, the last {settled}")


def _last_archived(moment: datetime | None, account: Account) -> str:
    if moment is None:
        return "no recording was archived yet"
    return f"a recording was archived last {_said(moment, account)}"


def _said(moment: datetime | None, account: Account) -> str:
    if moment is None:
        return "never"
    return f"at {spoken_time(moment, account.zone)}"
