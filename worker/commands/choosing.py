"""Options that leave calls out of one intake: ``--only``, ``--skip``, ``--trust-status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from archive.entry import Entry
from archive.errors import InputError
from archive.selection import NUMBER_PATTERN, Rule, is_number_pattern
from worker.completion import complete_choice
from worker.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

_TEXTS: Final = ("exophone", "direction", "status", "number", "group")
_NUMBERS: Final = ("exophone", "number")
_DURATIONS: Final = ("shorter_than", "longer_than")
_FIELDS: Final = ", ".join((*_TEXTS, *_DURATIONS))
_LONGEST: Final = 80

trust_status_option = click.option(
    "--trust-status",
    is_flag=True,
    help="Take calls that the export says nobody answered as absent; do not ask the provider.",
)


def choice_options(command: F) -> F:
    """Add ``--only`` and ``--skip`` to a command."""
    skip = click.option(
        "--skip",
        multiple=True,
        metavar="FIELD=VALUE",
        shell_complete=complete_choice,
        help=f"Leave these calls out; they are known and counted. Fields: {_FIELDS}.",
    )
    only = click.option(
        "--only",
        multiple=True,
        metavar="FIELD=VALUE",
        shell_complete=complete_choice,
        help="Leave all others out.",
    )
    return skip(only(command))


def read_entry(
    only: tuple[str, ...], skip: tuple[str, ...], *, trust_status: bool = False
) -> Entry:
    """Return how calls are taken in, by what the command line says.

    Raises:
        InputError: an option is not written as FIELD=VALUE.
    """
    rules = [
        Rule(name=f"--skip {text}"[:_LONGEST], **_conditions("--skip", (text,))) for text in skip
    ]
    if only:
        name = "--only " + " ".join(only)
        rules.append(Rule(name=name[:_LONGEST], keep=True, **_conditions("--only", only)))
        rules.append(Rule(name=name[:_LONGEST]))
    return Entry(rules=tuple(rules), trust_status=trust_status)


def _conditions(option: str, texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the conditions of a rule: several values of a field are alternatives."""
    found: dict[str, Any] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        field = field.strip().lower().replace("-", "_")
        value = value.strip()
        if not equals or not value or not value.isprintable():
            raise _wrong(option, text, "write it as FIELD=VALUE")
        if field in _NUMBERS and not is_number_pattern(value):
            raise _wrong(option, text, f"it takes {NUMBER_PATTERN}")
        if field in _TEXTS:
            found[field] = (*found.get(field, ()), value)
        elif field in _DURATIONS and field not in found:
            try:
                found[field] = parse_duration(value)
            except ValueError as error:
                raise _wrong(option, text, f"it takes {error}") from None
        else:
            raise _wrong(option, text, f"the fields are {_FIELDS}, durations once each")
    return found


def _wrong(option: str, text: str, hint: str) -> InputError:
    return InputError(f"{option} {ascii(text)[:_LONGEST]} is no choice of calls", hint=hint)
