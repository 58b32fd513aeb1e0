"""The errors callvault raises on purpose, and the exit code each one ends a command with."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

E = TypeVar("E", bound=BaseException)


class Exit(IntEnum):
    """The promised exit codes of every command."""

    COMPLETE = 0
    UNEXPECTED = 1
    USAGE = 2
    WORK_REMAINS = 5
    PERMANENT_LOSSES = 6
    FATAL = 7


class CallvaultError(Exception):
    """Something callvault cannot go on with, said in a person's words.

    The message tells what was being done and what went wrong; ``hint`` tells what to do about it.
    A command prints both and ends with ``exit_code``, without a traceback; one that has shown the
    error in words of its own sets ``is_told``, and nothing is said twice.
    """

    exit_code = Exit.UNEXPECTED
    is_told = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # What a process that reads for another one meets is raised there, hint and all.
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[E], args: tuple[object, ...], state: dict[str, object]) -> E:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class InputError(CallvaultError):
    """A file or an argument cannot be used as it is."""

    exit_code = Exit.USAGE


class SettingsError(CallvaultError):
    """The configuration has mistakes; ``mistakes`` lists all of them, one line each."""

    exit_code = Exit.USAGE

    def __init__(self, mistakes: list[str], *, source: str) -> None:
        lines = "\n".join(f"  {line}" for line in mistakes)
        noun = "mistake" if len(mistakes) == 1 else "mistakes"
        super().__init__(f"{len(mistakes)} {noun} in the settings ({source}):\n{lines}")
        self.mistakes = mistakes


class FatalError(CallvaultError):
    """Nothing can be done until a person or the environment changes something."""

    exit_code = Exit.FATAL


class CredentialsError(FatalError):
    """The provider does not accept the key and token, or there are none."""


class StoreError(FatalError):
    """The archive's root cannot be written to, or is full."""


class CatalogError(FatalError):
    """The catalog cannot be opened, read or written.

    ``passing`` says that two writers were in each other's way: the same may be done at once again.
    ``is_away`` says that its server could not be reached, which passes too, in its own time.
    """

    passing = False
    is_away = False


class NoCatalogError(CatalogError):
    """There is no catalog yet, and who asked for one makes none."""


class LostCatalogError(CatalogError):
    """There are recordings, and no catalog that knows of any call."""


class QueueError(FatalError):
    """Redis, which carries the work in flight, cannot be reached or started."""


class ProviderError(CallvaultError):
    """The provider cannot be asked just now; a later run can."""

    exit_code = Exit.WORK_REMAINS


class LaterError(CallvaultError):
    """What is left has to wait for its time; a later run does it."""

    exit_code = Exit.WORK_REMAINS


def leaves(group: BaseExceptionGroup[E]) -> Iterator[E]:
    """Yield the errors themselves that tasks of a group ended with, however deep they lie."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
