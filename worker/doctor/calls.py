"""The provider's own troubles with recordings, looked for among the calls of the last days.

Its support pages name four: no recording, a refusal (403), an empty file, a recording that comes
late. Here the catalog tells how many calls met each.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import State
from archive.catalog import examine
from archive.catalog.examine import looking_at
from archive.provider_time import day_of
from archive.reasons import meaning_of
from archive.verdicts import Symptom
from worker.doctor.catalog import READ_S, usable
from worker.doctor.check import Check, Found, Group, Once, aside, passed, skipped, warned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from archive.accounts import Account
    from worker.doctor.world import World

_DAYS: Final = 3
_FEW: Final = 5
"""Fewer calls than this are chance."""
_UNRECORDED: Final = 0.2
_REFUSED: Final = 0.02
_EMPTY: Final = 0.01
_LATE: Final = 0.05

REFUSALS: Final = (
    Symptom.FETCH_REFUSED,
    Symptom.FETCH_EXPIRED,
    Symptom.FETCH_BAD_ADDRESS,
    Symptom.FETCH_REFUSES_ALL,
    Symptom.API_FORBIDDEN,
    Symptom.API_UNAUTHORISED,
)
EMPTY: Final = (Symptom.BODY_EMPTY, Symptom.BODY_NOT_AUDIO, Symptom.BODY_SHORT)
NOT_RECORDED: Final = "not-recorded"
LATE: Final = "no-recording-yet"


class Recent(msgspec.Struct, frozen=True):
    """The calls of the last days: how many ended how, and how many met what on their way."""

    outcomes: dict[tuple[str, str], int]
    met: dict[str, int]

    @property
    def archived(self) -> int:
        """How many of them are archived."""
        return sum(n for (state, _), n in self.outcomes.items() if state == State.ARCHIVED)

    @property
    def settled(self) -> int:
        """How many are archived, or were talked and never recorded, lost or failed."""
        ended = sum(
            n
            for (state, reason), n in self.outcomes.items()
            if state in {State.LOST, State.FAILED} or reason == NOT_RECORDED
        )
        return self.archived + ended

    def had(self, reasons: Collection[str]) -> dict[str, int]:
        """Return how many calls met each of some reasons, the most frequent first."""
        found = {reason: n for reason, n in self.met.items() if reason in reasons}
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def checks(world: World) -> Iterator[Check]:
    """Return the checks of real calls, for each account."""
    judges: dict[str, Callable[[Recent], Found]] = {
        "unrecorded": judge_unrecorded,
        "refused": judge_refused,
        "empty": judge_empty,
        "late": judge_late,
    }
    for account in world.accounts:
        recent = Once(partial(_recent, world, account))
        for name, judge in judges.items():
            yield Check(
                name=name,
                group=Group.RECORDINGS,
                look=partial(_judged, recent, judge),
                account=account.name,
                needs=frozenset({"catalog"}),
            )


async def _judged(recent: Once[Recent | str], judge: Callable[[Recent], Found]) -> Found:
    seen = await recent()
    if isinstance(seen, str):
        return skipped(seen)
    if not seen.settled:
        return skipped(f"no call of the last {_DAYS} days is settled")
    return judge(seen)


async def _recent(world: World, account: Account) -> Recent | str:
    def look() -> Recent | str:
        if why := usable(world):
            return why
        now = world.effects.clock()
        days = (day_of(now - timedelta(days=_DAYS), account.zone), day_of(now, account.zone))
        with looking_at(world.settings.catalog.url, within_s=READ_S) as tx:
            return Recent(
                examine.outcomes(tx, account.name, *days), examine.met(tx, account.name, *days)
            )

    return await aside(look)


def judge_unrecorded(recent: Recent) -> Found:
    """Tell whether answered calls go unrecorded: their flow may not be set to record."""
    without = recent.outcomes.get((State.ABSENT, NOT_RECORDED), 0)
    said = f"{without:,} of {recent.settled:,} answered calls of {_DAYS} days have no recording"
    if without >= _FEW and without > _UNRECORDED * recent.settled:
        return warned(
            said,
            "look whether their flows record (Connect applet, Record this call): callvault find "
            f"--reason {NOT_RECORDED} --from '{_DAYS} days ago'",
        )
    return passed(said)


def judge_refused(recent: Recent) -> Found:
    """Tell whether recordings or requests were refused, and why."""
    return _judge_met(recent, REFUSALS, _REFUSED, "were refused (401, 403)")


def judge_empty(recent: Recent) -> Found:
    """Tell whether recordings came empty, cut off or as something else."""
    return _judge_met(recent, EMPTY, _EMPTY, "came empty, cut off or as no audio")


def judge_late(recent: Recent) -> Found:
    """Tell whether recordings take longer than the provider says they do."""
    late = recent.met.get(LATE, 0)
    of = max(recent.settled, late)
    said = f"{late:,} of {of:,} calls of {_DAYS} days had no recording within the provider's time"
    if late >= _FEW and late > _LATE * of:
        return warned(
            said,
            "ask the provider; where it stays so, raise window and give_up_after in [readiness]",
        )
    return passed(said)


def _judge_met(recent: Recent, reasons: Collection[str], share: float, what: str) -> Found:
    had = recent.had(reasons)
    most = max(had.values(), default=0)
    of = max(recent.settled, most)
    if not had:
        return passed(f"none of {of:,} calls of {_DAYS} days {what}")
    told = ", ".join(f"{reason} {n:,}" for reason, n in had.items())
    said = f"of {of:,} calls of {_DAYS} days some {what}: {told}"
    if most >= _FEW and most > share * of:
        remedies = dict.fromkeys(filter(None, (meaning_of(reason).remedy for reason in had)))
        return warned(said, "; ".join(remedies) or "ask the provider, with some of the Sids")
    return passed(said)
