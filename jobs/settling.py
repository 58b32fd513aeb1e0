"""What an answer without a recording, or a trouble with one, means for a call."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from archive.call import CallFacts
from archive.catalog.work import Excluded
from archive.readiness import Readiness, judge_missing
from archive.retention import kept_for
from archive.selection import excluded_by
from archive.verdicts import RULES, Act, Pause, Symptom, Verdict, judge
from archive.wire import CallAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.work import ClaimedCall, Outcome


def judge_call(
    call: ClaimedCall,
    answer: CallAnswer | Symptom,
    now: datetime,
    readiness: Readiness,
    jitter: float,
    *,
    account: Account,
) -> Outcome:
    """Decide about a call for which the provider gave no recording URL."""
    if isinstance(answer, Symptom):
        verdict = judge_trouble(call, answer, jitter)
    else:
        verdict = judge_missing(
            with_known_end(call, answer.facts, now),
            former=_former_word(call),
            late_looks=call.late_looks,
            delete_by=delete_by(call, answer.facts, account),
            now=now,
            readiness=readiness,
        )
    # Neither a missing recording nor an unknown call pauses anything: see the table.
    assert not isinstance(verdict, Pause)
    return verdict


def with_known_end(call: ClaimedCall, facts: CallFacts, now: datetime) -> CallFacts:
    """Return the provider's facts, with the end that the catalog knows where they tell none.

    EndTime and Duration settle 2 to 5 minutes after a call (Exotel voice API, Call details). Until
    then a call's age would be reckoned from its start, which is too long ago by its whole length.
    """
    known = call.facts.ended_at
    if facts.ended_at is not None or facts.duration_s is not None or known is None or known > now:
        return facts
    return msgspec.structs.replace(facts, ended_at=known)


def delete_by(call: ClaimedCall, facts: CallFacts, account: Account) -> datetime:
    """Return when the recording is deleted, by what the answer's facts say of the call's start.

    What the catalog has may be a guess of the time when nobody had told the call's date.
    """
    began = facts.began_at
    if began is None:
        return call.delete_by
    return began + kept_for(merged(call.facts, facts), account)


def merged(known: CallFacts, told: CallFacts) -> CallFacts:
    """Return what is known of a call once the provider's word has replaced what it tells of."""
    fields = (name for name in CallFacts.__struct_fields__ if name != "recording_urls")
    news = {name: value for name in fields if (value := getattr(told, name)) not in {None, ""}}
    return msgspec.structs.replace(known, **news)


def learnt_of(
    calls: Iterable[ClaimedCall], answers: Mapping[str, CallAnswer | Symptom]
) -> list[CallFacts]:
    """Return what is known of the calls that the provider told of.

    With what sources said before, since a deletion day may depend on what it did not tell.
    """
    return [
        merged(call.facts, answer.facts)
        for call in calls
        if isinstance(answer := answers.get(call.facts.sid), CallAnswer)
    ]


def excluded(
    calls: Iterable[ClaimedCall],
    answers: Mapping[str, CallAnswer | Symptom],
    account: Account,
) -> dict[str, Excluded]:
    """Return the calls (by Sid) that a rule leaves out, by what is known and what was answered.

    One that a person asked for, or of which there is a recording, is left out by nothing.
    """
    out = {}
    for call in calls if account.selection else ():
        answer = answers.get(call.facts.sid)
        known = merged(call.facts, answer.facts) if isinstance(answer, CallAnswer) else call.facts
        rule = excluded_by(known, account.selection, all_told=isinstance(answer, CallAnswer))
        if rule is not None and not call.wanted and not call.kept:
            out[call.facts.sid] = Excluded(rule)
    return out


def _former_word(call: ClaimedCall) -> CallFacts | None:
    """Return what a source said of a call; None once the provider's own words have replaced it."""
    was_asked_for = call.looks or call.tries or call.refreshes or call.late_looks
    return None if was_asked_for else call.facts


def no_sooner(
    symptom: Symptom, *, deleted: datetime, now: datetime, readiness: Readiness
) -> timedelta:
    """Return how long at least to wait before a recording that a symptom was seen of is asked for.

    A recording that is gone before the day it is ``deleted`` may be a fault of its host, which
    takes longer to mend than three short delays last. After that day, gone is what it should be.
    """
    early = symptom is Symptom.FETCH_GONE and now < deleted
    return readiness.recheck if early else timedelta(0)


def judge_trouble(
    call: ClaimedCall, symptom: Symptom, jitter: float, retry_after: timedelta | None = None
) -> Verdict:
    """Decide about a call that a symptom was seen of, counting what it went through before.

    ``retry_after`` is what is never waited less than: what the host asked for, or `no_sooner`.
    """
    counts = {Act.REFRESH: call.refreshes, Act.LOOK: call.late_looks, Act.AGAIN: call.tries}
    strikes = counts.get(RULES[symptom].act, 0)
    seen = call.found.count(symptom)
    return judge(symptom, strikes=strikes, seen=seen, jitter=jitter, retry_after=retry_after)
