"""Where reports are sent: a chat's webhook and a monitor, on a port of loopback."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Sink:
    """Keeps what was posted, unless it is away. A context manager."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str]] = []
        self.is_away = False
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sink.take(self)

            def do_GET(self) -> None:
                sink.take(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: Any) -> None:  # noqa: ANN401 - the handler above
        """Keep a request and answer it."""
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if not self.is_away:
            self.posted.append((request.path, body.decode()))
        request.send_response(503 if self.is_away else 200)
        request.end_headers()
        request.wfile.write(b"ok")

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The secrets of the channels: their URLs."""
        return {
            "REPORT_WEBHOOK_URL": f"{self.address}/hook",
            "REPORT_HEALTHCHECKS_URL": f"{self.address}/check",
        }

    def texts(self) -> list[str]:
        """Return what the webhook was told."""
        return [json.loads(body)["text"] for path, body in self.posted if path == "/hook"]
