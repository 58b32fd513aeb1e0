"""Settings' values: read from the file or the environment, with words for mistakes."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from archive.hosts import is_loopback
from worker.redact import clean_text

_SECRET_LIKE: Final = re.compile(r"(?i)api_?key|token|secret|passw")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.ASCII)
_DURATION_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST_S: Final = 0.1
_LONGEST_S: Final = 3650 * 86400.0
_LEAST_RATE: Final = 16 * 2**10
"""Bytes a second below which a limit would keep downloads from ever ending."""
_AT: Final = re.compile(r"at `\$\[(\d+)\]`")
"""Where msgspec found a value of a list wrong."""
_PLAIN: Final[dict[Any, str]] = {
    bool: "true or false, without quotes",
    str: 'a text in quotes, such as "name"',
}
_ACCOUNT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_BASE: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?", re.ASCII)
_SIZE_UNITS: Final = {
    **{unit: 1000**power for power, unit in enumerate(("B", "KB", "MB", "GB", "TB"))},
    **{unit: 1024**power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), start=1)},
}


class Size(int):
    """A number of bytes, written as ``"5GiB"``."""

    __slots__ = ()


class Rate(int):
    """Bytes a second, written as ``"5MiB"``; 0 is no limit."""

    __slots__ = ()


def convert(raw: object, hint: Any, *, is_text: bool) -> Any:  # noqa: ANN401
    """Make of a raw value what a setting's type wants; ``is_text``: of the environment.

    A type that is made by its own ``read`` is.

    Raises:
        ValueError: it cannot be made; the message says what is allowed.
        msgspec.ValidationError: the same.
    """
    if is_text and str(hint).startswith("tuple"):
        raw = [part.strip() for part in str(raw).split(",") if part.strip()]
    if hint is bool and is_text:
        raw = {"true": True, "false": False}.get(str(raw).lower(), raw)
    if hint is timedelta:
        return parse_duration(raw)
    if hint is Size:
        return parse_size(raw)
    if hint is Rate:
        return parse_rate(raw)
    if hint is Path:
        return _parse_path(raw)
    if read := getattr(hint, "read", None):
        return read(raw)
    return msgspec.convert(raw, hint, strict=not is_text)


def parse_duration(raw: object) -> timedelta:
    """Read ``"90s"``, ``"15m"``, ``"1.5h"``.

    Raises:
        ValueError: it is not written so.
    """
    match = _DURATION.fullmatch(raw.strip()) if isinstance(raw, str) else None
    seconds = float(match[1]) * _DURATION_UNITS[match[2]] if match else 0.0
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise ValueError('a duration from "100ms" to "3650d", such as "90s", "15m" or "2h"')
    return timedelta(seconds=seconds)


def parse_size(raw: object) -> Size:
    """Read ``"5GiB"``, ``"500MB"`` or a number of bytes.

    Raises:
        ValueError: it is not written so.
    """
    match = _SIZE.fullmatch(str(raw).strip()) if isinstance(raw, str | int) else None
    if match is None or isinstance(raw, bool):
        raise ValueError('a size such as "5GiB", "500MB" or "0"')
    return Size(float(match[1]) * _SIZE_UNITS[match[2] or "B"])


def parse_rate(raw: object) -> Rate:
    """Read bytes a second: ``10M``, ``10MB``, ``10MiB/s``, ``500k``; ``0`` for no limit.

    Raises:
        ValueError: it is not written so, or is so low that nothing would ever come.
    """
    if isinstance(raw, str):
        raw = raw.strip().removesuffix("/s")
        if raw[-1:] in {"k", "K", "M", "G"}:
            raw = f"{raw[:-1]}{raw[-1].upper()}B"
    try:
        rate = Rate(parse_size(raw))
        if rate == 0 or rate >= _LEAST_RATE:
            return rate
    except ValueError:
        pass
    raise ValueError('bytes a second such as "10MiB" or "500k", 16 KiB at least; 0 for no limit')


def read_zone(text: str) -> ZoneInfo:
    """Read the name of a zone.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("a zone of the tz database, such as Asia/Kolkata") from error


def read_account_name(text: str) -> str:
    """Read what an account is called in the settings.

    Raises:
        ValueError: it cannot be called so.
    """
    if not _ACCOUNT_NAME.fullmatch(text):
        raise ValueError("a name is 1 to 32 lower-case letters, digits, '-' and '_'")
    return text


def read_base(text: str) -> str:
    """Read the address of an API, to which the key goes.

    Raises:
        ValueError: it is none, or others could read along.
    """
    if not _is_safe_base(text) or not _BASE.fullmatch(text):
        raise ValueError("https://HOST (plain http only to this machine itself)")
    return text


def _is_safe_base(url: str) -> bool:
    try:
        base = urlsplit(url)
        _ = base.port
    except ValueError:
        return False
    return bool(base.hostname) and (base.scheme == "https" or is_loopback(base.hostname or ""))


def _parse_path(raw: object) -> Path:
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        raise ValueError("a path")
    return Path(raw).expanduser()


def words_of(hint: Any) -> str:  # noqa: ANN401 - a type of any form
    """Return in words what a setting's type allows, where it says so."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) is Literal:
        return f"one of {', '.join(get_args(hint))}"
    if get_origin(hint) is tuple and (one := words_of(get_args(hint)[0])):
        return f"a list in brackets, each of it in quotes: {one}"
    for meta in getattr(hint, "__metadata__", ()):
        if meta.description:
            return str(meta.description)
        if meta.ge is not None and meta.le is not None:
            return f"a whole number from {meta.ge} to {meta.le}"
    return ""


def required(kind: type[msgspec.Struct]) -> set[str]:
    """Return the fields that have no default."""
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def allowed_by(error: Exception, hint: Any) -> str:  # noqa: ANN401 - a type of any form
    """Return what is allowed: in the words of the type, or of the check that failed.

    Of a list it is said which of its values was refused.
    """
    words = words_of(hint)
    if not words:
        return str(error)
    at = _AT.search(str(error))
    return f"{words} (not so number {int(at[1]) + 1})" if at else words


def is_secret_like(key: str) -> bool:
    """Tell whether a key or variable is called as what is secret is called."""
    return _SECRET_LIKE.search(key) is not None


def shown(value: object) -> str:
    """Write a value so that it fits a line, without a password that is in it."""
    text = repr(clean_text(value) if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - fits a line


def is_one_of_many(kind: type[msgspec.Struct], field: str, value: object) -> bool:
    """Tell whether a text stands where a list of texts could: it is a list of one."""
    hint = get_type_hints(kind).get(field)
    return isinstance(value, str) and get_origin(hint) is tuple
