"""A call's recordings from their URLs to their proofs, or the verdict that stands in for one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import aiofiles.os
import msgspec
import structlog

from archive.audio import NotAudioError, look_at_head
from archive.body import FetchTroubleError
from archive.catalog.candidates import Candidate
from archive.durations import flag_of
from archive.errors import CatalogError
from archive.frames import sample
from archive.proof import Proof
from archive.provider_time import end_of
from archive.store import Pending, Store, is_full
from archive.tallies import DOWNLOAD_FAILURES
from archive.verdicts import Failed, Lost, Pause, Symptom, Verdict
from jobs.settling import delete_by, judge_trouble, no_sooner, with_known_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from archive.audio import AudioFacts
    from archive.call import CallFacts
    from archive.catalog.work import Find
    from archive.fetch import Fetched
    from jobs.parts import Line, Parts
    from jobs.targets import Target

_WEIGHTS: Final = {Pause: 3, Lost: 1, Failed: 2}
_AGAIN: Final = 2.5
_log = structlog.get_logger()


class Setback(msgspec.Struct, frozen=True):
    """What follows where a recording could not be archived, and what was seen.

    ``asked`` is how long the host asked to be left alone.
    """

    verdict: Verdict
    detail: str
    asked: timedelta


class Haul(msgspec.Struct, frozen=True):
    """What came of a call's recordings; ``setback`` is the one that decides about the call."""

    proofs: tuple[Proof, ...]
    same: tuple[Candidate, ...]
    setback: Setback | None


class Doubt(msgspec.Struct, frozen=True):
    """A recording that did not come, for a trouble that may be one of all recordings."""

    target: Target
    find: Find
    setback: Setback
    common: Symptom


async def archive_call(
    parts: Parts, line: Line, targets: Sequence[Target], lease: str, had: Iterable[Proof] = ()
) -> Haul:
    """Archive the recordings of one call, one after the other; ``had`` are in their places already.

    Raises:
        CatalogError: the catalog cannot be written.
    """
    proofs = list(had)
    same: list[Candidate] = []
    setbacks: list[Setback] = []
    for target in targets:
        known = {proof.sha256: proof.object_name for proof in proofs}
        result = await archive_recording(parts, line, target, lease, known)
        match result:
            case Proof():
                proofs.append(result)
            case Candidate():
                same.append(result)
            case Setback():
                setbacks.append(result)
                if isinstance(result.verdict, Pause):
                    break
    heaviest = max(setbacks, key=_weight, default=None)
    return Haul(tuple(proofs), tuple(same), heaviest)


def _weight(setback: Setback) -> float:
    """Order setbacks: while one recording of a call may still come, the call is not given up."""
    return _WEIGHTS.get(type(setback.verdict), _AGAIN)


async def archive_recording(
    parts: Parts, line: Line, target: Target, lease: str, known: Mapping[str, str]
) -> Proof | Candidate | Setback:
    """Fetch, check and publish a recording; return its proof, or what follows instead.

    ``known`` are the call's other recordings, object name by SHA-256: the same bytes are not kept
    twice, and come back as a candidate that says whose they are.

    Raises:
        CatalogError: the catalog cannot be written.
    """
    sid = target.place.sid
    retry_after = timedelta(0)
    try:
        return await _attempt(parts, line, target, lease, known)
    except FetchTroubleError as trouble:
        symptom, detail = trouble.symptom, trouble.detail
        retry_after = trouble.retry_after or retry_after
    except OSError as error:
        symptom = Symptom.DISK_FULL if is_full(error) else Symptom.DISK_REFUSES
        detail = error.strerror or type(error).__name__
    except CatalogError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it concerns this one call
        _log.exception("an unexpected error", call_sid=sid)
        symptom, detail = Symptom.INTERNAL_ERROR, "see the log"
    parts.tallies.count(DOWNLOAD_FAILURES, line.account.name, label=symptom.value)
    least = no_sooner(
        symptom,
        deleted=delete_by(target.call, target.facts, line.account),
        now=parts.clock(),
        readiness=parts.readiness,
    )
    verdict = judge_trouble(target.call, symptom, parts.dice(), max(retry_after, least))
    _log.debug("not archived", call_sid=sid, detail=detail, verdict=repr(verdict))
    if target.place.number > 1:
        detail = f"recording {target.place.number}, {target.place.object_name}: {detail}"
    return Setback(verdict, detail, retry_after)


async def _attempt(
    parts: Parts, line: Line, target: Target, lease: str, known: Mapping[str, str]
) -> Proof | Candidate:
    place = target.place
    part = parts.store.part(lease, place)
    fetched = await line.fetcher.fetch(target.url, part, age=age_of(target, parts.clock()))
    if fetched.sha256 in known:
        await _remove(part)
        url = target.url.partition("?")[0]
        return Candidate(place.object_name, url, same_as=known[fetched.sha256])
    try:
        audio = await _look(fetched)
        if audio.damage:
            fetched, audio = await _second_opinion(parts, line, target, part, (fetched, audio))
    except NotAudioError as error:
        await asyncio.to_thread(
            parts.store.quarantine, place, fetched.part or fetched.body or b"", error.reason
        )
        raise FetchTroubleError(Symptom.BODY_NOT_AUDIO, error.reason) from error
    pending = Pending(
        lease=lease,
        place=place,
        audio=audio,
        sha256=fetched.sha256,
        size=fetched.size,
        body=fetched.body,
        about=_about(target, fetched, parts.clock()),
    )
    return with_flag(await parts.publisher.publish(pending), target.facts)


async def _second_opinion(
    parts: Parts, line: Line, target: Target, part: Path, first: tuple[Fetched, AudioFacts]
) -> tuple[Fetched, AudioFacts]:
    """Fetch a damaged recording once more, and return the better of the two.

    What was damaged on its way, where neither length nor checksum told, comes whole the next time;
    what comes damaged again is what the provider has. The one that is not returned is removed.
    """
    spare = part.with_name(f"{part.name}.again")
    age = age_of(target, parts.clock())
    try:
        second = await line.fetcher.fetch(target.url, spare, age=age)
        facts = await _look(second)
    except (FetchTroubleError, NotAudioError):
        await _remove(spare)
        return first
    if facts.damage and second.size <= first[0].size:
        await _remove(spare)
        return first
    if second.part is None:
        await _remove(part)
        return second, facts
    await aiofiles.os.replace(spare, part)
    return msgspec.structs.replace(second, part=part), facts


async def _remove(file: Path) -> None:
    with suppress(OSError):  # not there, or swept later
        await aiofiles.os.remove(file)


async def _look(fetched: Fetched) -> AudioFacts:
    facts = look_at_head(fetched.head, fetched.size)
    if fetched.part is not None:
        return await asyncio.to_thread(sample, facts, fetched.part)
    # What is in memory is looked at in less time than a hop to a thread is worth.
    return sample(facts, fetched.body or b"")


def with_flag(proof: Proof, facts: CallFacts) -> Proof:
    """Return the proof with what is odd about the recording beside its call: damage comes first."""
    return msgspec.structs.replace(proof, flag=proof.flag or flag_of(proof.seconds, facts))


def adoptable(store: Store, calls: list[list[Target]]) -> list[tuple[list[Proof], list[Target]]]:
    """Tell for each call which recordings lie in their place already, and which do not; blocks."""
    found = []
    for targets in calls:
        proofs: list[Proof] = []
        missing: list[Target] = []
        for target in targets:
            proof = store.adopt(target.place, target.kept)
            if proof is None:
                missing.append(target)
            else:
                proofs.append(with_flag(proof, target.facts))
        found.append((proofs, missing))
    return found


def age_of(target: Target, now: datetime) -> timedelta | None:
    """Return how long ago the call ended; None where that is not known."""
    facts = with_known_end(target.call, target.facts, now)
    ended = end_of(facts.began_at, facts.ended_at, facts.duration_s)
    return None if ended is None else now - ended


def _about(target: Target, fetched: Fetched, now: datetime) -> dict[str, Any]:
    """Return what the sidecar tells of the call. Never a URL's query, which may be signed."""
    return {
        "call": msgspec.to_builtins(target.facts),
        "source": target.url.partition("?")[0],
        "content_type": fetched.content_type,
        "etag": fetched.etag,
        "archived_at": now.isoformat(timespec="seconds"),
    }
