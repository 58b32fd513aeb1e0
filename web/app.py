"""The HTTP side: callbacks come in, health and metrics go out.

Nothing that a request holds is ever sent back, and none of it is logged but the account's name
once that is known to be one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from aiohttp import hdrs, web

from archive.errors import StoreError
from web.client import client_address, is_within
from web.fields import BadBodyError, read_fields, read_query
from web.guard import Rate, Secrets, basic_password
from web.plain import HEADERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from web.client import Network

BODY_S: Final = 10.0
"""How long a body may take to come; the provider waits 15 s for an answer."""
_LATER: Final = {str(hdrs.RETRY_AFTER): "60"}
_MORE: Final = {
    HTTPStatus.UNAUTHORIZED: {str(hdrs.WWW_AUTHENTICATE): 'Basic realm="callvault"'},
    HTTPStatus.TOO_MANY_REQUESTS: _LATER,
    HTTPStatus.SERVICE_UNAVAILABLE: _LATER,
}
"""Headers of some answers."""
_NOT_ADMITTED: Final = {
    "address": "its address is not in [web] allow",
    "secret": "it showed no secret, or a wrong one",
}
"""What the log says of a refusal before anything of a body is read."""
_NOT_TAKEN: Final = {
    "rate": "there are more than [web] per_second",
    "too-large": "its body is longer than [web] body",
    "too-slow": "its body did not come in time",
    "unreadable": "its body is of no form that callbacks have",
    "unusable": "it names no call",
}
"""The same of one that was admitted: what is wrong, and nothing of what it holds."""
_log = structlog.get_logger()


class Keep(Protocol):
    """Keeps what a callback of an account says; when it returns, that is on disk."""

    async def __call__(self, account: str, fields: Mapping[str, str]) -> None:
        """Keep it.

        Raises:
            UnusableError: it names no call.
            StoreError: it cannot be kept now.
        """
        ...


class UnusableError(ValueError):
    """A callback that names no call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the server works with; callables, so that it knows neither the catalog nor a queue.

    ``allow`` are the networks that callbacks may come from (none given: from anywhere),
    ``metrics_allow`` those that health and metrics may be asked from. ``count`` is told what came
    of each callback: account (empty where that is not known) and outcome.
    """

    keep: Keep
    health: Callable[[], Awaitable[Mapping[str, object]]]
    metrics: Callable[[], Awaitable[tuple[bytes, str]]]
    count: Callable[[str, str], None]
    secrets: Secrets
    rate: Rate
    most_bytes: int
    allow: tuple[Network, ...]
    metrics_allow: tuple[Network, ...]
    trusted_proxies: tuple[Network, ...]
    body_s: float = BODY_S


def create_app(parts: Parts) -> web.Application:
    """Build the application."""
    app = web.Application(middlewares=[_plain_errors])
    app.on_response_prepare.append(_say_that_it_is_the_last)
    receiver = _Receiver(parts)
    for path in ("/hook/{account}", "/hook/{account}/{secret}"):
        app.router.add_route(hdrs.METH_POST, path, receiver.receive)
        app.router.add_route(hdrs.METH_GET, path, receiver.receive)
    app.router.add_get("/healthz", receiver.healthz)
    app.router.add_get("/readyz", receiver.readyz)
    app.router.add_get("/metrics", receiver.metrics)
    return app


async def _say_that_it_is_the_last(_: web.Request, response: web.StreamResponse) -> None:
    """Tell with each answer that its connection ends, as it does: see `web.gate`.

    A sender that is not told sends its next callback over it, while it is being closed.
    """
    response.headers[hdrs.CONNECTION] = "close"
    response.force_close()


@web.middleware
async def _plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer whatever goes wrong with a status and nothing else."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allowed = error.headers.get(hdrs.ALLOW)
        return _answer(error.status, {str(hdrs.ALLOW): allowed} if allowed else None)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:  # noqa: BLE001 - the server stays up, and the log has it
        _log.exception("an unexpected error in the web server")
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, headers={**HEADERS, **(headers or {})})


class _RefusedError(Exception):
    """A callback that is not kept: the status that is answered, and what is counted."""

    def __init__(self, status: HTTPStatus, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class _Receiver:
    """The handlers of the requests."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def receive(self, request: web.Request) -> web.Response:
        """Take in a callback: StatusCallback posts it, Passthru has it in its query."""
        account = ""
        try:
            account = self._admitted(request)
            await self._keep(account, request)
        except _RefusedError as refused:
            self._parts.count(account, refused.outcome)
            self._tell_of(request, account, refused.outcome)
            if account and request.method == hdrs.METH_GET:
                # Passthru is not sent again, and the flow of a call branches on its status.
                return _answer(HTTPStatus.OK)
            return _answer(refused.status, _MORE.get(refused.status))
        self._parts.count(account, "kept")
        return _answer(HTTPStatus.OK)

    def _tell_of(self, request: web.Request, account: str, outcome: str) -> None:
        """Log what was refused: as a warning, of which the log writes a few a minute."""
        if account:
            # What could not be kept is told of where that is met.
            if outcome in _NOT_TAKEN:
                _log.warning(
                    "a callback was not taken", reason=_NOT_TAKEN[outcome], account=account
                )
            return
        named = request.match_info["account"]
        _log.warning(
            "a callback was refused",
            reason=_NOT_ADMITTED[outcome],
            account=named if self._parts.secrets.has(named) else "(none of ours)",
        )

    async def _keep(self, account: str, request: web.Request) -> None:
        parts = self._parts
        if not parts.rate.lets_pass(asyncio.get_running_loop().time()):
            raise _RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "rate")
        fields = await self._fields(request)
        try:
            await parts.keep(account, fields)
        except UnusableError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "unusable") from error
        except StoreError as error:
            # The provider comes again in 5 and 15 minutes.
            _log.error("a callback could not be kept", account=account, error=error.message)
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "not-kept") from error

    def _admitted(self, request: web.Request) -> str:
        """Return the account whose callback this is; nothing of the body has been read yet."""
        parts = self._parts
        if parts.allow and not self._comes_from(request, parts.allow):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "address")
        account = request.match_info["account"]
        shown = request.match_info.get("secret") or basic_password(
            request.headers.get(hdrs.AUTHORIZATION)
        )
        if not parts.secrets.opens(account, shown):
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "secret")
        return account

    async def _fields(self, request: web.Request) -> dict[str, str]:
        try:
            if request.method == hdrs.METH_GET:
                return read_query(request.query_string)
            body = await self._body(request)
            return await asyncio.to_thread(
                read_fields, body, request.headers.get(hdrs.CONTENT_TYPE, "")
            )
        except BadBodyError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "unreadable") from error

    async def _body(self, request: web.Request) -> bytes:
        most = self._parts.most_bytes
        if (request.content_length or 0) > most:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large")
        body = bytearray()
        try:
            async with asyncio.timeout(self._parts.body_s):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large")
        except TimeoutError as error:
            raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, "too-slow") from error
        except web.RequestPayloadError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "unreadable") from error
        return bytes(body)

    async def healthz(self, _request: web.Request) -> web.Response:
        """Tell that the server lives; that is no secret."""
        return _answer(HTTPStatus.OK)

    async def readyz(self, request: web.Request) -> web.Response:
        """Tell whether callbacks are kept and taken in, with what keeps them from it."""
        self._only_for_us(request)
        told = await self._parts.health()
        status = HTTPStatus.OK if told.get("ready") else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response(dict(told), status=status, headers=HEADERS)

    async def metrics(self, request: web.Request) -> web.Response:
        """Tell what Prometheus asks for."""
        self._only_for_us(request)
        body, content_type = await self._parts.metrics()
        return web.Response(body=body, headers={**HEADERS, hdrs.CONTENT_TYPE: content_type})

    def _only_for_us(self, request: web.Request) -> None:
        """Hide what is not for everybody.

        Raises:
            web.HTTPNotFound: it is asked from elsewhere.
        """
        if not self._comes_from(request, self._parts.metrics_allow):
            raise web.HTTPNotFound

    def _comes_from(self, request: web.Request, networks: tuple[Network, ...]) -> bool:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        trusted = self._parts.trusted_proxies
        address = client_address(request.remote, forwarded, trusted)
        if address is None:
            return False
        if forwarded and not trusted:
            # It came through a proxy that nobody told us of, whose address says nothing.
            return False
        return is_within(address, networks)
