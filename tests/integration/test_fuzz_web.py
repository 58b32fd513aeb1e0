"""A short run of ``python -m tests.fuzz.web``, and what aiohttp itself would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.web import MARK, SECRET, ask, fuzz, serving

if TYPE_CHECKING:
    from pathlib import Path


async def test_hostile_requests_bring_nothing_down(tmp_path: Path) -> None:
    """Right callbacks in between are kept, memory is bounded, and nothing sent is told again."""
    with serving(tmp_path) as server:
        statuses = await fuzz(server, "make test", seconds=10, most=160)
    assert server.process.returncode == 0
    assert statuses[200] > 0
    assert statuses[400] > 0


async def test_what_is_no_http_is_not_repeated(tmp_path: Path) -> None:
    """Neither in the answer nor in the log: the secret may be in the line that is wrong."""
    with serving(tmp_path) as server:
        answer = await ask(server, f"{MARK} /hook/main/{SECRET} HTTP/1.1\r\n\r\n".encode())
        odd = await ask(server, f"GET /hook/main/{SECRET} HTTP/1.1\r\n{MARK}\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head[8:13], body) == (b" 400 ", b"")
    assert all(b"Server: callvault" in one for one in (answer, odd))
    told = f"{answer!r} {odd!r} {server.log()}"
    assert [word for word in (MARK, SECRET, "aiohttp/") if word in told] == []
