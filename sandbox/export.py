"""CDR exports as the provider writes them, matching the calls that are served.

Source: Exotel dashboard, report download, and CDR export. The headers are the provider's, but for
the leg columns of the CDR export, whose names are not documented: those of the dashboard stand in.
"""

import csv
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sandbox import several
from sandbox.calls import Call, Kind, Provider
from sandbox.rows import price, wall_time

CDR_HEADERS = (
    "CallSid",
    "DateCreated",
    "From",
    "To",
    "PhoneNumberSid",
    "Direction",
    "Status",
    "StartTime",
    "EndTime",
    "Duration",
    "ConversationDuration",
    "Price",
    "Currency",
    "RecordingUrl",
    "FlowId",
    "Leg1Status",
    "Leg2Status",
)

DASHBOARD_HEADERS = (
    "Id",
    "Direction",
    "ExotelNumber",
    "From",
    "FromName",
    "To",
    "ToName",
    "Status",
    "StartTime",
    "EndTime",
    "Duration",
    "Price",
    "RecordingUrls",
    "AppID",
    "AppName",
    "GroupName",
    "FromCircle",
    "ToCircle",
    "Leg1Status",
    "Leg2Status",
    "ConversationDuration",
    "DisconnectedBy",
    "DispositionCodes",
)

_FLOW = "100200"
_CIRCLE = "KA"
_URLS = frozenset({"url", "urls"})
# What stands between several addresses is not documented.
_SEPARATORS = (",", ";", " ", " | ")


class Family(StrEnum):
    """The families of exports that can be written."""

    CDR = "cdr"
    DASHBOARD = "dashboard"


def write(
    path: Path, family: Family, provider: Provider, recording_host: str, now: datetime
) -> int:
    """Write an export of all calls that have ended by ``now``; give the number of rows.

    What has not settled yet is blank. ``recording_host`` is the ``host:port`` of the URLs.
    """
    headers, row_of = _FAMILIES[family]
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, headers, restval="", lineterminator="\n")
        writer.writeheader()
        for index in range(provider.calls):
            call = provider.call(index)
            if call.started_at > now:
                break
            if call.ended_at <= now:
                writer.writerow(row_of(call, _shared(call, provider, recording_host, now)))
                rows += 1
    return rows


def _shared(call: Call, provider: Provider, recording_host: str, now: datetime) -> dict[str, str]:
    """Give what both families call by the same names, the URL as ``url`` and all as ``urls``."""
    settled, ready = call.settled_at <= now, call.ready_at is not None and call.ready_at <= now
    first, second = call.leg_statuses
    recordings = several.of_call(provider, call) if ready else ()
    urls = [f"http://{recording_host}{provider.path(call, one.name)}" for one in recordings]
    return {
        "From": call.caller,
        "To": call.called,
        "Direction": call.direction,
        "StartTime": wall_time(call.started_at, provider.zone),
        "EndTime": wall_time(call.ended_at, provider.zone) if settled else "",
        "Duration": str(call.duration) if settled else "",
        "ConversationDuration": str(call.conversation) if settled else "",
        "Price": f"{price(call):.6f}" if settled else "",
        "Leg1Status": first,
        "Leg2Status": second,
        "url": urls[0] if urls else "",
        "urls": _SEPARATORS[call.index % len(_SEPARATORS)].join(urls),
    }


def _cdr_row(call: Call, shared: Mapping[str, str]) -> dict[str, str]:
    row = {name: text for name, text in shared.items() if name not in _URLS}
    return row | {
        "CallSid": call.sid,
        "DateCreated": shared["StartTime"],
        "PhoneNumberSid": call.exophone,
        "Status": call.status,
        "Currency": "INR",
        "RecordingUrl": shared["url"],
        "FlowId": _FLOW if call.direction == "inbound" else "",
    }


def _dashboard_row(call: Call, shared: Mapping[str, str]) -> dict[str, str]:
    row = {name: text for name, text in shared.items() if name not in _URLS}
    return row | {
        "Id": call.sid,
        "ExotelNumber": call.exophone,
        "Status": _dashboard_status(call),
        "RecordingUrls": shared["urls"],
        "AppID": _FLOW if call.direction == "inbound" else "",
        "AppName": "Reception" if call.direction == "inbound" else "",
        "FromCircle": _CIRCLE,
        "ToCircle": _CIRCLE,
        "DisconnectedBy": "Callee" if call.index % 2 else "Caller",
    }


def _dashboard_status(call: Call) -> str:
    """Name the status as the dashboard does, which has two more for unanswered callers."""
    if call.kind is not Kind.UNANSWERED:
        return call.status
    return "call-attempt" if call.index % 2 else "missed-call"


_FAMILIES: dict[
    Family, tuple[tuple[str, ...], Callable[[Call, Mapping[str, str]], dict[str, str]]]
] = {
    Family.CDR: (CDR_HEADERS, _cdr_row),
    Family.DASHBOARD: (DASHBOARD_HEADERS, _dashboard_row),
}
