"""What a fault makes of an answer: another one, or the same in another manner.

Everything here is a pure function; what a ``Manner`` means on the wire is in `sandbox.misbehave`.
What concerns single calls of an answer is in `sandbox.spoilt_json`.
"""

import gzip
import io
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TypeAlias

from sandbox import spoilt_json
from sandbox.answers import (
    Answer,
    Ask,
    Endpoint,
    Manner,
    json_answer,
    rest_exception,
    storage_error,
    xml_answer,
)
from sandbox.faults import API, HOSTS, ROW_KINDS, Fault, FaultKind
from sandbox.spoilt_json import World

_HTML = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"
_HTML_TYPE = "text/html; charset=utf-8"
_DIGEST_BYTES = 16
_LIFE = timedelta(minutes=5)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Spoilt:
    """An answer with a fault, and the Sids of the calls in it that are spoilt one by one."""

    answer: Answer
    sids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Error:
    """An error as the API writes it and as the hosts of recordings do."""

    status: int
    message: str
    code: int | None = None
    storage_code: str = "AccessDenied"
    html: bool = False


_ERRORS = {
    FaultKind.ERROR_500: _Error(500, "Internal error, please try again", None, "InternalError"),
    FaultKind.ERROR_502: _Error(502, "Bad Gateway", html=True),
    FaultKind.ERROR_503: _Error(503, "Service unavailable", 35008, "ServiceUnavailable"),
    FaultKind.ERROR_504: _Error(504, "Gateway Time-out", html=True),
    FaultKind.TOO_MANY: _Error(429, "Too many requests", None, "SlowDown"),
    FaultKind.TOO_MANY_BARE: _Error(429, "Too many requests", None, "SlowDown"),
    FaultKind.BAD_REQUEST: _Error(400, "Bad request", None, "InvalidRequest"),
    FaultKind.UNAUTHORISED: _Error(401, "Authentication failed"),
    FaultKind.PAYMENT: _Error(402, "Your plan does not allow this request"),
    FaultKind.KYC: _Error(403, "The account is not KYC compliant", 340030),
    FaultKind.FORBIDDEN: _Error(403, "Access Denied"),
    FaultKind.BAD_IP: _Error(403, "Request from invalid ip address"),
    FaultKind.EXPIRED: _Error(403, "Request has expired"),
    FaultKind.NOT_FOUND: _Error(404, "The specified key does not exist.", None, "NoSuchKey"),
    FaultKind.GONE: _Error(410, "The recording was deleted", None, "NoSuchKey"),
    FaultKind.RANGE: _Error(416, "The range is not satisfiable", None, "InvalidRange"),
}

_Spoiler: TypeAlias = Callable[[Fault, Ask, Answer, World, datetime], Answer]


def spoil(
    fault: Fault,
    ask: Ask,
    answer: Answer,
    world: World,
    now: datetime,
    is_hit: Callable[[str], bool],
) -> Spoilt | None:
    """Spoil an answer; None where the fault would not show.

    ``is_hit`` tells of a Sid whether a fault of single calls concerns it.
    """
    if fault.kind in ROW_KINDS:
        rows = spoilt_json.rows(fault, ask, answer.body, world, now, is_hit)
        return Spoilt(replace(answer, body=rows.body), rows.sids) if rows else None
    if fault.kind in _ERRORS:
        made = _error(fault, ask)
    else:
        made = _SPOILERS[fault.kind](fault, ask, answer, world, now)
    # Whatever is answered: that credentials came to the wrong place stays true.
    return Spoilt(replace(made, misplaced=answer.misplaced))


def _error(fault: Fault, ask: Ask) -> Answer:
    error = _ERRORS[fault.kind]
    if error.html:
        return _page(error.status, error.message, _HTML_TYPE)
    if ask.endpoint in HOSTS:
        made = storage_error(error.status, error.storage_code, error.message)
    elif fault.kind is FaultKind.NOT_FOUND:
        made = rest_exception(ask, error.status, "The requested resource was not found")
    else:
        made = rest_exception(ask, error.status, error.message, error.code)
    if fault.kind is not FaultKind.TOO_MANY:
        return made
    seconds = str(round(fault.amount("retry_after")))
    return replace(made, headers={**made.headers, "Retry-After": seconds})


def _page(status: int, title: str, media_type: str) -> Answer:
    text = title.encode()
    return Answer(status, {"Content-Type": media_type}, _HTML % (text, text))


def _claimed_type(fault: Fault, ask: Ask, honest: str) -> str:
    """Give the type of a wrong body: every other time it claims to be the right one."""
    if fault.draw % 2:
        return honest
    return "application/json" if ask.endpoint in API else "audio/mpeg"


def _html(fault: Fault, ask: Ask, _answer: Answer, _world: World, _now: datetime) -> Answer:
    return _page(HTTPStatus.OK, "We will be back soon", _claimed_type(fault, ask, _HTML_TYPE))


def _xml(fault: Fault, ask: Ask, _answer: Answer, _world: World, _now: datetime) -> Answer:
    if ask.endpoint in API:
        made = xml_answer({"RestException": {"Status": 500, "Message": "Internal error"}})
    else:
        made = storage_error(HTTPStatus.OK, "InternalError", "We encountered an internal error")
    return replace(made, headers={"Content-Type": _claimed_type(fault, ask, "application/xml")})


def _json(fault: Fault, ask: Ask, _answer: Answer, _world: World, _now: datetime) -> Answer:
    made = json_answer({"error": "The recording is being processed"})
    return replace(made, headers={"Content-Type": _claimed_type(fault, ask, "application/json")})


def _empty(_fault: Fault, ask: Ask, _answer: Answer, _world: World, _now: datetime) -> Answer:
    media_type = "application/json" if ask.endpoint in API else "audio/mpeg"
    return Answer(HTTPStatus.OK, {"Content-Type": media_type})


def _other_json(fault: Fault, ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    return replace(answer, body=spoilt_json.whole(fault, ask, answer.body))


def _header(name: str, value: str, answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, name: value})


def _digest(fault: Fault) -> bytes:
    return fault.draw.to_bytes(_DIGEST_BYTES, "big")


def _wrong_type(_fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    return _header("Content-Type", _HTML_TYPE, answer)


def _wrong_etag(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    return _header("ETag", f'"{_digest(fault).hex()}"', answer)


def _wrong_md5(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    return _header("Content-MD5", b64encode(_digest(fault)).decode(), answer)


def _clock_skew(fault: Fault, _ask: Ask, answer: Answer, _world: World, now: datetime) -> Answer:
    there = now + timedelta(seconds=fault.amount("skew"))
    return _header("Date", format_datetime(there, usegmt=True), answer)


def _flipped(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    """Invert a few bytes, so spread that each part of the answer has its own."""
    if answer.extract is None:
        return answer
    size, count = answer.extract.size, max(1, round(fault.amount("count")))
    start, offset = answer.extract.start, fault.draw % size
    places = frozenset(start + (offset + n * size // count) % size for n in range(count))
    hidden = fault.kind is FaultKind.FLIPPED_SIGNED
    return replace(answer, manner=Manner(flips=places, etag_fits=hidden))


def _kept(fault: Fault, size: int) -> int:
    """Give how much of a body is kept: at least nothing, at most all but a byte."""
    return max(0, min(size - 1, int(size * fault.amount("keep"))))


def _size(answer: Answer) -> int:
    return len(answer.body) if answer.extract is None else answer.extract.size


def _cut(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    """Shorten the body; nothing of the HTTP around it tells so."""
    kept = _kept(fault, _size(answer))
    if answer.extract is None:
        return replace(answer, body=answer.body[:kept])
    shorter = replace(answer.extract, stop=answer.extract.start + kept)
    return replace(answer, extract=shorter, manner=Manner(etag_fits=True))


def _stopped(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    is_reset = fault.kind is FaultKind.RESET_MID
    kept = _kept(fault, _size(answer))
    return replace(answer, manner=Manner(stop_after=kept, reset=is_reset))


def _longer(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    chunked = fault.kind is FaultKind.LONGER_CHUNKED
    return replace(answer, manner=Manner(chunked=chunked, extra=round(fault.amount("extra"))))


def _oversized(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    manner = Manner(chunked=True, extra=round(fault.amount("bytes")), filler=b" ")
    return replace(answer, manner=manner)


def _gzip_bomb(fault: Fault, ask: Ask, answer: Answer, world: World, now: datetime) -> Answer:
    empty = _empty(fault, ask, answer, world, now)
    body = _bomb(round(fault.amount("bytes")))
    return replace(empty, headers={**empty.headers, "Content-Encoding": "gzip"}, body=body)


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    """Compress so many zeros, a MiB at a time."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        for at in range(0, size, _MIB):
            file.write(bytes(min(_MIB, size - at)))
    return packed.getvalue()


def _silence(_fault: Fault, _ask: Ask, _answer: Answer, _world: World, _now: datetime) -> Answer:
    return Answer(0, {}, manner=Manner(mute=True))


def _stall(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    return replace(answer, manner=Manner(stop_after=0, hold=fault.amount("hold"), reset=True))


def _drip(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    manner = Manner(rate=fault.amount("rate"), hold=fault.amount("hold"), reset=True)
    return replace(answer, manner=manner)


def _latency(fault: Fault, _ask: Ask, answer: Answer, _world: World, _now: datetime) -> Answer:
    return replace(answer, manner=Manner(delay=fault.amount("delay")))


def _redirect(_fault: Fault, ask: Ask, _answer: Answer, _world: World, _now: datetime) -> Answer:
    """Lead to the same machine by another name, where it is noticed who follows and with what."""
    host, _, port = ask.host.rpartition(":")
    other = "127.0.0.1" if host == "localhost" else "localhost"
    return _found(f"http://{other}:{port}/elsewhere{ask.path}")


def _redirect_other(
    _fault: Fault, ask: Ask, _answer: Answer, world: World, now: datetime
) -> Answer:
    """Lead to the other of both hosts, with what opens the recording there."""
    if ask.endpoint is Endpoint.STORAGE:
        return _found(world.links.private(ask.path))
    return _found(world.links.presigned(ask.path, now, _LIFE))


def _found(location: str) -> Answer:
    page = _page(HTTPStatus.FOUND, "Found", _HTML_TYPE)
    return _header("Location", location, page)


_SPOILERS: dict[FaultKind, _Spoiler] = {
    FaultKind.HTML: _html,
    FaultKind.XML: _xml,
    FaultKind.JSON: _json,
    FaultKind.EMPTY: _empty,
    FaultKind.JSON_TYPES: _other_json,
    FaultKind.JSON_FIELDS: _other_json,
    FaultKind.WRONG_TYPE: _wrong_type,
    FaultKind.WRONG_ETAG: _wrong_etag,
    FaultKind.WRONG_MD5: _wrong_md5,
    FaultKind.FLIPPED: _flipped,
    FaultKind.FLIPPED_SIGNED: _flipped,
    FaultKind.CUT: _cut,
    FaultKind.TRUNCATED: _stopped,
    FaultKind.RESET_MID: _stopped,
    FaultKind.LONGER: _longer,
    FaultKind.LONGER_CHUNKED: _longer,
    FaultKind.OVERSIZED: _oversized,
    FaultKind.GZIP_BOMB: _gzip_bomb,
    FaultKind.RESET: _silence,
    FaultKind.OUTAGE: _silence,
    FaultKind.STALL: _stall,
    FaultKind.DRIP: _drip,
    FaultKind.LATENCY: _latency,
    FaultKind.CLOCK_SKEW: _clock_skew,
    FaultKind.REDIRECT: _redirect,
    FaultKind.REDIRECT_OTHER: _redirect_other,
}
