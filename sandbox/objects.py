"""The two hosts that have the recordings: one for credentials, one for presigned URLs.

Source: Exotel, call recordings, and the answers of S3. The recording host asks for Basic auth; the
storage host wants a signature in the URL and nothing else. Neither keeps an object for longer than
the retention allows, and neither has it before it is ready.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

from sandbox import several
from sandbox.access import Credentials, Login, Signature, Signer
from sandbox.answers import Answer, Ask, Endpoint, Extract, storage_error
from sandbox.audio import Audio
from sandbox.calls import FOLDER, Provider
from sandbox.several import Recording

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Objects:
    """All recordings of one account behind both hosts."""

    provider: Provider
    credentials: Credentials
    signer: Signer

    def answer(self, ask: Ask, now: datetime) -> Answer:
        """Answer one request for a recording at the host that was asked."""
        if ask.endpoint is Endpoint.STORAGE:
            refusal = self._storage_refusal(ask, now)
        else:
            refusal = self._recording_refusal(ask)
        return refusal or self._object(ask, now)

    def _recording_refusal(self, ask: Ask) -> Answer | None:
        """Refuse what comes without the right credentials."""
        login = self.credentials.check(ask.authorization)
        if login is Login.GOOD:
            return None
        if login is Login.WRONG:
            wrong = storage_error(HTTPStatus.FORBIDDEN, "AccessDenied", "Access Denied")
            return replace(wrong, misplaced=True)
        missing = storage_error(HTTPStatus.UNAUTHORIZED, "AccessDenied", "Credentials required")
        challenge = {"WWW-Authenticate": 'Basic realm="recordings"'}
        return replace(missing, headers={**missing.headers, **challenge})

    def _storage_refusal(self, ask: Ask, now: datetime) -> Answer | None:
        """Refuse credentials first, then what no valid signature opens."""
        if ask.authorization is not None:
            message = "Only one auth mechanism allowed"
            refusal = storage_error(HTTPStatus.BAD_REQUEST, "InvalidArgument", message)
            return replace(refusal, misplaced=True)
        path = f"/{FOLDER}/{ask.account}/{ask.name}"
        signature = self.signer.check(path, ask.query, now)
        if signature is Signature.GOOD:
            return None
        if self._found(ask) is None:
            return _no_such_key()
        if signature is Signature.EXPIRED:
            return storage_error(HTTPStatus.FORBIDDEN, "AccessDenied", "Request has expired")
        if signature is Signature.WRONG:
            message = "The request signature we calculated does not match"
            return storage_error(HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch", message)
        return storage_error(HTTPStatus.FORBIDDEN, "AccessDenied", "Access Denied")

    def _object(self, ask: Ask, now: datetime) -> Answer:
        """Give the recording, or the part of it that was asked for, where there is one."""
        found = self._found(ask)
        if found is None or not self.provider.is_available(found.call, now):
            return _no_such_key()
        audio = several.audio(self.provider, found.index)
        return _no_such_key() if audio is None else recording(audio, ask.byte_range)

    def audio(self, ask: Ask) -> Audio | None:
        """Give the recording that a request is for, whoever asks and whenever; None if none is."""
        if ask.endpoint not in (Endpoint.RECORDING, Endpoint.STORAGE):
            return None
        found = self._found(ask)
        return several.audio(self.provider, found.index) if found else None

    def _found(self, ask: Ask) -> Recording | None:
        """Find the recording that was asked for."""
        if ask.account != self.provider.account:
            return None
        return several.find(self.provider, ask.name)


def recording(audio: Audio, byte_range: str | None) -> Answer:
    """Answer with a recording, honouring a single range of bytes."""
    headers = {"Content-Type": audio.media_type, "Accept-Ranges": "bytes"}
    wanted = read_range(byte_range, audio.size)
    if wanted is None:
        return Answer(HTTPStatus.OK, headers, extract=Extract(audio, 0, audio.size))
    start, stop = wanted
    if start >= stop:
        message = "The requested range is not satisfiable"
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        refusal = storage_error(status, "InvalidRange", message)
        return replace(
            refusal, headers={**refusal.headers, "Content-Range": f"bytes */{audio.size}"}
        )
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{audio.size}"
    return Answer(HTTPStatus.PARTIAL_CONTENT, headers, extract=Extract(audio, start, stop))


def read_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Read a Range header as (start, stop) in bytes of an object of a size.

    None where the whole object is to be sent: no header, several ranges, or one that is none. A
    range that lies outside of the object comes back empty.
    """
    match = _RANGE.fullmatch(text.strip()) if text else None
    if match is None or len(match[0]) > 2 * _MOST_DIGITS or not (match[1] or match[2]):
        return None
    if not match[1]:
        tail = int(match[2])
        return (max(0, size - tail), size) if tail else (size, size)
    start = int(match[1])
    if not match[2]:
        return start, max(start, size)
    last = int(match[2])
    return (start, max(start, min(last + 1, size))) if last >= start else None


def _no_such_key() -> Answer:
    message = "The specified key does not exist."
    return storage_error(HTTPStatus.NOT_FOUND, "NoSuchKey", message)
