"""What is asked of the stand-in and what it answers, as plain values.

Every endpoint is a pure function from an ``Ask`` to an ``Answer``; the one pipeline that sends
answers is in ``sandbox.app``. Between the two, an answer can be counted, delayed or replaced.
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


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: ``name`` is a Sid or an object name, ``xml`` an API path without ``.json``."""

    endpoint: Endpoint
    account: str
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = None
    byte_range: str | None = None
    xml: bool = False


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
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    extract: Extract | None = None
    misplaced: bool = False


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
