"""The stand-in over HTTP: three ports, and one pipeline that every answer goes through.

The API, the recording host and the storage host have a port each. A request becomes an ``Ask``, a
pure function turns it into an ``Answer``, the rules of faults may spoil it, the pipeline counts it
and sends it. What is under ``/sandbox/`` on the API's port is no part of the provider: it tells
tests what was seen and what is true, and lets them say what goes wrong. What is under
``/elsewhere`` on every port is where redirects lead that nobody should follow.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus

from aiohttp import hdrs, web

from sandbox import fault_json, sending, truth
from sandbox import listing as bulk
from sandbox.answers import Answer, Ask, Endpoint
from sandbox.api import Api
from sandbox.calls import FOLDER
from sandbox.fault_book import Book, TooManyRulesError
from sandbox.fault_json import RuleError
from sandbox.objects import Objects
from sandbox.sending import Shelf
from sandbox.stats import Stats

_TRUTH_BATCH = 50
_ELSEWHERE = "/elsewhere{rest:.*}"


@dataclass(frozen=True)
class Sandbox:
    """Everything the three ports share."""

    api: Api
    objects: Objects
    stats: Stats
    shelf: Shelf
    faults: Book
    clock: Callable[[], datetime]

    async def serve(self, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
        """Answer one request: the only way from the provider's rules to the wire."""
        ask, now = _ask(endpoint, request), self.clock()
        if ask.byte_range and not await self._is_unchanged(ask, request.headers.get(hdrs.IF_RANGE)):
            ask = replace(ask, byte_range=None)
        answer = await self._decide(ask, now)
        if request.method == hdrs.METH_GET:
            answer, kind = self.faults.spoil(ask, answer, now)
            self.stats.faulted(kind)
        self.stats.asked(endpoint, answer, now)
        return await sending.send(request, answer, self.shelf, self.stats)

    async def _decide(self, ask: Ask, now: datetime) -> Answer:
        """Find the answer, in a thread where it may mean to look at very many calls."""
        if ask.endpoint in (Endpoint.RECORDING, Endpoint.STORAGE):
            return self.objects.answer(ask, now)
        if ask.endpoint is Endpoint.ELSEWHERE:
            return _elsewhere(ask)
        if ask.endpoint is Endpoint.LISTING and bulk.may_be_slow(ask.query):
            return await asyncio.to_thread(self.api.answer, ask, now)
        return self.api.answer(ask, now)

    async def _is_unchanged(self, ask: Ask, validator: str | None) -> bool:
        """Tell whether a part may be sent of what the client has the beginning of.

        With an If-Range that is not the ETag to the letter, all is sent (RFC 9110, 13.1.5).
        """
        audio = self.objects.audio(ask)
        return validator is None or audio is None or validator == await self.shelf.etag(audio)

    async def show_stats(self, _request: web.Request) -> web.Response:
        """Tell what was asked so far."""
        return web.json_response(self.stats.shown())

    async def reset_stats(self, _request: web.Request) -> web.Response:
        """Count from nothing again."""
        self.stats.reset()
        return web.json_response({"reset": True})

    async def show_faults(self, _request: web.Request) -> web.Response:
        """Tell which rules of faults there are, and how often each fired."""
        return web.json_response(self.faults.shown(self.clock()))

    async def add_faults(self, request: web.Request) -> web.Response:
        """Put rules of faults in force, before those that are there."""
        try:
            rules = fault_json.read(json.loads(await request.read()))
            added = self.faults.add(rules, self.clock())
        except (RuleError, TooManyRulesError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
        return web.json_response({"added": added})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Take all rules away, also those of the command line."""
        self.faults.clear()
        return web.json_response({"cleared": True})

    async def tell_truth(self, request: web.Request) -> web.StreamResponse:
        """Stream the truth about the calls of ``from`` up to and without ``to``."""
        provider = self.api.provider
        try:
            first = int(request.query.get("from", "0"))
            last = min(int(request.query.get("to", str(provider.calls))), provider.calls)
        except ValueError:
            message = "from and to are whole numbers"
            return web.json_response({"error": message}, status=HTTPStatus.BAD_REQUEST)
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/x-ndjson"})
        await response.prepare(request)
        for begin in range(max(0, first), last, _TRUTH_BATCH):
            until = min(begin + _TRUTH_BATCH, last)
            await response.write(await asyncio.to_thread(truth.lines, provider, begin, until))
        await response.write_eof()
        return response


def api_app(sandbox: Sandbox) -> web.Application:
    """Build the API's port: both endpoints, and the control side under ``/sandbox/``."""
    app = web.Application()
    account = "/v1/Accounts/{account}"
    listing = partial(sandbox.serve, Endpoint.LISTING)
    app.router.add_get(account + "/Calls.json", listing)
    app.router.add_get(account + "/Calls", listing)
    app.router.add_get(account + "/Calls/{name}", partial(sandbox.serve, Endpoint.CALL))
    app.router.add_get("/sandbox/stats", sandbox.show_stats)
    app.router.add_post("/sandbox/stats/reset", sandbox.reset_stats)
    app.router.add_get("/sandbox/truth", sandbox.tell_truth)
    app.router.add_get("/sandbox/faults", sandbox.show_faults)
    app.router.add_post("/sandbox/faults", sandbox.add_faults)
    app.router.add_delete("/sandbox/faults", sandbox.clear_faults)
    app.router.add_get(_ELSEWHERE, partial(sandbox.serve, Endpoint.ELSEWHERE))
    return app


def recording_app(sandbox: Sandbox) -> web.Application:
    """Build the port of the recording host."""
    return _object_app(sandbox, Endpoint.RECORDING)


def storage_app(sandbox: Sandbox) -> web.Application:
    """Build the port of the storage host."""
    return _object_app(sandbox, Endpoint.STORAGE)


def _object_app(sandbox: Sandbox, endpoint: Endpoint) -> web.Application:
    app = web.Application()
    app.router.add_get(f"/{FOLDER}/{{account}}/{{name}}", partial(sandbox.serve, endpoint))
    app.router.add_get(_ELSEWHERE, partial(sandbox.serve, Endpoint.ELSEWHERE))
    return app


def _elsewhere(ask: Ask) -> Answer:
    """Answer who followed a redirect, and mark who brought credentials along."""
    headers = {"Content-Type": "text/html"}
    is_misplaced = ask.authorization is not None
    return Answer(HTTPStatus.OK, headers, b"<html>elsewhere</html>\n", misplaced=is_misplaced)


def _ask(endpoint: Endpoint, request: web.Request) -> Ask:
    """Read a request; of a parameter that is given twice the first one counts."""
    name = request.match_info.get("name", "")
    is_json = request.path.endswith(".json")
    return Ask(
        endpoint=endpoint,
        account=request.match_info.get("account", ""),
        name=name.removesuffix(".json") if endpoint is Endpoint.CALL else name,
        query=request.query,
        authorization=request.headers.get(hdrs.AUTHORIZATION),
        byte_range=request.headers.get(hdrs.RANGE),
        xml=not is_json,
        host=request.host,
        path=request.path,
    )
