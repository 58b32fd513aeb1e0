"""Listening on the three ports, and ending: at a signal, or when standard input closes."""

import asyncio
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiohttp import web

_BACKLOG = 1_024
_STDIN_BYTES = 4_096
# How long an answer that is being sent may take when the end has come.
_GRACE_SECONDS = 0.1

_WHY_NOT = {
    errno.EADDRINUSE: (
        "another program has this port",
        "name another one, or 0 for any free one; a sandbox that still runs may have it",
    ),
    errno.EACCES: ("only root may have this port", "name one from 1024 on, or 0 for any free one"),
    errno.EADDRNOTAVAIL: (
        "this machine has no such address",
        "name one of its own, such as 127.0.0.1",
    ),
}
"""What goes wrong with a port, and what to do, by the number of the error."""


def listen(host: str, port: int) -> socket.socket:
    """Take a port (0: any free one) on a host; OSError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def why_not(error: OSError) -> str:
    """Say why a port cannot be had, and what to do about it."""
    number = error.errno or 0
    if number < 0:  # what getaddrinfo says of names; the system's own numbers are above
        return "no such host is known\n  hint: name one of this machine's, such as 127.0.0.1"
    told, hint = _WHY_NOT.get(number, ("", "name another port, or 0 for any free one"))
    return f"{told or os.strerror(number)}\n  hint: {hint}"


def address(listener: socket.socket) -> str:
    """Give the ``host:port`` at which a listener is reached."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def serve(
    served: Sequence[tuple[web.Application, socket.socket]],
    ready: str,
    *,
    until_stdin_closes: bool,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Serve every application on its listener, print ``ready``, and go on until told to end.

    ``beside`` is done meanwhile.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    runners = [await _start(app, listener) for app, listener in served]
    print(ready, flush=True)  # noqa: T201 - the one line that others wait for
    if until_stdin_closes:
        arguments = (loop, ended)
        threading.Thread(target=_watch_stdin, args=arguments, daemon=True).start()
    working = asyncio.create_task(beside()) if beside else None
    await ended.wait()
    if working:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    for runner in runners:
        await runner.cleanup()


async def _start(app: web.Application, listener: socket.socket) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


def _watch_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Wait until whoever holds the other end of standard input is gone."""
    while os.read(sys.stdin.fileno(), _STDIN_BYTES):
        pass
    # The loop may have ended by itself in the meantime.
    if not loop.is_closed():
        loop.call_soon_threadsafe(ended.set)
