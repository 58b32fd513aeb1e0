"""Sending answers badly: cut off, too long, silent, drop by drop, or not at all.

It goes over the connection's transport where HTTP itself would be in the way. Nothing here chooses
anything: a ``Manner`` says it all. Such a connection is never used for a second request.
"""

import asyncio
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from aiohttp import hdrs, web
from multidict import CIMultiDict

from sandbox.answers import Answer, Extract, Manner
from sandbox.stats import Stats

_BLOCK_BYTES = 64 * 1024
_DROPS_A_SECOND = 10
# How often somebody who waits looks whether the client is still there.
_LOOK_SECONDS = 0.25
_INVERTED = 0xFF
# Closing with this linger time sends a reset instead of a proper end.
_NO_LINGER = struct.pack("ii", 1, 0)


async def pause(request: web.Request, seconds: float) -> None:
    """Wait for some seconds, or until the client is gone."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    # A transport tells nobody when it closes, so there is no event to wait for.
    while (left := end - loop.time()) > 0 and not _is_gone(request):  # noqa: ASYNC110
        await asyncio.sleep(min(left, _LOOK_SECONDS))


async def send(
    request: web.Request, answer: Answer, manner: Manner, headers: CIMultiDict[str], stats: Stats
) -> web.StreamResponse:
    """Send an answer in its manner; ``headers`` replace its own."""
    if manner.mute:
        _hang_up(request, reset=True)
        return web.Response()
    if manner.etag_fits:
        headers[hdrs.ETAG] = await asyncio.to_thread(_etag, answer, manner)
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.force_close()
    if manner.chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = _size(answer)
    # A client that leaves, or the end of the stand-in itself, is no fault to report.
    with suppress(ConnectionError):
        await response.prepare(request)
        await _body(request, response, answer, manner, stats)
    return response


async def _body(
    request: web.Request,
    response: web.StreamResponse,
    answer: Answer,
    manner: Manner,
    stats: Stats,
) -> None:
    size = _size(answer)
    due = size if manner.stop_after is None else manner.stop_after
    sent = 0
    async for piece in _paced(request, answer, manner, due):
        await response.write(piece)
        stats.sent(len(piece))
        sent += len(piece)
    if sent < size:
        await pause(request, manner.hold if manner.rate is None else 0)
        _hang_up(request, reset=manner.reset)
        return
    if manner.extra:
        await _overrun(request, response, manner)
    await response.write_eof()
    if answer.extract is not None and manner.is_right:
        stats.served(answer.extract.audio.index)


async def _paced(
    request: web.Request, answer: Answer, manner: Manner, due: int
) -> AsyncIterator[bytes]:
    """Give the body up to ``due`` bytes: as fast as it goes, or drop by drop while that lasts."""
    drop = _BLOCK_BYTES
    if manner.rate is not None:
        drop = max(1, int(manner.rate / _DROPS_A_SECOND))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    sent = 0
    for piece in _pieces(answer, manner, drop):
        if sent >= due or _is_gone(request):
            return
        yield piece[: due - sent]
        sent += len(piece)
        if manner.rate is not None:
            await pause(request, sent / manner.rate - (loop.time() - begun))
            if loop.time() - begun >= manner.hold:
                return


async def _overrun(request: web.Request, response: web.StreamResponse, manner: Manner) -> None:
    """Send more than there is: as further chunks, or past the promised length."""
    block = manner.filler * _BLOCK_BYTES
    for at in range(0, manner.extra, _BLOCK_BYTES):
        piece = block[: manner.extra - at]
        if manner.chunked:
            await response.write(piece)
        elif request.transport is not None:
            request.transport.write(piece)


def _pieces(answer: Answer, manner: Manner, most: int) -> Iterator[bytes]:
    """Give the body in pieces of ``most`` bytes at most, with what is to be inverted inverted."""
    if answer.extract is None:
        chunks: Iterator[bytes] = iter((answer.body,))
    else:
        chunks = _chunks(answer.extract, manner.flips)
    for chunk in chunks:
        for at in range(0, len(chunk), most):
            yield chunk[at : at + most]


def _chunks(extract: Extract, flips: frozenset[int]) -> Iterator[bytes]:
    place = extract.start
    for chunk in extract.audio.chunks(extract.start, extract.stop):
        here = [at - place for at in flips if place <= at < place + len(chunk)]
        changed = bytearray(chunk) if here else chunk
        if isinstance(changed, bytearray):
            for at in here:
                changed[at] ^= _INVERTED
        yield bytes(changed)
        place += len(chunk)


def _etag(answer: Answer, manner: Manner) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in _pieces(answer, manner, _BLOCK_BYTES):
        digest.update(piece)
    return f'"{digest.hexdigest()}"'


def _size(answer: Answer) -> int:
    return len(answer.body) if answer.extract is None else answer.extract.size


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _hang_up(request: web.Request, *, reset: bool) -> None:
    """End the connection: with a reset, or as if that were all."""
    transport = request.transport
    if transport is None:
        return
    if not reset:
        transport.close()
        return
    line = transport.get_extra_info("socket")
    if line is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
