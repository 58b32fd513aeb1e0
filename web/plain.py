"""Requests that are no HTTP are answered without a word, and logged without one.

aiohttp's own answer repeats the line that it could not read, and so does its log; the secret may
be in that line.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Final[Mapping[str, str]] = {
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
    hdrs.SERVER: "callvault",
}
"""What every answer has."""
_log = structlog.get_logger()


class PlainHandler(web.RequestHandler):
    """One connection, as aiohttp serves it, but for what is said of errors."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats what came
    ) -> web.StreamResponse:
        """Answer with the status alone, and close the connection.

        Raises:
            ConnectionError: a part of another answer has gone out already.
        """
        _log.debug("a request could not be read", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        response = web.Response(status=status, headers=HEADERS)
        response.force_close()
        return response
