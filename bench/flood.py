"""How much the server can give: asked for by a client that does nothing with what comes.

Requests are written ahead of the answers, and the answers' bytes are thrown away by the kernel
(``MSG_TRUNC``), so that nearly all of the work is the server's.
"""

from __future__ import annotations

import argparse
import base64
import socket
import time
from typing import Final

from bench.material import ACCOUNT, KEY, SIZES, TOKEN, sids_of

_AHEAD: Final = 16
_LINGER: Final = 2**22


def flood(host: str, count: int, length: int) -> float:
    """Fetch ``count`` recordings of ``length`` bytes over one connection; return the seconds."""
    words = base64.b64encode(f"{KEY}:{TOKEN}".encode()).decode()
    (sid,) = sids_of(SIZES[0], 1)
    request = (
        f"GET /exotelrecordings/{ACCOUNT}/{sid}.mp3 HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Basic {words}\r\n\r\n"
    ).encode("ascii")
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port))) as line:
        line.sendall(request)
        head = line.recv(65_536)
        while b"\r\n\r\n" not in head:
            head += line.recv(65_536)
        each = head.index(b"\r\n\r\n") + 4 + length
        _throw_away(line, each - len(head))
        began = time.perf_counter()
        asked = min(_AHEAD, count)
        line.sendall(request * asked)
        for _ in range(count):
            _throw_away(line, each)
            if asked < count:
                line.sendall(request)
                asked += 1
        return time.perf_counter() - began


def _throw_away(line: socket.socket, length: int) -> None:
    while length:
        got = line.recv(min(length, _LINGER), socket.MSG_TRUNC)
        length -= len(got)


def main() -> None:
    """Flood the server that runs, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("host")
    parser.add_argument("count", type=int)
    parser.add_argument("length", type=int)
    chosen = parser.parse_args()
    print(flood(chosen.host, chosen.count, chosen.length))


if __name__ == "__main__":
    main()
