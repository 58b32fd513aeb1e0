"""What each choice of ``callvault init`` has to be, whether it is an option or typed as an answer.

Each is looked at by itself as soon as it is there: who is asked ten questions is told of a mistake
in the first one before the second.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from archive.accounts import Account, HostEntry
from archive.errors import InputError
from worker.sections import Archive, Workers
from worker.values import (
    convert,
    read_account_name,
    read_base,
    read_zone,
    shown,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)
_BLANK: Final = re.compile(r"\s")
_SIZE: Final = 'a size such as "5GiB", "500MB" or "0"'


def _as(kind: type, field: str) -> Callable[[str], object]:
    """Return what reads a text as the setting of that name is read."""
    return _of(get_type_hints(kind, include_extras=True)[field])


def _of(hint: Any) -> Callable[[str], object]:  # noqa: ANN401 - a type of any form
    def read(text: str) -> object:
        try:
            return convert(text, hint, is_text=True)
        except ValueError as error:
            raise ValueError(words_of(hint) or str(error)) from error

    return read


def _number(kind: type, field: str) -> Callable[[str], object]:
    hint = get_type_hints(kind, include_extras=True)[field]
    read_any = _of(hint)

    def read(text: str) -> object:
        if not _NUMBER.fullmatch(text):
            raise ValueError(words_of(hint))
        return read_any(text)

    return read


def _size(text: str) -> object:
    try:
        return convert(text, get_type_hints(Archive)["min_free"], is_text=True)
    except OverflowError as error:
        raise ValueError(_SIZE) from error


def _folder(text: str) -> object:
    try:
        return convert(text, Path, is_text=True)
    except RuntimeError as error:
        raise ValueError("a path; nobody here is called so") from error


def _state(text: str) -> object:
    # The catalog's URL is made of it.
    if _BLANK.search(text):
        raise ValueError("a path without blanks")
    return _folder(text)


_READERS: Final[dict[str, Callable[[str], object]]] = {
    "sid": _as(Account, "sid"),
    "retention_days": _number(Account, "retention_days"),
    "root": _folder,
    "state": _state,
    "min_free": _size,
    "name": read_account_name,
    "timezone": read_zone,
    "processes": _number(Workers, "processes"),
    "api_base": read_base,
    "recording_hosts": _of(HostEntry),
    "storage_hosts": _of(HostEntry),
}
_FLAGS: Final = {"recording_hosts": "recording_host", "storage_hosts": "storage_host"}


def mistake_in(name: str, text: str) -> str:
    """Return what a choice has to be, if it is not so; empty if nothing is wrong with it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "text in UTF-8"
    try:
        _READERS[name](text)
    except ValueError as error:
        return str(error)
    return ""


def check_options(given: Mapping[str, Any], *, check: bool) -> None:
    """Look at all options before anything is asked, of a person or of the provider.

    Raises:
        InputError: some cannot be; it names each as it is typed.
    """
    told: list[str] = []
    for name in _READERS:
        value = given[name]
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        flag = f"--{_FLAGS.get(name, name).replace('_', '-')}"
        looked = ((text, mistake_in(name, text)) for text in map(str, values))
        told += [f"{flag} {shown(text)}: {why}" for text, why in looked if why]
    if told:
        raise InputError(
            "\n  ".join(("these options cannot be:", *told)) if told[1:] else told[0],
            hint="nothing was asked and nothing written; callvault help init tells all options",
        )
    if given["api_base"] and given["region"]:
        raise InputError(
            "--region and --api-base exclude each other",
            hint="--region is one of the provider's own, --api-base an address of yours: leave "
            "one out",
        )
    if not check and given["api_base"][1:]:
        raise InputError("one --api-base can be written", hint="name one, or leave out --no-check")
