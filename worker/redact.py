"""Cuts out of a log record whatever must not be in one: pure, and cheap where there is nothing.

Queries of URLs (they may be signatures), user names and passwords in URLs, values of Authorization
and their like, telephone numbers, and last the secrets of this process wherever they stand.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CUT: Final = "…"
MOST: Final = 16_384
"""Characters of a text that are kept: journald breaks lines of more than 48 KiB apart."""
_SHORTEST: Final = 6
"""Characters that anything to be cut out has at least."""

_QUERY: Final = re.compile(r"(\?|%(?:25)*3[Ff])[^\s'\"<>]+")
_USER: Final = re.compile(
    r"((?::|%(?:25)*3[Aa])(?://|%(?:25)*2[Ff]%(?:25)*2[Ff]))[^\s'\"<>]*(@|%(?:25)*40)"
)
_AUTHORISATION: Final = re.compile(
    r"(?i)\b(basic|bearer)(?:\s|%20)+(?:[A-Za-z0-9+/=._~-]|%[0-9A-F]{2}){8,}"
)
_HOOK: Final = re.compile(r"(/hook/[a-z0-9_-]{1,32}/)[^\s/?'\"<>]+")
"""Where callbacks go to may have their secret as its last part."""
_NAMED: Final = re.compile(
    r"(?i)(x-(?:amz|goog)-[a-z0-9-]{1,40}|awsaccesskeyid|signature|password|passwd|secret|token|"
    r"api_?key|key-pair-id)(%(?:25)*3D|=|\\?['\"]\s*[:=]\s*\\?['\"]|: )[^\s&'\"<>,;(){}\\]+"
)
"""A value beside its name: ``X-Amz-Signature=…`` without a URL, ``"token": "…"``."""
_SECRET_KEY: Final = re.compile(
    r"(?i)authorization|cookie|signature|passw|secret|token|api.?key|x-amz-|x-goog-"
)
_RULES: Final = (
    (("?", "%"), _QUERY, rf"\1{CUT}"),
    (("@", "%"), _USER, rf"\1{CUT}@"),
    (("/hook/",), _HOOK, rf"\1{CUT}"),
    (("basic", "bearer"), _AUTHORISATION, rf"\1 {CUT}"),
    (
        ("-amz-", "-goog-", "key", "signature", "pass", "secret", "token"),
        _NAMED,
        rf"\1\2{CUT}",
    ),
)
"""What has to be in a text, in small letters, for a pattern to be tried; and what is put in."""

_BEFORE: Final = (
    r"(?:(?<![\w.])|(?<=[^\d]\.)|(?<=\\[nrt])|(?<=%20)|(?<=%2[BbCcFf])|(?<=%3[AaDd])"
    r"|(?<=%22)|(?<=%252[Bb])|(?<=\\u002[Bb]))(?<![0-9a-f]{4}-)"
)
_AFTER: Final = r"(?!\w|\.\d| bytes| of \d+ bytes)"
_GAP: Final = r"(?:[ -]|%(?:25)*20)"
_PHONE: Final = re.compile(
    rf"{_BEFORE}(?:"
    # Without gaps, as the provider's API writes it.
    r"\+?\d{8,12}"
    # With a plus sign, however it is parted.
    rf"|\+\d{{1,3}}(?:{_GAP}?\d){{5,10}}{_GAP}?"
    # India's mobile numbers, 5-5 and 3-3-4, with or without 91 or 0 before them.
    rf"|(?:(?:0|0?91){_GAP})?[6-9]\d{{4}}{_GAP}\d{{3}}"
    rf"|(?:(?:0|0?91){_GAP})?[6-9]\d{{2}}{_GAP}\d{{3}}{_GAP}\d{{2}}"
    # Its landlines, by their area: 080-12345678, 022 1234 5678, (080) 1234-5678.
    rf"|\(?0\d{{2,4}}\)?{_GAP}\d{{3,4}}{_GAP}?\d{{1,2}}"
    rf")(\d{{2}}){_AFTER}"
)
"""A number of 10 to 14 digits by itself, as telephones have; its last two are left."""
_WORD_AT_END: Final = re.compile(r"(?<!\S)\S+\Z")
_WORD_AT_BEGIN: Final = re.compile(r"\S+")
_MANY_DIGITS: Final = re.compile(r"(?:\d(?:[ ()-]|%(?:25)*20){0,2}){8}")


def clean(value: Any, secrets: Iterable[str] = ()) -> Any:  # noqa: ANN401 - a field may be anything
    """Return a field of a record without what must not be told, as something JSON has.

    ``secrets`` are cut out by their value: the last net.
    """
    if isinstance(value, str):
        return clean_text(value, secrets)
    if isinstance(value, int | float | bool | None):
        return value
    if isinstance(value, dict):
        return clean_fields(value, secrets)
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(item, secrets) for item in value]
    if isinstance(value, bytes | bytearray):
        return clean_text(bytes(value[:MOST]).decode(errors="backslashreplace"), secrets)
    return clean_text(_text_of(value), secrets)


def clean_fields(fields: Mapping[Any, Any], secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return a record's fields cleaned; one whose name says that it is secret is cut out whole."""
    return {
        (name := _name_of(key, secrets)): (
            CUT if _tells_secret(name) and not _is_plain(item) else clean(item, secrets)
        )
        for key, item in fields.items()
    }


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without what must not be told, and no longer than `MOST` characters.

    Each pattern is tried only where a part of it is there: most fields are a word or two.
    """
    if len(text) < _SHORTEST:
        return text
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, CUT)
    if len(text) > MOST:
        text = _shortened(text)
    lower = text.lower()
    for hints, pattern, instead in _RULES:
        if any(hint in lower for hint in hints):
            text = pattern.sub(instead, text)
    if _MANY_DIGITS.search(text):
        text = _PHONE.sub(rf"{CUT}\1", text)
    return text


def _shortened(text: str) -> str:
    """Cut the middle out: a traceback tells at its end what happened.

    Between words, so that no half of a secret is left that no pattern knows any more.
    """
    head, tail = text[: MOST // 4], text[-MOST // 2 :]
    begins, ends = _WORD_AT_END.search(head), _WORD_AT_BEGIN.match(tail)
    head = head[: begins.start()] if begins else head
    tail = tail[ends.end() :] if ends else tail
    return f"{head} {CUT} {tail}".strip()


@lru_cache(maxsize=1024)
def _tells_secret(name: str) -> bool:
    return bool(_SECRET_KEY.search(name))


def _is_plain(value: object) -> bool:
    """Tell whether it is a number or nothing: a count of tokens is no token."""
    return isinstance(value, int | float | bool | None)


def _name_of(key: object, secrets: Iterable[str]) -> str:
    return clean_text(key if isinstance(key, str) else _text_of(key), secrets)


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a fault of what is logged must end nobody
        return f"<{type(value).__name__} that cannot be written: {type(error).__name__}>"
