"""Who takes part: callvault, and the peers of ``bench/peers/`` as their users would write them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.material import ACCOUNT, KEY, TOKEN
from worker.valkey_binary import find_server

if TYPE_CHECKING:
    from collections.abc import Mapping

PEERS: Final = Path(__file__).parent / "peers"
_PLENTY: Final = 100_000
"""Requests a minute: the provider's 200 would be what is measured. The limiter runs as ever."""


class Contestant(NamedTuple):
    """Somebody who fetches recordings: name, how many processes it works with, and the script.

    One without a script is callvault. One with ``lanes``, the recordings it has in hand at once,
    is slow: it is given ``most`` recordings, or what it can do in some seconds.
    """

    name: str
    processes: int = 1
    script: str = ""
    lanes: int = 0
    most: int = 0


CALLVAULT: Final = Contestant("callvault")
CURL_PARALLEL: Final = Contestant("curl --parallel", script="curl_parallel.sh")
CONTESTANTS: Final = (
    Contestant("curl | jq, one by one", script="curl_jq.sh", lanes=1, most=100),
    Contestant("xargs -P32 curl | jq", processes=32, script="xargs_curl.sh", lanes=32, most=300),
    CURL_PARALLEL,
    Contestant("aria2c -j64", script="aria2.sh"),
    Contestant("aiohttp script", script="plain_aiohttp.sh"),
    Contestant("arq, a task per Sid", script="plain_arq.sh"),
    Contestant("arq, a task per Sid", processes=2, script="plain_arq.sh"),
    CALLVAULT,
    Contestant("callvault", processes=2),
)


def command_of(contestant: Contestant) -> list[str]:
    """Return what is run, in a folder that `prepare` has made."""
    if contestant.script:
        return ["sh", str(PEERS / contestant.script)]
    # The command as it is, but from this checkout.
    run = [sys.executable, "-c", "from worker.cli import main; main()"]
    return [*run, "run", "export.csv", "--drain", "--json", "--no-progress"]


def environment_of(contestant: Contestant, host: str) -> Mapping[str, str]:
    """Return the environment it runs in."""
    return {
        **os.environ,
        "PYTHONPATH": str(PEERS.parent.parent),
        "EXOTEL_API_KEY": KEY,
        "EXOTEL_API_TOKEN": TOKEN,
        "API": f"http://{host}",
        "ACCOUNT": ACCOUNT,
        "PROCESSES": str(contestant.processes),
        "PEERS": str(PEERS),
        "PYTHON": sys.executable,
        "REDIS_SERVER": str(find_server()),
        # Relative: a socket's path has 107 bytes at most.
        "REDIS_SOCKET": "redis.sock",
    }


def prepare(contestant: Contestant, where: Path, sids: list[str], host: str) -> None:
    """Make the folder that it works in."""
    (where / "recordings").mkdir()
    if contestant.script:
        (where / "sids").write_text("".join(f"{sid}\n" for sid in sids), encoding="ascii")
        return
    (where / "config.toml").write_text(
        f'[accounts.bench]\nsid = "{ACCOUNT}"\napi_base = "http://{host}"\n'
        f'recording_hosts = ["{host}"]\nrequests_per_minute = {_PLENTY}\n'
        f"[worker]\nprocesses = {contestant.processes}\n",
        encoding="utf-8",
    )


def check(contestant: Contestant, where: Path, count: int, size: int) -> None:
    """See that it did what it was to do.

    Raises:
        SystemExit: recordings are missing, or have another length.
    """
    found = [path for path in (where / "recordings").rglob("*.mp3") if path.stat().st_size == size]
    if len(found) != count:
        raise SystemExit(f"{contestant.name}: {len(found)} of {count} recordings are there")
    if contestant.script:
        return
    told = json.loads((where / "output.log").read_bytes())
    if told["archived"] != count:
        raise SystemExit(f"callvault archived {told['archived']} of {count}")
