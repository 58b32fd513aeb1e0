"""When a call is asked for, and what follows when it has no recording: pure functions of now.

Source: Exotel, Call Recording Access: a recording is typically available 1 to 5 minutes after the
call ends, up to 15 minutes at peak hours; very short calls may have none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.provider_time import end_of
from archive.verdicts import Absent, Again, Lost, Verdict

if TYPE_CHECKING:
    from archive.call import CallFacts

_GOING_ON: Final = frozenset({"queued", "ringing", "in-progress"})
_UNANSWERED: Final = frozenset(
    {"no-answer", "busy", "failed", "canceled", "missed-call", "call-attempt"}
)
_LONGEST_CALL: Final = timedelta(days=1)
"""A call lasts four hours at most; a status that says otherwise a day later is stale."""
_TOO_SHORT_S: Final = 5
_LATE_LOOKS: Final = 2
"""How many looks after the window must find nothing before a recording is called absent."""

# Where in the provider's window a call is looked at, as parts of the window: at 45 s, 90 s,
# 2.5 min and so on for 15 minutes. Dense where most recordings appear.
_LOOKS_AT: Final = (0.05, 0.1, 0.17, 0.25, 0.35, 0.5, 0.67, 0.84, 1.0)


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of the provider's processing time.

    A call is first looked at ``first_look`` after its end. Until ``window`` has passed, a missing
    recording is late, not absent. After it, looks are ``recheck`` apart, and a recording is absent
    when two of them found none and ``give_up_after`` has passed since the call's end.
    """

    first_look: timedelta = timedelta(seconds=45)
    window: timedelta = timedelta(minutes=15)
    recheck: timedelta = timedelta(minutes=5)
    give_up_after: timedelta = timedelta(hours=1)


def first_due(facts: CallFacts, now: datetime, readiness: Readiness) -> datetime:
    """Return when a newly known call is to be looked at first; at once if its end is unknown."""
    ended = end_of(facts.began_at, facts.ended_at, facts.duration_s)
    return now if ended is None else max(now, ended + readiness.first_look)


def judge_missing(
    facts: CallFacts,
    *,
    late_looks: int,
    delete_by: datetime | None,
    now: datetime,
    readiness: Readiness,
) -> Verdict:
    """Decide what a call without a recording URL means.

    Args:
        facts: what the provider says of the call.
        late_looks: how many former looks, made after the window, found no recording.
        delete_by: when the provider deletes the recording.
        now: the time of this look.
        readiness: the provider's habits.
    """
    began = facts.began_at
    if facts.status in _GOING_ON and (began is None or now - began < _LONGEST_CALL):
        return Again("call-in-progress", after=readiness.recheck)
    ended = end_of(facts.began_at, facts.ended_at, facts.duration_s)
    age = readiness.window if ended is None else now - ended
    if age < readiness.window:
        return Again("not-ready", after=_next_look(age, readiness.window) - age)
    if late_looks + 1 < _LATE_LOOKS or (ended is not None and age < readiness.give_up_after):
        return Again("no-recording-yet", after=readiness.recheck, late_look=True)
    reason = _why_absent(facts)
    if reason == "not-recorded" and delete_by is not None and now >= delete_by:
        # It was talked, and its recording would be gone by now: nobody can say there was none.
        return Lost("past-retention")
    return Absent(reason)


def _next_look(age: timedelta, window: timedelta) -> timedelta:
    """Return the age at which a call of this age is looked at next; later than ``age``."""
    for part in _LOOKS_AT:
        if part * window > age:
            return part * window
    return window


def _why_absent(facts: CallFacts) -> str:
    # An inbound call is often "completed" though nobody answered: the second leg and the time
    # talked decide (Exotel voice API, Call details, Leg2Status and ConversationDuration).
    if facts.status in _UNANSWERED or facts.leg2_status in _UNANSWERED:
        return "no-answer"
    if facts.duration_s is not None and facts.duration_s <= _TOO_SHORT_S:
        return "too-short"
    return "no-answer" if facts.talk_s == 0 else "not-recorded"
