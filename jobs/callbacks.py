"""What a callback says of a call: StatusCallback, Passthru, and a second engine's names for both.

Source: Exotel, StatusCallback and Passthru. A callback is a hint that a call exists. Of a time that
is not set it says ``1970-01-01 05:30:00`` or ``0001-01-01T00:00:00Z``, of nothing at all ``null``.
Its URL is given out before the recording is there, and may be anybody's: it is a candidate at most.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import CallFacts, is_sid
from archive.provider_time import is_blank, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

# On lower case with all but letters and digits removed; the first that says something counts.
_NAMES: Final = {
    "sid": ("callsid", "sid", "callid"),
    "created": ("datecreated", "created"),
    "started": ("starttime",),
    "ended": ("endtime",),
    "duration": ("totalduration", "duration"),
    "talk": ("conversationduration", "dialcallduration"),
    "status": ("status", "callstatus", "callstate"),
    "leg2": ("legs1status", "leg2status", "dialcallstatus"),
    "direction": ("direction",),
    "from": ("from", "callfrom", "fromnumber"),
    "to": ("to", "callto", "tonumber"),
    "exophone": ("phonenumbersid", "phonenumber", "virtualnumber"),
}
_URL_NAME: Final = re.compile(r"recordingurl|callrecordings\d*(url)?|recordingurls\d*")
_URL: Final = re.compile(r"https?://[^,;|\s\"'\]\[]+", re.ASCII)
_NOT_IN_NAMES: Final = re.compile(r"[^0-9a-z]+")
_SECONDS: Final = re.compile(r"(\d{1,7})(?:\.\d*)?", re.ASCII)
_GOING_ON: Final = frozenset({"queued", "ringing", "in-progress", "answered"})
_MAX_SECONDS: Final = 7 * 86_400
_LONGEST: Final = 64
_MOST_URLS: Final = 20


def sid_in(fields: Mapping[str, str]) -> str | None:
    """Return the Sid of the call that a callback is about; None if it names none."""
    sid = _known(fields).get("sid", "").strip()
    return sid if is_sid(sid) else None


def facts_of(fields: Mapping[str, str], zone: ZoneInfo) -> CallFacts | None:
    """Return what a callback says of its call; None if it names none.

    What cannot be read is unknown. A call that goes on has no end yet, whatever it says.
    """
    known = _known(fields)
    sid = known.get("sid", "").strip()
    if not is_sid(sid):
        return None
    status = _text(known.get("status", "")).lower()
    event = _text(_named(fields).get("eventtype", "")).lower()
    goes_on = status in _GOING_ON or event in _GOING_ON
    return CallFacts(
        sid=sid,
        created_at=_time(known.get("created", ""), zone),
        started_at=_time(known.get("started", ""), zone),
        ended_at=None if goes_on else _time(known.get("ended", ""), zone),
        duration_s=None if goes_on else _seconds(known.get("duration", "")),
        talk_s=None if goes_on else _seconds(known.get("talk", "")),
        # A status that passes would stay for good, since a callback only fills what is unknown.
        status="" if goes_on else status,
        leg2_status=_text(known.get("leg2", "")).lower(),
        direction=_text(known.get("direction", "")).lower(),
        from_number=_text(known.get("from", "")),
        to_number=_text(known.get("to", "")),
        exophone=_text(known.get("exophone", "")),
        recording_urls=_urls(fields) or msgspec.UNSET,
    )


def _known(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that are known, by what they are."""
    named = _named(fields)
    found = {
        what: next((named[name] for name in names if not is_blank(named.get(name, ""))), None)
        for what, names in _NAMES.items()
    }
    return {what: text for what, text in found.items() if text is not None}


def _named(fields: Mapping[str, str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, text in fields.items():
        named.setdefault(_NOT_IN_NAMES.sub("", name.lower()), text)
    return named


def _urls(fields: Mapping[str, str]) -> tuple[str, ...]:
    found = [
        url
        for name, text in _named(fields).items()
        if _URL_NAME.fullmatch(name)
        for url in _URL.findall(text)
    ]
    return tuple(dict.fromkeys(found))[:_MOST_URLS]


def _text(text: str) -> str:
    text = "".join(filter(str.isprintable, text)).strip()
    return "" if is_blank(text) else text[:_LONGEST]


def _time(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return parse_time(text, zone)
    except (ValueError, OverflowError):
        return None


def _seconds(text: str) -> int | None:
    found = _SECONDS.fullmatch(text.strip())
    seconds = int(found[1]) if found else -1
    return seconds if 0 <= seconds <= _MAX_SECONDS else None
