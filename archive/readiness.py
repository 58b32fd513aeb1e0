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
_SHORTEST: Final = timedelta(milliseconds=100)
"""The least time between two looks, whatever the settings: none is a circle without a rest."""
_LATE_LOOKS: Final = 2
"""How many looks after the window must find nothing before a recording is called absent.

An answer may lack a URL by mistake, whatever the call's age. One is enough only where somebody else
has said before that nobody answered, see `judge_missing`.
"""

# How a call is looked at in the provider's window: until which part of it, and how often, both as
# parts of the window (of 15 minutes: every 27 s until 3:33, every 8 s until 5:00, every 50 s until
# 10:00, then every 27 s again).
# A look costs the same for a call whose recording is ready as for one whose is not. So it pays to
# look seldom while nearly all of them still wait, and often when few do and most of those are about
# to be ready; the first stretch is only bounded by the longest delay that is tolerable.
_LOOKS: Final = ((0.237, 1 / 33), (1 / 3, 1 / 104), (2 / 3, 1 / 18), (1.0, 1 / 33))


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of the provider's processing time.

    A call is first looked at ``first_look`` after its end. Until ``window`` has passed, a missing
    recording is late, not absent. After it, looks are ``recheck`` apart. A recording is absent when
    two of them found none and, if the call was talked, ``give_up_after`` has passed since its end.
    One that is said to be unanswered is looked at when that time has passed: one look is enough
    then, if the provider says so too.
    """

    first_look: timedelta = timedelta(seconds=86)
    window: timedelta = timedelta(minutes=15)
    recheck: timedelta = timedelta(minutes=10)
    give_up_after: timedelta = timedelta(hours=1)


def first_due(facts: CallFacts, now: datetime, readiness: Readiness) -> datetime:
    """Return when a newly known call is to be looked at first; at once if its end is unknown.

    One that nobody is said to have answered waits until one look is enough: it will hardly have a
    recording, but that is for the provider to say. One that is said to be too short waits until the
    provider has had its time.
    """
    ended = end_of(facts.began_at, facts.ended_at, facts.duration_s)
    if ended is None or ended > now + _LONGEST_CALL:
        # An end that lies days ahead is none: waited for, the recording would be deleted meanwhile.
        return now
    match _why_absent(facts):
        case "not-recorded":
            age = readiness.first_look
        case "no-answer":
            age = max(readiness.window, readiness.give_up_after)
        case _:
            age = readiness.window
    return max(now, ended + age)


def judge_missing(
    facts: CallFacts,
    *,
    former: CallFacts | None,
    late_looks: int,
    delete_by: datetime | None,
    now: datetime,
    readiness: Readiness,
) -> Verdict:
    """Decide what a call without a recording URL means.

    Args:
        facts: what the provider says of the call.
        former: what a source said of it before the provider was ever asked; None if that is not
            known. Where both words come to "nobody answered" and ``give_up_after`` has passed since
            the call's end, one late look is enough.
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
    reason = _why_absent(facts)
    talked = reason == "not-recorded"
    if age < readiness.window:
        next_age = _next_look(age, readiness.window) if talked else readiness.window
        return Again("not-ready", after=max(next_age - age, _SHORTEST))
    old = ended is not None and age >= readiness.give_up_after
    patient = talked and ended is not None and not old
    enough = 1 if old and _is_said_twice(former, facts) else _LATE_LOOKS
    if late_looks + 1 < enough or patient:
        return Again("no-recording-yet", after=readiness.recheck, late_look=True)
    if talked and delete_by is not None and now >= delete_by:
        # It was talked, and its recording would be gone by now: nobody can say there was none.
        return Lost("past-retention")
    return Absent(reason)


def _next_look(age: timedelta, window: timedelta) -> timedelta:
    """Return the age at which a call of this age is looked at next; later than ``age``."""
    for until, every in _LOOKS:
        if age < until * window:
            apart = every * window
            # A stretch ends with a look, unless there has just been one.
            later = min(age + apart, max(until * window, age + apart / 2))
            return window if later > window - apart / 100 else later
    return window


def _is_said_twice(former: CallFacts | None, facts: CallFacts) -> bool:
    """Tell whether two words that do not follow from each other say that nobody answered."""
    words = {_why_absent(facts), "" if former is None else _why_absent(former)}
    return words == {"no-answer"}


def is_said_unanswered(facts: CallFacts) -> bool:
    """Tell whether these facts say that nobody answered; of a call that goes on none do."""
    return facts.status not in _GOING_ON and _why_absent(facts) == "no-answer"


def _why_absent(facts: CallFacts) -> str:
    # An inbound call is often "completed" though nobody answered: the second leg and the time
    # talked decide (Exotel voice API, Call details, Leg2Status and ConversationDuration).
    if facts.status in _UNANSWERED or facts.leg2_status in _UNANSWERED:
        return "no-answer"
    if facts.duration_s is not None and facts.duration_s <= _TOO_SHORT_S:
        return "too-short"
    return "no-answer" if facts.talk_s == 0 else "not-recorded"
