"""Options that choose among the calls of one intake: ``--only``, ``--skip``, ``--trust-status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from archive.errors import InputError
from archive.selection import Pattern, Rule
from worker.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from worker.settings import Settings

F = TypeVar("F", bound="Callable[..., Any]")

_TEXTS: Final = ("exophone", "direction", "status", "number", "group")
_DURATIONS: Final = ("shorter_than", "longer_than")
_LONGEST_NAME: Final = 80

trust_status_option = click.option(
    "--trust-status",
    is_flag=True,
    help="Never ask for calls that the export says nobody answered, unless it has a URL.",
)


def selection_options(command: F) -> F:
    """Add ``--only`` and ``--skip``, which come as ``only`` and ``skip``: see `narrowed`."""
    skip = click.option(
        "--skip",
        multiple=True,
        metavar="KEY=VALUE",
        help="Leave out calls that match, such as direction=inbound.",
    )
    only = click.option(
        "--only",
        multiple=True,
        metavar="KEY=VALUE",
        help="Leave out all calls but those that match, such as exophone=08047*.",
    )
    return only(skip(command))


def narrowed(settings: Settings, only: Iterable[str], skip: Iterable[str]) -> Settings:
    """Return settings whose accounts have the rules that flags stand for, before their own.

    Raises:
        InputError: a flag is no ``KEY=VALUE``, or no rule can have it.
    """
    rules = (*_rules("--skip", skip), *_rules("--only", only))
    if not rules:
        return settings
    accounts = {
        name: msgspec.structs.replace(account, selection=(*rules, *account.selection))
        for name, account in settings.accounts.items()
    }
    return msgspec.structs.replace(settings, accounts=accounts)


def _rules(flag: str, given: Iterable[str]) -> Iterator[Rule]:
    """Yield a rule for each key: its values are alternatives, as in a rule of the settings."""
    texts: dict[str, list[str]] = {}
    for text in given:
        key, value = _read(flag, text)
        if key in _DURATIONS and key in texts:
            raise InputError(f"{flag} {key} is given twice", hint="give it once")
        texts.setdefault(key, []).append(value)
    for key, values in texts.items():
        name = f"{flag} {key}={', '.join(values)}"
        condition = parse_duration(values[0]) if key in _DURATIONS else tuple(values)
        rule = Rule(name=name[:_LONGEST_NAME], inverted=flag == "--only")
        yield msgspec.structs.replace(rule, **{key: condition})


def _read(flag: str, text: str) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    key = key.replace("-", "_")
    if not equals or key not in {*_TEXTS, *_DURATIONS}:
        known = ", ".join((*_TEXTS, *_DURATIONS))
        raise InputError(f"{flag} {text[:80]!a} is no KEY=VALUE", hint=f"KEY is one of: {known}")
    try:
        if key in _DURATIONS:
            parse_duration(value)
        else:
            msgspec.convert(value, Pattern)
    except (msgspec.ValidationError, ValueError) as error:
        allowed = str(error) if key in _DURATIONS else "a text with up to two * for anything"
        raise InputError(f"{flag} {text[:80]!a} cannot be used", hint=f"write {allowed}") from None
    return key, value
