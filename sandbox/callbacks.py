"""StatusCallback and Passthru: what the provider posts to a customer's server, and when.

Source: Exotel, StatusCallback and Passthru. A callback comes once a call has ended; its body is
multipart/form-data, urlencoded or JSON. One that is not answered with success is sent again five
and fifteen minutes later, then dropped for good. They get lost, come twice, and overtake each
other; none is signed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final
from urllib.parse import urlencode

from sandbox.calls import Call, Provider
from sandbox.rows import wall_time

RETRIES: Final = (timedelta(minutes=5), timedelta(minutes=15))
"""How long after the first attempt it is sent again, where it was not answered with success."""

_BOUNDARY: Final = "sandbox-callback-boundary"
_SHAPES: Final = 4
_UNSET: Final = "1970-01-01 05:30:00"
_SOON: Final = timedelta(seconds=2)
_LATE: Final = timedelta(minutes=9)
_AVAILABLE: Final = timedelta(minutes=5)
_HUNDRED: Final = 100


@dataclass(frozen=True, slots=True)
class Callback:
    """One request to the customer's server: ``query`` is empty but for Passthru, which is a GET."""

    at: datetime
    sid: str
    method: str
    content_type: str
    body: bytes
    query: str = ""


@dataclass(frozen=True, slots=True)
class Fate:
    """How many of a hundred callbacks are lost, doubled, and late enough to be overtaken."""

    lost: int = 0
    doubled: int = 0
    late: int = 0
    seed: str = "callbacks"


def callbacks_of(
    call: Call, provider: Provider, recording_host: str, fate: Fate
) -> Iterator[Callback]:
    """Yield the callbacks about a call, by no order of time; none where they are lost."""
    drawn = blake2b(f"{fate.seed}/{call.sid}".encode(), digest_size=3).digest()
    lost, doubled, late = (byte * _HUNDRED // 256 for byte in drawn)
    if lost < fate.lost:
        return
    delay = _LATE if late < fate.late else _SOON
    one = _callback(call, provider, recording_host, call.ended_at + delay)
    yield one
    if doubled < fate.doubled:
        yield replace(one, at=one.at + _SOON)


def _callback(call: Call, provider: Provider, recording_host: str, at: datetime) -> Callback:
    """Write a callback in the shape that its call's number gives it."""
    shape = call.index % _SHAPES
    if shape == _SHAPES - 1:
        query = urlencode(_passthru(call, provider, recording_host))
        return Callback(at, call.sid, "GET", "", b"", query)
    fields = _status(call, provider, recording_host, at)
    if shape == 0:
        body = "".join(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
            for name, text in (*fields.items(), *_legs(call).items())
        )
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        return Callback(at, call.sid, "POST", kind, f"{body}--{_BOUNDARY}--\r\n".encode())
    if shape == 1:
        kind = "application/x-www-form-urlencoded"
        return Callback(at, call.sid, "POST", kind, urlencode({**fields, **_legs(call)}).encode())
    legs = [{"OnCallDuration": seconds} for seconds in _legs(call).values()]
    document = json.dumps({**fields, "Legs": legs})
    return Callback(at, call.sid, "POST", "application/json", document.encode())


def _status(call: Call, provider: Provider, host: str, at: datetime) -> dict[str, str]:
    zone = provider.zone
    return {
        "CallSid": call.sid,
        "EventType": "terminal",
        "DateCreated": wall_time(call.started_at, zone),
        "DateUpdated": wall_time(at, zone),
        "Status": call.status,
        "To": call.called,
        "From": call.caller,
        "PhoneNumberSid": call.exophone,
        "StartTime": wall_time(call.started_at, zone),
        "EndTime": wall_time(call.ended_at, zone),
        "ConversationDuration": str(call.conversation),
        "Direction": call.direction,
        "CustomField": "",
        "RecordingUrl": _url(call, provider, host),
    }


def _passthru(call: Call, provider: Provider, host: str) -> dict[str, str]:
    """Write Passthru's fields: the end is never set, and what is not there is the text null."""
    return {
        "CallSid": call.sid,
        "CallFrom": call.caller,
        "CallTo": call.exophone,
        "Direction": call.direction,
        "Created": wall_time(call.started_at, provider.zone),
        "StartTime": wall_time(call.started_at, provider.zone),
        "EndTime": _UNSET,
        "DialCallDuration": str(call.conversation),
        "RecordingUrl": _url(call, provider, host) or "null",
        "RecordingAvailableBy": wall_time(call.ended_at + _AVAILABLE, provider.zone),
        "flow_id": "100200",
        "CurrentTime": wall_time(call.ended_at, provider.zone),
    }


def _legs(call: Call) -> dict[str, str]:
    spoken = (call.duration, call.conversation)
    return {f"Legs[{place}][OnCallDuration]": str(s) for place, s in enumerate(spoken)}


def _url(call: Call, provider: Provider, host: str) -> str:
    """Give the address, which every other callback has though nothing is there yet."""
    if call.object_name is None or call.index // _SHAPES % 2:
        return ""
    return f"http://{host}{provider.path(call)}"
