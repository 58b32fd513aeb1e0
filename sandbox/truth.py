"""The whole truth about every call, for tests that compare what was archived with it."""

import hashlib
import json
from datetime import datetime, tzinfo

from sandbox.calls import Provider


def lines(provider: Provider, first: int, last: int) -> bytes:
    """Write one JSON line per call, from index ``first`` up to and without ``last``."""
    truths = (of_call(provider, index) for index in range(first, last))
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in truths)


def of_call(provider: Provider, index: int) -> dict[str, object]:
    """Give all that is true of one call: ``bytes`` and ``seconds`` of the recording, its SHA-256.

    ``seconds`` is the exact length of the audio, or of the call where nothing was recorded;
    ``deleted_at`` is when the recording's retention ends. Times are ISO with an offset.
    """
    call = provider.call(index)
    audio = provider.audio(index)
    digest = hashlib.sha256()
    for chunk in audio.chunks() if audio else ():
        digest.update(chunk)
    zone = provider.zone
    return {
        "index": index,
        "sid": call.sid,
        "kind": call.kind.value,
        "status": call.status,
        "direction": call.direction,
        "recorded": audio is not None,
        "object": call.object_name,
        "url_path": provider.path(call) if audio else None,
        "bytes": audio.size if audio else 0,
        "sha256": digest.hexdigest() if audio else None,
        "seconds": audio.seconds if audio else float(call.duration),
        "started_at": _iso(call.started_at, zone),
        "ended_at": _iso(call.ended_at, zone),
        "ready_at": _iso(call.ready_at, zone),
        "deleted_at": _iso(provider.deleted_at(call), zone) if audio else None,
    }


def _iso(moment: datetime | None, zone: tzinfo) -> str | None:
    return None if moment is None else moment.astimezone(zone).isoformat()
