"""A call as the API writes it at a given moment.

Source: Exotel voice API, Call details and Bulk call details. Times are wall times with no zone,
Duration and Price come as text, number or null, they and EndTime and RecordingUrl settle only
after the call, and a RecordingUrl that is not there is null, empty or missing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from sandbox.access import Signer
from sandbox.calls import Call, Kind, Provider

_VARIANTS = 3
_PRICE_PER_MINUTE = 0.75
_MINUTE = 60


class UrlMode(StrEnum):
    """Which calls have presigned URLs beside the private ones."""

    PRIVATE = "private"
    PRESIGNED = "presigned"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants in each call; ``validity`` is in minutes, None for no presigned URL."""

    details: bool = False
    validity: int | None = None
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Links:
    """Where recordings are: both hosts as ``host:port``, and how presigned URLs are made."""

    recording_host: str
    storage_host: str
    mode: UrlMode
    signer: Signer

    def private(self, path: str) -> str:
        """Give the URL that needs Basic auth."""
        return f"http://{self.recording_host}{path}"

    def presigned(self, path: str, now: datetime, life: timedelta) -> str:
        """Give the URL that opens by itself for a while."""
        return f"http://{self.storage_host}{path}?{self.signer.sign(path, now, life)}"

    def presigns(self, call: Call) -> bool:
        """Tell whether a call gets a presigned URL when one is asked for."""
        return self.mode is UrlMode.PRESIGNED or (self.mode is UrlMode.BOTH and not call.index % 2)


def wall_time(moment: datetime, zone: tzinfo) -> str:
    """Write a moment as ``YYYY-MM-DD HH:mm:ss`` in the account's zone, without naming it."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(" ", "seconds")


def price(call: Call) -> float:
    """Give the price of a call: begun minutes of conversation."""
    return -(-call.conversation // _MINUTE) * _PRICE_PER_MINUTE


def body(
    call: Call, provider: Provider, links: Links, asked: Asked, now: datetime
) -> dict[str, object]:
    """Write a call as the API shows it at ``now``."""
    settled = call.settled_at <= now
    row: dict[str, object] = {
        "Sid": call.sid,
        "ParentCallSid": "",
        "DateCreated": wall_time(call.started_at, provider.zone),
        "DateUpdated": wall_time(_updated_at(call, now), provider.zone),
        "AccountSid": provider.account,
        "To": call.called,
        "From": call.caller,
        _exophone_field(call, asked): call.exophone,
        "Status": call.status if call.ended_at <= now else "in-progress",
        "StartTime": wall_time(call.started_at, provider.zone),
        "EndTime": wall_time(call.ended_at, provider.zone) if settled else None,
        "Duration": _duration(call) if settled else None,
        "Price": _price(call) if settled else None,
        "Direction": call.direction,
        "AnsweredBy": "human" if call.conversation else "",
        "ForwardedFrom": "",
        "CallerName": "",
        "Uri": f"/v1/Accounts/{provider.account}/Calls/{call.sid}.json",
    }
    row.update(_urls(call, provider, links, asked, now))
    if asked.details:
        row["Details"] = _details(call, settled=settled)
    return row


def _exophone_field(call: Call, asked: Asked) -> str:
    """Name the ExoPhone: rows of the listing may use the other of its two names."""
    return "PhoneNumber" if asked.listed and call.index % 2 else "PhoneNumberSid"


def _updated_at(call: Call, now: datetime) -> datetime:
    """Give the last moment at which something about a call changed."""
    changes = (call.ended_at, call.settled_at, call.ready_at)
    return max((c for c in changes if c is not None and c <= now), default=call.started_at)


def _urls(
    call: Call, provider: Provider, links: Links, asked: Asked, now: datetime
) -> dict[str, object]:
    """Give the URL fields; the URL stays when retention has deleted the object behind it."""
    if call.ready_at is None or call.ready_at > now:
        absent: tuple[dict[str, object], ...] = ({"RecordingUrl": None}, {"RecordingUrl": ""}, {})
        return absent[call.index % _VARIANTS]
    path = provider.path(call)
    urls: dict[str, object] = {"RecordingUrl": links.private(path)}
    if asked.validity is not None and links.presigns(call):
        life = timedelta(seconds=asked.validity * provider.minute)
        urls["PreSignedRecordingUrl"] = links.presigned(path, now, life)
    return urls


def _duration(call: Call) -> str | int | None:
    """Write Duration as text, number or null in turn."""
    # Of a call that was too short to be recorded, the length is all that tells so.
    always = call.kind is Kind.TOO_SHORT
    variants = (str(call.duration), call.duration, str(call.duration) if always else None)
    return variants[call.index // _VARIANTS % _VARIANTS]


def _price(call: Call) -> str | float | None:
    """Write Price as text, number or null in turn, out of step with Duration."""
    value = price(call)
    return (f"{value:.6f}", value, None)[call.index % _VARIANTS]


def _details(call: Call, *, settled: bool) -> dict[str, object]:
    """Write what ``details=true`` adds."""
    first, second = call.leg_statuses
    spoken = (call.duration, call.conversation)
    legs = [{"Leg": {"Id": place, "OnCallDuration": s}} for place, s in enumerate(spoken, 1)]
    return {
        "ConversationDuration": call.conversation if settled else None,
        "Leg1Status": first,
        "Leg2Status": second,
        "Legs": legs if settled else [],
    }
