"""The whole truth about every call, for tests that compare what was archived with it."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, tzinfo

from sandbox import several
from sandbox.calls import Call, Provider


def lines(provider: Provider, first: int, last: int) -> bytes:
    """Write one JSON line per call, from index ``first`` up to and without ``last``."""
    truths = (of_call(provider, index) for index in range(first, last))
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in truths)


def of_call(provider: Provider, index: int) -> dict[str, object]:
    """Give all that is true of one call: ``bytes`` and ``seconds`` of the recording, its SHA-256.

    ``seconds`` is the exact length of the audio, or of the call where nothing was recorded;
    ``deleted_at`` is when the recording's retention ends. Times are ISO with an offset.
    ``recordings`` are all there are of the call, the API's first. What was served wrongly, late or
    not at all because of a fault does not change any of it.
    """
    call = provider.call(index)
    recordings = list(_recordings(provider, call))
    first = recordings[0] if recordings else {}
    zone = provider.zone
    return {
        "index": index,
        "sid": call.sid,
        "kind": call.kind.value,
        "status": call.status,
        "direction": call.direction,
        "recorded": bool(recordings),
        "object": call.object_name,
        "url_path": first.get("url_path"),
        "bytes": first.get("bytes", 0),
        "sha256": first.get("sha256"),
        "seconds": first.get("seconds", float(call.duration)),
        "started_at": _iso(call.started_at, zone),
        "ended_at": _iso(call.ended_at, zone),
        "ready_at": _iso(call.ready_at, zone),
        "deleted_at": _iso(provider.deleted_at(call), zone) if recordings else None,
        "recordings": recordings,
    }


def _recordings(provider: Provider, call: Call) -> Iterator[dict[str, object]]:
    """Tell what each recording of a call is."""
    for one in several.of_call(provider, call):
        audio = several.audio(provider, one.index)
        assert audio is not None
        digest = hashlib.sha256()
        for chunk in audio.chunks():
            digest.update(chunk)
        yield {
            "object": one.name,
            "url_path": provider.path(call, one.name),
            "bytes": audio.size,
            "sha256": digest.hexdigest(),
            "seconds": audio.seconds,
        }


def _iso(moment: datetime | None, zone: tzinfo) -> str | None:
    return None if moment is None else moment.astimezone(zone).isoformat()
