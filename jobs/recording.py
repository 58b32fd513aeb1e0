"""One recording from its URL to its proof, or the verdict that stands in for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from archive.audio import NotAudioError, look_at_head
from archive.durations import flag_of
from archive.errors import CatalogError
from archive.fetch import FetchTroubleError
from archive.frames import sample
from archive.provider_time import end_of
from archive.store import Pending, Place, is_full
from archive.verdicts import Symptom, Verdict
from jobs.settling import judge_trouble

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from archive.audio import AudioFacts
    from archive.call import CallFacts
    from archive.catalog.work import ClaimedCall
    from archive.fetch import Fetched
    from archive.proof import Proof
    from jobs.parts import Line, Parts

_log = structlog.get_logger()


class Target(msgspec.Struct, frozen=True):
    """A recording to fetch: the claimed call, what the provider says of it, URL and place."""

    call: ClaimedCall
    facts: CallFacts
    url: str
    place: Place


class Setback(msgspec.Struct, frozen=True):
    """What follows where a recording could not be archived, and what was seen."""

    verdict: Verdict
    detail: str


async def archive_recording(
    parts: Parts, line: Line, target: Target, lease: str
) -> Proof | Setback:
    """Fetch, check and publish a recording; return its proof, or what follows instead.

    Raises:
        CatalogError: the catalog cannot be written.
    """
    sid = target.place.sid
    try:
        return await _attempt(parts, line, target, lease)
    except FetchTroubleError as trouble:
        symptom, detail = trouble.symptom, trouble.detail
    except OSError as error:
        symptom = Symptom.DISK_FULL if is_full(error) else Symptom.DISK_REFUSES
        detail = error.strerror or type(error).__name__
    except CatalogError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it concerns this one call
        _log.exception("an unexpected error", call_sid=sid)
        symptom, detail = Symptom.INTERNAL_ERROR, "see the log"
    verdict = judge_trouble(target.call, symptom, parts.dice())
    _log.debug("not archived", call_sid=sid, detail=detail, verdict=repr(verdict))
    return Setback(verdict, detail)


async def _attempt(parts: Parts, line: Line, target: Target, lease: str) -> Proof:
    place = target.place
    part = parts.store.part(lease, place.sid)
    fetched = await line.fetcher.fetch(target.url, part, age=_age(target.facts, parts.clock()))
    try:
        audio = await _look(fetched)
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


async def _look(fetched: Fetched) -> AudioFacts:
    facts = look_at_head(fetched.head, fetched.size)
    if fetched.part is not None:
        return await asyncio.to_thread(sample, facts, fetched.part)
    # What is in memory is looked at in less time than a hop to a thread is worth.
    return sample(facts, fetched.body or b"")


def with_flag(proof: Proof, facts: CallFacts) -> Proof:
    """Return the proof with what is odd about the recording beside its call: damage comes first."""
    return msgspec.structs.replace(proof, flag=proof.flag or flag_of(proof.seconds, facts))


def _age(facts: CallFacts, now: datetime) -> timedelta | None:
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
