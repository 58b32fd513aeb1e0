"""Which recordings a call has, where they are fetched and where they belong: pure functions."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from archive.hosts import is_signed, object_name, own_recording
from archive.layout import number_of
from archive.store import Place
from archive.wire import CallAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from archive.accounts import Account
    from archive.call import CallFacts
    from archive.catalog.work import ClaimedCall
    from archive.proof import Proof
    from archive.readiness import Readiness
    from archive.verdicts import Symptom


class Target(msgspec.Struct, frozen=True):
    """A recording to fetch: the claimed call, what the provider says of it, URL and place.

    ``kept`` is the recording itself where the catalog has it already.
    """

    call: ClaimedCall
    facts: CallFacts
    url: str
    place: Place
    kept: Proof | None = None


def targets_of(
    call: ClaimedCall, answer: CallAnswer | Symptom, account: Account, now: datetime
) -> list[Target]:
    """Return a call's recordings: the one that the API tells of, then those of other sources.

    They are told apart by the provider's file name, and each keeps the number that it has; a new
    one gets the lowest that is free, so that the API's usually has the first.
    """
    known = msgspec.structs.replace(call.facts, recording_urls=msgspec.UNSET)
    facts = answer.facts if isinstance(answer, CallAnswer) else known
    began = facts.began_at or call.facts.began_at or now
    kept = {proof.object_name: proof for proof in call.kept}
    numbers = {name: _number(proof) for name, proof in kept.items()}
    targets = []
    for name, url in _urls(call, answer, account).items():
        number = numbers.setdefault(name, _lowest_free(numbers.values()))
        place = Place(
            account=account.name,
            sid=call.facts.sid,
            object_name=name,
            began=began,
            zone=account.zone,
            number=number,
        )
        targets.append(Target(call, facts, url, place, kept.get(name)))
    return targets


def told_by_listing(
    calls: Iterable[ClaimedCall], account: Account, readiness: Readiness, now: datetime
) -> dict[str, CallAnswer]:
    """Return answers for calls that need not be asked for: the listing told all that they would.

    Its words were kept with the call. They are enough where the call's end has settled and the
    recording has had its time, and where nothing went wrong before: a URL may be stale, and is
    then asked for afresh, like any other's.
    """
    answers = {}
    for call in calls:
        facts = msgspec.structs.replace(call.facts, recording_urls=msgspec.UNSET)
        if call.tries or call.refreshes or call.late_looks or facts.ended_at is None:
            continue
        ripe = facts.ended_at + readiness.first_look <= now
        if ripe and (url := own_recording(call.listed_url, account)):
            answers[facts.sid] = CallAnswer(facts, recording_url=url)
    return answers


def url_of(answer: CallAnswer | Symptom) -> str:
    """Return where the API says a recording is: the presigned URL where there is one, else ''."""
    if not isinstance(answer, CallAnswer):
        return ""
    presigned = answer.presigned_url
    return presigned if is_signed(presigned) else answer.recording_url


def _urls(call: ClaimedCall, answer: CallAnswer | Symptom, account: Account) -> dict[str, str]:
    """Return URLs by object name. Of an object that several tell of, the API's is taken.

    An export's usual URL stands for the recording that the API should tell of, and counts where the
    API tells of none.
    """
    urls = {}
    if isinstance(answer, CallAnswer) and (url := url_of(answer)):
        urls[object_name(answer.recording_url or url)] = url
    for told in () if urls else call.facts.recording_urls or ():
        if url := own_recording(told, account) or "":
            urls[object_name(url)] = url
    same = {one.object_name for one in call.candidates if one.same_as}
    for candidate in call.candidates:
        if candidate.object_name not in same:
            urls.setdefault(candidate.object_name, candidate.url)
    for proof in call.kept:
        # Nobody tells of it any more: it is in its place, or cannot be had again.
        urls.setdefault(proof.object_name, "")
    return urls


def _number(proof: Proof) -> int:
    return number_of(PurePosixPath(proof.path).stem, proof.sid)


def _lowest_free(taken: Iterable[int]) -> int:
    used = set(taken)
    return next(number for number in range(1, len(used) + 2) if number not in used)
