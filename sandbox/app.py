"""The stand-in over HTTP: three ports, and one pipeline that every answer goes through.

The API, the recording host and the storage host have a port each. A request becomes an ``Ask``, a
pure function turns it into an ``Answer``, the pipeline counts it and sends it. What is under
``/sandbox/`` on the API's port is no part of the provider: it tells tests what was seen and what is
true.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from http import HTTPStatus

from aiohttp import hdrs, web

from sandbox import listing as bulk
from sandbox import truth
from sandbox.answers import Answer, Ask, Endpoint, Extract
from sandbox.api import Api
from sandbox.audio import Audio
from sandbox.calls import FOLDER
from sandbox.objects import Objects
from sandbox.stats import Stats

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Up to this size a recording is sent in one piece, and the last few are kept.
_SMALL = 1024 * 1024
_KEPT_BODIES = 64
_KEPT_ETAGS = 1 << 16
_TRUTH_BATCH = 50


class Shelf:
    """Keeps a bounded number of bodies and ETags, so that asking twice costs less."""

    def __init__(self, audio_of: Callable[[int], Audio | None]) -> None:
        """Take where recordings come from."""
        self._audio_of = audio_of
        self.body = lru_cache(maxsize=_KEPT_BODIES)(self._body)
        self._etags = lru_cache(maxsize=_KEPT_ETAGS)(self._digest)

    async def etag(self, audio: Audio) -> str:
        """Give the quoted MD5 of a whole recording, as S3 does for objects put in one piece."""
        if audio.size <= _SMALL:
            return self._etags(audio.index)
        return await asyncio.to_thread(self._etags, audio.index)

    def _body(self, index: int) -> bytes:
        audio = self._audio_of(index)
        return audio.whole() if audio else b""

    def _digest(self, index: int) -> str:
        audio = self._audio_of(index)
        digest = hashlib.md5(usedforsecurity=False)
        if audio is not None and audio.size <= _SMALL:
            digest.update(self.body(index))
        elif audio is not None:
            for chunk in audio.chunks():
                digest.update(chunk)
        return f'"{digest.hexdigest()}"'


@dataclass(frozen=True)
class Sandbox:
    """Everything the three ports share."""

    api: Api
    objects: Objects
    stats: Stats
    shelf: Shelf
    clock: Callable[[], datetime]

    async def serve(self, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
        """Answer one request: the only way from the provider's rules to the wire."""
        ask, now = _ask(endpoint, request), self.clock()
        answer = await self._decide(ask, now)
        self.stats.asked(endpoint, answer, now)
        if answer.extract is None:
            self.stats.sent(len(answer.body))
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        return await self._send(request, answer, answer.extract)

    async def _decide(self, ask: Ask, now: datetime) -> Answer:
        """Find the answer, in a thread where it may mean to look at very many calls."""
        if ask.endpoint in (Endpoint.RECORDING, Endpoint.STORAGE):
            return self.objects.answer(ask, now)
        if ask.endpoint is Endpoint.LISTING and bulk.may_be_slow(ask.query):
            return await asyncio.to_thread(self.api.answer, ask, now)
        return self.api.answer(ask, now)

    async def _send(
        self, request: web.Request, answer: Answer, extract: Extract
    ) -> web.StreamResponse:
        """Send a recording: a small one in one piece, any other made while it is sent."""
        audio = extract.audio
        headers = {**answer.headers, hdrs.ETAG: await self.shelf.etag(audio)}
        if request.method == hdrs.METH_HEAD:
            headers[hdrs.CONTENT_LENGTH] = str(extract.size)
            return web.Response(status=answer.status, headers=headers)
        if audio.size <= _SMALL:
            body = self.shelf.body(audio.index)[extract.start : extract.stop]
            self.stats.sent(len(body))
            self.stats.served(audio.index)
            return web.Response(status=answer.status, headers=headers, body=body)
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.content_length = extract.size
        await response.prepare(request)
        # A client that leaves, or the end of the stand-in itself, is no fault to report.
        with suppress(ConnectionResetError):
            for chunk in audio.chunks(extract.start, extract.stop):
                await response.write(chunk)
                self.stats.sent(len(chunk))
            await response.write_eof()
            self.stats.served(audio.index)
        return response

    async def show_stats(self, _request: web.Request) -> web.Response:
        """Tell what was asked so far."""
        return web.json_response(self.stats.shown())

    async def reset_stats(self, _request: web.Request) -> web.Response:
        """Count from nothing again."""
        self.stats.reset()
        return web.json_response({"reset": True})

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
    return app


def recording_app(sandbox: Sandbox) -> web.Application:
    """Build the port of the recording host."""
    return _object_app(partial(sandbox.serve, Endpoint.RECORDING))


def storage_app(sandbox: Sandbox) -> web.Application:
    """Build the port of the storage host."""
    return _object_app(partial(sandbox.serve, Endpoint.STORAGE))


def _object_app(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_get(f"/{FOLDER}/{{account}}/{{name}}", handler)
    return app


def _ask(endpoint: Endpoint, request: web.Request) -> Ask:
    """Read a request; of a parameter that is given twice the first one counts."""
    name = request.match_info.get("name", "")
    is_json = request.path.endswith(".json")
    return Ask(
        endpoint=endpoint,
        account=request.match_info["account"],
        name=name.removesuffix(".json") if endpoint is Endpoint.CALL else name,
        query=request.query,
        authorization=request.headers.get(hdrs.AUTHORIZATION),
        byte_range=request.headers.get(hdrs.RANGE),
        xml=not is_json,
    )
