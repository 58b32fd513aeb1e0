"""How a command ends: its streams, its errors, and the exit code that the shell expects."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final

import click

from archive.errors import CallvaultError, Exit
from worker.outputs import DISK

if TYPE_CHECKING:
    from types import TracebackType

INTERRUPTED: Final = 128 + signal.SIGINT
READER_GONE: Final = 128 + signal.SIGPIPE
"""What a shell sees of a program that a closed pipe ended."""


def prepare_streams() -> None:
    """See to it that the three standard streams are there, and take every text.

    One that was closed would give its number to the next file that is opened, such as the catalog.
    What the terminal's encoding does not have is written as an escape.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def code_of(error: BaseException) -> int:
    """Say what ended a command, and return its exit code; what is not known here is raised."""
    code: int | None = None
    match error:
        case BrokenPipeError() | SystemExit() if reader_is_gone():
            # click makes a SystemExit of it.
            code = _leave_pipe()
        case SystemExit(code=int() as given):
            code = given
        case click.ClickException():
            error.show()
            code = Exit.USAGE
        case click.Abort() | KeyboardInterrupt():
            code = INTERRUPTED
        case CallvaultError():
            if not error.is_told:
                say(error)
            code = error.exit_code
        case OSError() if error.errno in DISK:
            click.echo(f"callvault: writing the output: {error.strerror}", err=True)
            # Else the interpreter tries once more at its end, and ends with its own code (120).
            _to_nowhere(1)
            code = Exit.FATAL
    if code is None:
        raise error
    return code


def say(error: CallvaultError) -> None:
    """Say what went wrong, and what to do about it."""
    click.echo(f"callvault: {error.message}", err=True)
    if error.hint:
        click.echo(f"  hint: {error.hint}", err=True)


def say_unexpected(
    kind: type[BaseException], error: BaseException, _: TracebackType | None
) -> None:
    """Say that something happened which nobody thought of; for `sys.excepthook`."""
    text = _clean(f"callvault: an unexpected error: {kind.__name__}: {error}")
    click.echo(text, err=True)
    click.echo(
        "  hint: this is a fault of callvault's own: report it with what --debug shows", err=True
    )


def show_trace(error: BaseException) -> None:
    """Show where an error comes from, with all that caused it, for ``--debug``."""
    click.echo(_clean("".join(traceback.format_exception(error)).rstrip()), err=True)


def trace_unexpected(
    _kind: type[BaseException], error: BaseException, _: TracebackType | None
) -> None:
    """Show an unexpected error with its traceback; for `sys.excepthook`."""
    show_trace(error)


def _clean(text: str) -> str:
    """Cut secrets out, as the logs do: an error of a library may hold a URL with its query."""
    # Loaded here: --help needs neither.
    from worker.redact import clean  # noqa: PLC0415
    from worker.secrets import secrets_in  # noqa: PLC0415

    return str(clean(text, secrets_in(os.environ)))


def _leave_pipe() -> int:
    # What is still in the buffers has nobody to go to; the interpreter would try at its end.
    _to_nowhere(*filter(_is_broken, (1, 2)))
    return READER_GONE


def _to_nowhere(*numbers: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in numbers:
        os.dup2(nowhere, number)


def reader_is_gone() -> bool:
    """Tell whether nobody reads standard output, or standard error, any more."""
    return _is_broken(1) or _is_broken(2)


def _is_broken(number: int) -> bool:
    """Tell whether nobody reads what a standard stream is given."""
    look = select.poll()
    look.register(number, select.POLLOUT)
    return any(met & (select.POLLERR | select.POLLHUP) for _, met in look.poll(0))
