"""A server in front of the stand-in's API that writes mutated answers byte by byte."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
from yarl import URL

from tests.fuzz.mutations import Answer, Hostile, mutate, touched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SHARE: Final = 0.85
_REDRAWS: Final = 20
_KEPT: Final = 12


class Mutator:
    """Passes requests on and spoils most answers, as its dice fall.

    It is merciful as the stand-in's faults by chance are: no call is told of wrongly more than once
    until `forgive`, since what is seen twice may be believed.
    """

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self.host = ""
        self.hostile = Hostile("", "", "", ())
        self.is_true = False
        self.mutated = 0
        self.lately: list[str] = []
        self._dice = random.Random()  # noqa: S311 - seeded before it is used
        self._wronged: set[str] = set()
        self._upstream = upstream
        self._session = session

    def begin(self, dice: random.Random, hostile: Hostile) -> None:
        """Begin an episode."""
        self._dice, self.hostile = dice, hostile
        self._wronged.clear()
        self.lately.clear()
        self.is_true = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and hang up."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            target = head.split(" ", 2)[1]
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            right = await self._right(target, fields.get("Authorization", ""))
            answer = right if self.is_true else self._spoilt(target, right)
            writer.write(_written(answer))
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _right(self, target: str, authorization: str) -> Answer:
        url = URL(f"http://{self._upstream}{target}", encoded=True)
        headers = {"Authorization": authorization}
        async with self._session.get(url, headers=headers, allow_redirects=False) as told:
            return Answer(told.status, await told.read())

    def _spoilt(self, target: str, right: Answer) -> Answer:
        if self._dice.random() > _SHARE:
            return right
        sids = _sids_of(target)
        for _ in range(_REDRAWS):
            changed = mutate(self._dice, right, self.hostile)
            wronged = touched(right, changed, sids)
            if not wronged & self._wronged:
                self._wronged |= wronged
                self.mutated += 1
                self.lately = [*self.lately, f"{target[:200]} -> {changed!r:.600}"][-_KEPT:]
                return changed
        return right


def _sids_of(target: str) -> set[str]:
    """Return the calls that a request is about."""
    parts = urlsplit(target)
    listed = parse_qs(parts.query).get("Sid")
    if listed is not None:
        return set(listed[0].split(","))
    return {parts.path.rpartition("/")[2].removesuffix(".json")}


def _written(answer: Answer) -> bytes:
    length = f"{len(answer.body)}" if answer.length is None else answer.length
    headers = [*answer.headers, ("Content-Length", length), ("Connection", "close")]
    lines = [f"HTTP/1.1 {answer.status} Odd", *(f"{name}: {text}" for name, text in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body


@asynccontextmanager
async def mutating(upstream: str) -> AsyncIterator[Mutator]:
    """Serve in front of ``upstream`` (``host:port``)."""
    async with aiohttp.ClientSession() as session:
        mutator = Mutator(upstream, session)
        server = await asyncio.start_server(mutator.serve, "127.0.0.1", 0)
        async with server:
            mutator.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield mutator
