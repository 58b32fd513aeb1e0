"""A recording's sidecar: read, with nothing believed before it was checked, and written anew.

The form is in ``docs/format.md``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from archive.audio import AudioFacts  # noqa: TC001 - msgspec reads the types when it decodes
from archive.call import CallFacts, is_sid
from archive.regular import open_regular

if TYPE_CHECKING:
    from pathlib import Path

Moment = Annotated[datetime, Meta(tz=True)]


FORMAT: Final = 1
"""Version of the form, in every sidecar."""


class BadSidecarError(ValueError):
    """A file is no sidecar; the message says why."""


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """What a sidecar tells of the recording beside it."""

    account: str
    sid: str
    file: str
    object: str
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    bytes: Annotated[int, Meta(ge=0)]
    audio: AudioFacts
    call: CallFacts
    archived_at: Moment | None = None


_decoder: Final = msgspec.json.Decoder(Sidecar)


def read_sidecar(file: Path) -> Sidecar:
    """Read a sidecar.

    Raises:
        OSError: it cannot be read, or is not there.
        BadSidecarError: it is none.
    """
    try:
        with open_regular(file) as opened:
            told = _decoder.decode(opened.readall())
    except (msgspec.DecodeError, ValueError) as error:
        raise BadSidecarError(str(error)) from error
    if not is_sid(told.sid):
        raise BadSidecarError("it is of no call")
    return told


def describe(
    about: dict[str, object], audio: AudioFacts, call: CallFacts, archived_at: datetime
) -> bytes:
    """Return a sidecar that is written anew from the catalog: ``about`` is what precedes ``audio``.

    Where the recording was fetched from, and what its server said of it, is not known any more.
    """
    document = {
        "callvault": FORMAT,
        **about,
        "audio": msgspec.to_builtins(audio),
        "call": msgspec.to_builtins(call),
        "source": "",
        "content_type": "",
        "etag": "",
        "archived_at": archived_at.isoformat(timespec="seconds"),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
