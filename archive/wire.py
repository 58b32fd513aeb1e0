"""The provider's JSON, read without trusting any of it.

Source: Exotel voice API, Call details and Bulk call details. Durations come as a string, a number
or null; times have no zone; a missing recording is null, an empty string or no field at all. A
field of an unexpected form is taken as unknown and never ends the reading of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from archive.call import CallFacts, is_sid
from archive.provider_time import is_blank, parse_time

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

_LONGEST_TEXT: Final = 128
_LONGEST_CALL_S: Final = 7 * 86_400


class CallAnswer(msgspec.Struct, frozen=True):
    """What the API says of one call: the facts, and where its recording is, if it is anywhere."""

    facts: CallFacts
    recording_url: str = ""
    presigned_url: str = ""


class Page(msgspec.Struct, frozen=True):
    """One page of the listing; ``next_uri`` is host-relative, empty on the last page.

    ``unusable`` counts rows without a Sid: calls that the provider has and cannot name.
    """

    calls: list[CallAnswer]
    next_uri: str = ""
    unusable: int = 0


class NonsenseError(ValueError):
    """The body is not what the API promises."""


def read_call(body: bytes, zone: ZoneInfo) -> CallAnswer:
    """Read the answer of the single-call endpoint: ``{"Call": {...}}``.

    Raises:
        NonsenseError: it is no JSON, or holds no call with a Sid.
    """
    answer = _answer(_object(body).get("Call"), zone)
    if answer is None:
        raise NonsenseError("the answer holds no call")
    return answer


def read_page(body: bytes, zone: ZoneInfo, *, walking: bool) -> Page:
    """Read a page of the listing: ``{"Metadata": {...}, "Calls": [...]}``.

    ``walking`` says that whatever pages follow are wanted too.

    Raises:
        NonsenseError: it is no JSON, has no list of calls, or does not say whether more follow
            where that is wanted.
    """
    document = _object(body)
    calls = document.get("Calls")
    if not isinstance(calls, list):
        raise NonsenseError("the answer has no list of calls")
    metadata = document.get("Metadata")
    if walking and not isinstance(metadata, dict):
        # Taken for the last page, it would end a walk early, and nobody would know.
        raise NonsenseError("the answer does not say whether more pages follow")
    next_uri = metadata.get("NextPageUri") if isinstance(metadata, dict) else None
    answers = [answer for item in calls if (answer := _answer(item, zone))]
    return Page(
        calls=answers,
        next_uri=next_uri if isinstance(next_uri, str) else "",
        unusable=len(calls) - len(answers),
    )


def error_message(body: bytes) -> str:
    """Return the provider's own words in an error (RestException), or an empty string."""
    try:
        exception = _object(body).get("RestException")
    except NonsenseError:
        return ""
    message = exception.get("Message") if isinstance(exception, dict) else None
    if not isinstance(message, str):
        return ""
    return "".join(c for c in message if c.isprintable())[:_LONGEST_TEXT]


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NonsenseError("the answer is no JSON") from error
    if not isinstance(document, dict):
        raise NonsenseError("the answer is no JSON object")
    return document


def _answer(item: object, zone: ZoneInfo) -> CallAnswer | None:
    sid = item.get("Sid") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(sid, str) or not is_sid(sid):
        return None
    details = item.get("Details")
    more = details if isinstance(details, dict) else {}
    facts = CallFacts(
        sid=sid,
        created_at=_time(item.get("DateCreated"), zone),
        started_at=_time(item.get("StartTime"), zone),
        ended_at=_time(item.get("EndTime"), zone),
        duration_s=_seconds(item.get("Duration")),
        talk_s=_seconds(more.get("ConversationDuration")),
        status=_text(item.get("Status")).lower(),
        leg2_status=_text(more.get("Leg2Status")).lower(),
        direction=_text(item.get("Direction")).lower(),
        from_number=_text(item.get("From")),
        to_number=_text(item.get("To")),
        exophone=_text(item.get("PhoneNumberSid")) or _text(item.get("PhoneNumber")),
    )
    return CallAnswer(
        facts=facts,
        recording_url=_url(item.get("RecordingUrl")),
        presigned_url=_url(item.get("PreSignedRecordingUrl")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool) or is_blank(str(value)):
        return ""
    return "".join(c for c in str(value).strip() if c.isprintable())[:_LONGEST_TEXT]


def _url(value: object) -> str:
    return value.strip() if isinstance(value, str) and not is_blank(value) else ""


def _time(value: object, zone: ZoneInfo) -> datetime | None:
    try:
        return parse_time(value, zone) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _seconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = int(float(value))
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= _LONGEST_CALL_S else None
