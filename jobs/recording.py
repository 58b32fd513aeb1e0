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
from archive.provider_time import end_of
from archive.store import Pending, Place, is_full
from archive.verdicts import Symptom, Verdict
from jobs.settling import judge_trouble, with_known_end

if TYPE_CHECKING:
    from datetime import datetime, timedelta

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
    retry_after = None
    try:
        return await _attempt(parts, line, target, lease)
    except FetchTroubleError as trouble:
        symptom, detail = trouble.symptom, trouble.detail
        retry_after = trouble.retry_after
    except OSError as error:
        symptom = Symptom.DISK_FULL if is_full(error) else Symptom.DISK_REFUSES
        detail = error.strerror or type(error).__name__
    except CatalogError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it concerns this one call
        _log.exception("an unexpected error", call_sid=sid)
        symptom, detail = Symptom.INTERNAL_ERROR, "see the log"
    verdict = judge_trouble(target.call, symptom, parts.dice(), retry_after)
    _log.debug("not archived", call_sid=sid, detail=detail, verdict=repr(verdict))
    return Setback(verdict, detail)


async def _attempt(parts: Parts, line: Line, target: Target, lease: str) -> Proof:
    place = target.place
    part = parts.store.part(lease, place.sid)
    fetched = await line.fetcher.fetch(target.url, part, age=_age(target, parts.clock()))
    try:
        audio = look_at_head(fetched.head, fetched.size)
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


def with_flag(proof: Proof, facts: CallFacts) -> Proof:
    """Return the proof with what is odd about the recording beside its call."""
    return msgspec.structs.replace(proof, flag=flag_of(proof.seconds, facts))


def _age(target: Target, now: datetime) -> timedelta | None:
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
