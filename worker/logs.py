"""Logging: structlog for us and for the libraries, JSON lines unless a person is reading.

Nothing secret may pass: URL queries (which may be signatures), user names and passwords in URLs,
Authorization values and telephone numbers are cut out of every field of every record, whoever
wrote it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import structlog

from worker.screen import wants_colour

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

    from worker.sections import Log

_QUERY: Final = re.compile(r"(?i)((?:https?://|/)[^\s?'\"<>]+)\?[^\s'\"<>]*=[^\s'\"<>]*")
_USER: Final = re.compile(r"(\w+://)[^\s/'\"]+@")
_AUTHORISATION: Final = re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._-]{8,}")


_PHONE: Final = re.compile(r"(?<![\w/-])(?<!\w[.:])\+?\d{8,12}(\d{2})(?![\w/-]|[.:]\w)")
"""A number of 10 to 14 digits by itself, as telephones have; its last two are left."""


def configure_logging(log: Log, *, quiet: bool = False, level: str | None = None) -> None:
    """Send all logging of this process to stderr; stdout is for results.

    ``quiet`` lets only warnings through, for a terminal that shows a progress bar.
    """
    coloured = wants_colour(sys.stderr, os.environ)
    as_json = log.format == "json" or (log.format == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(colors=coloured),
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    chosen = "warning" if quiet else (level or log.level)
    root.setLevel(chosen.upper())
    # arq tells of every job at INFO, with its arguments; ours say it once a call.
    logging.getLogger("arq").setLevel(logging.WARNING)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut secrets out of every field of a record."""
    return {key: _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:  # noqa: ANN401 - a field of a log record may be anything
    if isinstance(value, str):
        value = _QUERY.sub(r"\1?…", value)
        value = _USER.sub(r"\1…@", value)
        value = _AUTHORISATION.sub(r"\1 …", value)
        return _PHONE.sub(r"…\1", value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else _clean(str(value))
