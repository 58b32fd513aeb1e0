"""Logging: structlog for us and for the libraries, JSON lines unless a person is reading.

Everything that a process says goes through one pipe: our loggers, those of libraries, warnings of
Python, and errors that nobody caught. What must not be told is cut out there (`worker.redact`),
whoever wrote it; what repeats is summed up (`worker.repeats`); then it is written as one line
(`worker.journal`).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

from worker.journal import LineHandler, is_journal
from worker.redact import clean_fields
from worker.repeats import Bounded, Repeats
from worker.screen import wants_colour
from worker.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

    from worker.sections import Log

_log = structlog.get_logger()


def configure_logging(
    log: Log, *, quiet: bool = False, level: str | None = None, secrets: Iterable[str] | None = None
) -> None:
    """Send all logging of this process to stderr; stdout is for results.

    ``quiet`` lets only warnings through, for a terminal that shows a progress bar. ``secrets`` are
    cut out by their value; those of the environment if none are given.
    """
    known = tuple(secrets_in(os.environ) if secrets is None else secrets)
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    as_json = log.format == "json" or (log.format == "auto" and not is_terminal)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
        _stamp(as_json=as_json),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _fill_in,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = LineHandler(sys.stderr, journal=is_journal(sys.stderr, os.environ), one_line=as_json)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                Redactor(known),
                _renderer(as_json=as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [Bounded(handler, Repeats(time.monotonic))]
    chosen = "warning" if quiet else (level or log.level)
    root.setLevel(chosen.upper())
    quieten()
    # What goes wrong with logging is told of in the record's place, and ends nobody.
    logging.raiseExceptions = False
    _catch_all(keep_excepthook=not as_json)


def quieten() -> None:
    """Let libraries that tell of every job, request or loop only warn, and by our pipe.

    Called once more where arq's own command line runs a worker: it gives its logger a handler after
    the settings were read.
    """
    # asyncio tells at DEBUG of each loop which selector it uses.
    for name in ("arq", "aiohttp.access", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.WARNING)


class Redactor:
    """Cuts secrets out of every field of a record."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the record without them."""
        return clean_fields(event, self._secrets)


def _stamp(*, as_json: bool) -> Processor:
    """Write the time in UTC for programs, as the clock on the wall for a person."""
    if as_json:
        return structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")
    return structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False, key="time")


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer()
    colours = sys.stderr is not None and wants_colour(sys.stderr, os.environ)
    return structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="time")


def _fill_in(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put arguments into an event; those that do not fit are no reason to raise in the caller."""
    arguments: Any = event.pop("positional_args", ())
    if arguments:
        try:
            event["event"] = event["event"] % arguments
        except (TypeError, ValueError):
            event["event"] = f"{event['event']} {arguments!r}"
    return event


def _catch_all(*, keep_excepthook: bool) -> None:
    """Let warnings of Python and errors that nobody caught take the same way.

    On a terminal the command line's own words for an unexpected error stay.
    """
    logging.captureWarnings(capture=True)
    if not keep_excepthook:
        sys.excepthook = _tell_uncaught
    threading.excepthook = _tell_of_thread
    sys.unraisablehook = _tell_unraisable


def _tell_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    _log.critical("an unexpected error", exc_info=(kind, error, traceback))


def _tell_of_thread(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_value is None or issubclass(caught.exc_type, SystemExit):
        return
    name = caught.thread.name if caught.thread else ""
    found = (caught.exc_type, caught.exc_value, caught.exc_traceback)
    _log.error("an unexpected error in a thread", thread=name, exc_info=found)


def _tell_unraisable(caught: sys.UnraisableHookArgs) -> None:
    found = caught.exc_value and (caught.exc_type, caught.exc_value, caught.exc_traceback)
    said = caught.err_msg or "an error that could not be raised"
    _log.error(said, where=type(caught.object).__name__, exc_info=found)
