"""The API's JSON with faults in it: of other types, without fields, or wrong about some calls."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sandbox.answers import Ask, Endpoint
from sandbox.calls import Provider
from sandbox.faults import Fault, FaultKind
from sandbox.rows import Links

Document: TypeAlias = dict[str, Any]
_Edit: TypeAlias = Callable[[Document], object]

_LIFE = timedelta(minutes=5)
_LONG_AGO = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class World:
    """What is true, and how recordings are linked to."""

    provider: Provider
    links: Links


@dataclass(frozen=True, slots=True)
class Rows:
    """A body with some calls spoilt, and their Sids."""

    body: bytes
    sids: tuple[str, ...]


def whole(fault: Fault, ask: Ask, body: bytes) -> bytes:
    """Give the body with another form: the variant the fault names, or one that is drawn."""
    is_listing = ask.endpoint is Endpoint.LISTING
    variants = TYPES if fault.kind is FaultKind.JSON_TYPES else FIELDS
    drawn = [n for n in variants if n not in MISLEADING and (is_listing or n not in OF_LISTINGS)]
    name = str(fault.parameters["variant"]) or drawn[fault.draw % len(drawn)]
    document: Document = json.loads(body)
    return _dump(variants[name](document))


def rows(
    fault: Fault,
    ask: Ask,
    body: bytes,
    world: World,
    now: datetime,
    is_hit: Callable[[str], bool],
) -> Rows | None:
    """Give the body with the calls that are hit spoilt; None where there is none of these."""
    document: Document = json.loads(body)
    kept: list[Document] = []
    hit: list[str] = []
    for row in _calls(document):
        changed = _changed(fault, row, world, now) if is_hit(row["Sid"]) else row
        hit += [] if changed is row else [row["Sid"]]
        kept += [] if changed is None else [changed]
    if not hit:
        return None
    if ask.endpoint is Endpoint.LISTING:
        return Rows(_dump(document | {"Calls": kept}), tuple(hit))
    return Rows(_dump({"Call": kept[0]}), tuple(hit))


def _changed(fault: Fault, row: Document, world: World, now: datetime) -> Document | None:
    """Give a call spoilt, None to leave it out; the same object where the fault does not show."""
    if fault.kind is FaultKind.LEAVE_OUT:
        return None
    if fault.kind is FaultKind.NULL_URL:
        blank = {"RecordingUrl": None, "PreSignedRecordingUrl": None}
        return row | {name: blank[name] for name in blank.keys() & row.keys()} if _url(row) else row
    index = world.provider.index_of(row["Sid"])
    if index is None:
        return row
    call = world.provider.call(index)
    path = world.provider.path(call)
    if fault.kind is FaultKind.EARLY_URL:
        lead = timedelta(seconds=fault.amount("lead") * world.provider.minute)
        early = call.ready_at is not None and now < call.ready_at <= now + lead
        return row | {"RecordingUrl": world.links.private(path)} if early else row
    if not row.get("PreSignedRecordingUrl"):
        return row
    return row | {"PreSignedRecordingUrl": world.links.presigned(path, now - _LONG_AGO, _LIFE)}


def _url(row: Document) -> bool:
    return bool(row.get("RecordingUrl"))


def _calls(document: Document) -> list[Document]:
    """Give the calls of a listing, or the one of the other endpoint."""
    calls: list[Document] = document["Calls"] if "Calls" in document else [document["Call"]]
    return calls


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _each(change: Callable[[Document], object]) -> _Edit:
    """Change every call of a document."""

    def edit(document: Document) -> object:
        for call in _calls(document):
            change(call)
        return document

    return edit


def _set(name: str, value: object) -> _Edit:
    return _each(lambda call: call.update({name: value}))


def _drop(*names: str) -> _Edit:
    return _each(lambda call: [call.pop(name, None) for name in names])


def _otherwise(document: Document) -> object:
    """Give an object for the list of calls, a list for the one call."""
    if "Calls" in document:
        return document | {"Calls": {str(at): call for at, call in enumerate(document["Calls"])}}
    return {"Call": [document["Call"]]}


def _without(document: Document, *names: str) -> object:
    return {name: value for name, value in document.items() if name not in names}


TYPES: dict[str, _Edit] = {
    "list": lambda document: [document],
    "text": lambda _document: "OK",
    "null": lambda _document: None,
    "calls": _otherwise,
    "metadata-text": lambda document: document | {"Metadata": "none"},
    "sid-number": _set("Sid", 7),
    "status-list": _set("Status", ["completed"]),
    "times-number": _each(lambda call: call.update(StartTime=1, EndTime=[2], DateCreated={})),
    "duration-object": _set("Duration", {"seconds": 5}),
    "url-object": _set("RecordingUrl", {"href": "http://localhost/a.mp3"}),
}
"""Bodies of other types than the API promises."""

FIELDS: dict[str, _Edit] = {
    "empty": lambda _document: {},
    "no-calls": lambda document: _without(document, "Calls", "Call"),
    "no-metadata": lambda document: _without(document, "Metadata"),
    "no-sid": _drop("Sid"),
    "no-status": _drop("Status"),
    "no-times": _drop("StartTime", "EndTime", "DateCreated"),
    "no-url": _drop("RecordingUrl", "PreSignedRecordingUrl"),
}
"""Bodies that lack fields the API promises."""

MISLEADING = frozenset({"url-object", "no-url"})
"""Variants that look like a call without a recording: drawn never, only asked for."""

OF_LISTINGS = frozenset({"metadata-text", "no-metadata"})
"""Variants that make sense in listings only."""
