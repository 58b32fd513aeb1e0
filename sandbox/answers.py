"""What is asked of the stand-in and what it answers, as plain values.

Every endpoint is a pure function from an ``Ask`` to an ``Answer``; the one pipeline that sends
answers is in ``sandbox.app``. Between the two, an answer can be counted, or spoilt: replaced by
another one, or given a ``Manner`` that departs from plain sending.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from xml.sax.saxutils import escape

from sandbox.audio import Audio

_XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Endpoint(StrEnum):
    """What can be asked for; answers are counted under these names."""

    LISTING = "listing"
    CALL = "call"
    RECORDING = "recording"
    STORAGE = "storage"
    ELSEWHERE = "elsewhere"
    """Where a redirect leads that nobody should follow."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: ``name`` is a Sid or an object name, ``xml`` an API path without ``.json``.

    ``host`` is the ``host:port`` that was asked, ``path`` what stood between it and the query.
    """

    endpoint: Endpoint
    account: str
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = None
    byte_range: str | None = None
    xml: bool = False
    host: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is sent where it is not sent plainly; `sandbox.misbehave` does it.

    ``delay`` passes before the first byte; a ``mute`` one has none and resets the connection.
    After ``stop_after`` bytes of the body (None: all) nothing comes for ``hold`` seconds, then the
    connection is closed, or reset. ``rate`` is in bytes a second and lasts for ``hold`` at most.
    ``extra`` bytes of ``filler`` follow on the body, beyond the promised length or ``chunked``.
    The bytes of the recording at ``flips`` are inverted. ``etag_fits`` makes the ETag that of the
    bytes which are sent, and so hides that they are wrong.
    """

    delay: float = 0.0
    mute: bool = False
    stop_after: int | None = None
    hold: float = 0.0
    reset: bool = False
    rate: float | None = None
    chunked: bool = False
    extra: int = 0
    filler: bytes = b"\0"
    flips: frozenset[int] = frozenset()
    etag_fits: bool = False

    @property
    def is_plain(self) -> bool:
        """Tell whether nothing but the delay is unusual."""
        return self == Manner(delay=self.delay)

    @property
    def is_right(self) -> bool:
        """Tell whether what is sent are the bytes of the recording."""
        return not self.flips and not self.etag_fits


@dataclass(frozen=True, slots=True)
class Extract:
    """The part of a recording that an answer carries, in bytes from ``start`` to ``stop``."""

    audio: Audio
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Give the number of bytes."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a body, or an extract of a recording that is made while it is sent.

    ``misplaced`` marks requests whose credentials were wrong or sent where they do not belong.
    The status 0 stands for no answer at all.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    extract: Extract | None = None
    misplaced: bool = False
    manner: Manner | None = None


def json_answer(
    value: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with JSON."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, body)


def xml_answer(value: Mapping[str, object], status: int = HTTPStatus.OK) -> Answer:
    """Answer with the XML form of a JSON body, as the API's paths without ``.json`` do."""
    body = f"{_XML_HEAD}<TwilioResponse>{_elements(value)}</TwilioResponse>"
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def rest_exception(ask: Ask, status: int, message: str, code: int | None = None) -> Answer:
    """Answer with the API's form of an error; ``Code`` may be missing, as it may be there."""
    fault: dict[str, object] = {"Status": int(status), "Message": message}
    if code is not None:
        fault["Code"] = code
    body = {"RestException": fault}
    return xml_answer(body, status) if ask.xml else json_answer(body, status)


def storage_error(status: int, code: str, message: str) -> Answer:
    """Answer with the XML error of the storage hosts: ``Code`` is a word such as NoSuchKey."""
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    body = f"{_XML_HEAD}<Error>{inner}</Error>"
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def _elements(value: object) -> str:
    """Write a JSON value as XML elements; null becomes an empty element."""
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_elements(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(_elements(inner) for inner in value)
    return "" if value is None else escape(str(value))
