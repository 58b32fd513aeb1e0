"""A callback's body as flat names and texts, whatever its form; bounded, and trusted in nothing.

Source: Exotel, StatusCallback: multipart/form-data by default, urlencoded or JSON on demand, arrays
in forms as ``Legs[0][OnCallDuration]``. What is nested in JSON is named in the same way.
"""

from __future__ import annotations

import json
import re
from email import message_from_bytes, policy
from email.message import Message
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST: Final = 200
"""How many fields a callback may have."""
LONGEST: Final = 2_048
"""How many characters of a value are kept."""
_LONGEST_NAME: Final = 64
_NESTED: Final = re.compile(rb"content-type:\s*(multipart|message)/", re.IGNORECASE)
_DEEPEST: Final = 6


class BadBodyError(ValueError):
    """The body is none of the forms that callbacks have."""


def read_fields(body: bytes, content_type: str) -> dict[str, str]:
    """Read a body. Where its type is missing or wrong, its beginning tells what it is.

    Bytes that are no UTF-8 stand as U+FFFD. Of two fields of one name the first counts.

    Raises:
        BadBodyError: it is empty, of no known form, or has too many fields.
    """
    kind = content_type.partition(";")[0].strip().lower()
    start = body.lstrip()[:1]
    if not start:
        raise BadBodyError("the body is empty")
    if kind == "multipart/form-data" and start == b"-":
        return _bounded(_multipart(body, content_type))
    if kind == "application/json" or start in {b"{", b"["}:
        return _bounded(_json(body))
    if start == b"-":
        # The first line is the boundary, which a wrong type does not tell.
        boundary = body.lstrip().split(b"\n", 1)[0].strip()[2:].decode("latin-1")
        return _bounded(_multipart(body, f'multipart/form-data; boundary="{boundary}"'))
    return read_query(body.decode("utf-8", errors="replace"))


def read_query(text: str) -> dict[str, str]:
    """Read ``a=1&b=2``, as urlencoded forms and the query of a URL have it.

    Raises:
        BadBodyError: it has no fields, or too many.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST, errors="replace")
    except ValueError as error:
        raise BadBodyError("it has too many fields") from error
    return _bounded(pairs)


def _bounded(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for count, (name, text) in enumerate(pairs, start=1):
        if count > MOST:
            raise BadBodyError("it has too many fields")
        if name and len(name) <= _LONGEST_NAME:
            fields.setdefault(_clean(name), _clean(text[:LONGEST]))
    if not fields:
        raise BadBodyError("it has no fields")
    return fields


def _clean(text: str) -> str:
    """Replace what no text can be written with: halves of surrogate pairs, which JSON may hold."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _multipart(body: bytes, content_type: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a form (RFC 7578); files in it are passed over."""
    if _NESTED.search(body):
        # No form is nested in another (RFC 7578, 4.3), and reading one costs much time.
        raise BadBodyError("it is no form")
    head = b"Content-Type: " + content_type.encode("latin-1", errors="replace") + b"\r\n\r\n"
    try:
        message = message_from_bytes(head + body, policy=policy.compat32)
        parts = message.get_payload() if message.is_multipart() else []
    except (ValueError, LookupError, RecursionError) as error:
        raise BadBodyError("it is no form") from error
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, Message):
            continue
        name = part.get_param("name", header="content-disposition")
        is_file = part.get_param("filename", header="content-disposition") is not None
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes) and not is_file:
            yield name, payload.decode("utf-8", errors="replace")


def _json(body: bytes) -> Iterator[tuple[str, str]]:
    text = body.decode(json.detect_encoding(body), errors="replace")
    try:
        # Numbers stay as they are written: one that is none to speak of spoils no other field.
        document = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (RecursionError, ValueError) as error:
        raise BadBodyError("it is no JSON") from error
    if not isinstance(document, dict):
        raise BadBodyError("it is no JSON object")
    return _flat("", document, 0)


def _flat(name: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        if depth >= _DEEPEST:
            return
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _flat(f"{name}[{key}]" if name else str(key), item, depth + 1)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)
