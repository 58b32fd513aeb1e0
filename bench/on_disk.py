"""How soon a recording is on disk after its callback, at an even pace of callbacks.

The real ``callvault run`` receives them, as its own process, and archives from nginx. The calls
ended long ago, so their recordings are ready: what is measured is callvault and not the provider. A
recording counts as on disk when its folder was flushed: the last that is done to the file is that
its name among the unfinished ones is removed, which sets its ctime.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp

from bench.material import (
    ACCOUNT,
    KEY,
    SIZES,
    TOKEN,
    sids_of,
    size_named,
    write_recording,
    yesterday,
)
from bench.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRET: Final = "bench-secret-1f0c6e22"  # noqa: S105 - made up, of a server that lives for the run
_START_S: Final = 30
_DONE_S: Final = 60


def main() -> int:
    """Run and print the figures; return 1 if a recording did not come."""
    parser = argparse.ArgumentParser(prog="python -m bench.on_disk", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=50.0, help="callbacks a second")
    parser.add_argument("--size", default="129 KB", choices=[size.name for size in SIZES])
    parser.add_argument(
        "--where", type=Path, default=Path(), help="a folder on the disk to measure"
    )
    chosen = parser.parse_args()
    size = size_named(chosen.size)
    sids = sids_of(size, round(chosen.seconds * chosen.rate))
    with tempfile.TemporaryDirectory(prefix="callvault-on-disk-", dir=chosen.where) as folder:
        home = Path(folder).resolve()
        (home / "www").mkdir()
        write_recording(home / "www" / "body.mp3", size)
        with serve(home, size) as server, _callvault(home, server.host) as address:
            sent = asyncio.run(_send(address, server.host, sids, chosen.rate))
            found = _wait_for(home / "recordings", sids)
    delays = sorted(1000 * (found[sid] - sent[sid]) for sid in sids if sid in found)
    print(f"{len(sids)} callbacks, {chosen.rate:g} a second, {chosen.size}: {len(delays)} on disk")
    hundredths = statistics.quantiles(delays, n=100)
    print(
        f"from callback to disk: median {hundredths[49]:,.0f} ms, p99 {hundredths[98]:,.0f} ms, "
        f"at most {delays[-1]:,.0f} ms; load {os.getloadavg()[0]:.1f}"
    )
    return int(len(delays) < len(sids))


@contextmanager
def _callvault(home: Path, host: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    (home / "config.toml").write_text(
        f'[accounts.bench]\nsid = "{ACCOUNT}"\napi_base = "http://{host}"\n'
        f'recording_hosts = ["{host}"]\n[web]\nport = {port}\n',
        encoding="utf-8",
    )
    environment = {
        **os.environ,
        "EXOTEL_API_KEY": KEY,
        "EXOTEL_API_TOKEN": TOKEN,
        "EXOTEL_WEBHOOK_SECRET": _SECRET,
    }
    code = "from worker.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "run", "--no-poll"]
    with (home / "run.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_it_listens(home / "run.log")
        yield f"http://127.0.0.1:{port}/hook/bench/{_SECRET}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait_until_it_listens(log: Path) -> None:
    until = time.monotonic() + _START_S
    while b"listening on" not in log.read_bytes():
        if time.monotonic() > until:
            raise SystemExit(log.read_text(encoding="utf-8"))
        time.sleep(0.05)


async def _send(address: str, host: str, sids: list[str], rate: float) -> dict[str, float]:
    """Send callbacks at an even pace; return when each was due (seconds since 1970)."""
    day = yesterday().date().isoformat()
    sent: dict[str, float] = {}

    async def send(sid: str) -> None:
        began, ended = (f"{day} {sid[at : at + 2]}:{sid[at + 2 : at + 4]}:00" for at in (0, 4))
        fields = {
            "CallSid": sid,
            "Status": "completed",
            "StartTime": began,
            "EndTime": ended,
            "RecordingUrl": f"http://{host}/exotelrecordings/{ACCOUNT}/{sid}.mp3",
        }
        async with session.post(address, data=fields) as answer:
            answer.raise_for_status()

    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        begin = time.time()
        for number, sid in enumerate(sids):
            sent[sid] = begin + number / rate
            await asyncio.sleep(max(0.0, sent[sid] - time.time()))
            group.create_task(send(sid))
    return sent


def _wait_for(root: Path, sids: list[str]) -> dict[str, float]:
    """Wait until all are on disk, but not for ever; return when each was."""
    until = time.monotonic() + _DONE_S
    while True:
        paths = list(root.rglob("*.mp3"))
        if len(paths) == len(sids) or time.monotonic() > until:
            return {path.stem: path.stat().st_ctime for path in paths}
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
