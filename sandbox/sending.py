"""Sending answers plainly: recordings are made while they are sent, small ones in one piece.

Answers with a ``Manner`` of their own go on to `sandbox.misbehave`.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

from aiohttp import hdrs, web
from multidict import CIMultiDict

from sandbox import misbehave
from sandbox.answers import Answer, Extract
from sandbox.audio import Audio
from sandbox.stats import Stats

# Up to this size a recording is sent in one piece, and the last few are kept.
_SMALL = 1024 * 1024
_KEPT_BODIES = 64
_KEPT_ETAGS = 1 << 16


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


async def send(
    request: web.Request, answer: Answer, shelf: Shelf, stats: Stats
) -> web.StreamResponse:
    """Send an answer, and count the bytes and the recordings that were sent."""
    manner, extract = answer.manner, answer.extract
    if manner is not None and manner.delay:
        await misbehave.pause(request, manner.delay)
    headers = CIMultiDict(answer.headers)
    if extract is not None and hdrs.ETAG not in headers:
        headers[hdrs.ETAG] = await shelf.etag(extract.audio)
    if manner is not None and not manner.is_plain:
        return await misbehave.send(request, answer, manner, headers, stats)
    if extract is None:
        stats.sent(len(answer.body))
        return web.Response(status=answer.status, headers=headers, body=answer.body)
    if request.method == hdrs.METH_HEAD:
        headers[hdrs.CONTENT_LENGTH] = str(extract.size)
        return web.Response(status=answer.status, headers=headers)
    if extract.audio.size <= _SMALL:
        body = shelf.body(extract.audio.index)[extract.start : extract.stop]
        stats.sent(len(body))
        stats.served(extract.audio.index)
        return web.Response(status=answer.status, headers=headers, body=body)
    response = web.StreamResponse(status=answer.status, headers=headers)
    return await _stream(request, response, extract, stats)


async def _stream(
    request: web.Request, response: web.StreamResponse, extract: Extract, stats: Stats
) -> web.StreamResponse:
    """Send a large recording while it is made."""
    response.content_length = extract.size
    # A client that leaves, or the end of the stand-in itself, is no fault to report.
    with suppress(ConnectionError):
        await response.prepare(request)
        for chunk in extract.audio.chunks(extract.start, extract.stop):
            await response.write(chunk)
            stats.sent(len(chunk))
        await response.write_eof()
        stats.served(extract.audio.index)
    return response
