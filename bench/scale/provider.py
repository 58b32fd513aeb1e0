"""A provider that costs next to nothing: nginx sends one recording for every Sid."""

from __future__ import annotations

import json
import multiprocessing
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from sandbox.audio import mp3, mp3_frames_for_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BYTES: Final = 129_000
_NGINX: Final = """
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/nginx.log;
events {{ worker_connections 512; }}
http {{
  sendfile on; tcp_nopush on; etag off; types {{ audio/mpeg mp3; }}
  log_format begun '$msec';
  access_log {home}/begun.log begun;
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  server {{
    listen 127.0.0.1:{port};
    root {home}/www;
    location / {{ try_files /one.mp3 =404; }}
  }}
}}
"""


class Provider(NamedTuple):
    """Where it answers; ``begun`` has a line for each recording: when it was sent."""

    api: str
    recordings: str
    begun: Path


@contextmanager
def provider(home: Path) -> Iterator[Provider]:
    """Run the two servers."""
    (home / "www").mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    (home / "www" / "one.mp3").write_bytes(mp3("scale", 1, mp3_frames_for_bytes(_BYTES)).whole())
    ports = _free(), _free()
    (home / "nginx.conf").write_text(_NGINX.format(home=home, port=ports[1]))
    recordings = f"127.0.0.1:{ports[1]}"
    api = multiprocessing.Process(target=_answer, args=(ports[0], recordings), daemon=True)
    api.start()
    nginx = subprocess.Popen(["nginx", "-e", home / "nginx.log", "-c", home / "nginx.conf"])
    try:
        yield Provider(f"http://127.0.0.1:{ports[0]}", recordings, home / "begun.log")
    finally:
        nginx.terminate()
        nginx.wait()
        api.terminate()
        api.join()


def _answer(port: int, recordings: str) -> None:
    async def calls(request: web.Request) -> web.Response:
        query = parse_qs(urlsplit(request.raw_path).query)
        account = request.match_info["account"]
        found = [
            {
                "Sid": sid,
                "Status": "completed",
                "Duration": "60",
                "RecordingUrl": f"http://{recordings}/exotelrecordings/{account}/{sid}.mp3",
            }
            for sid in query["Sid"][0].split(",")
        ]
        body = {"Metadata": {"NextPageUri": None}, "Calls": found}
        return web.Response(body=json.dumps(body).encode(), content_type="application/json")

    app = web.Application()
    app.router.add_get("/v1/Accounts/{account}/Calls.json", calls)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
