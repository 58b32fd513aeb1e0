"""Servers of Redis' kind for tests: bare ones as others run them, and sentinels that watch some."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from tests.provider import ROOT
from worker.valkey_binary import bare_environment, find_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PASSWORD: Final = "made-up: pa/ss@w#rd%+?"
"""With whatever means something in a URL."""
SERVICE: Final = "calls"
_HOST: Final = "127.0.0.1"
_BOUND_S: Final = 60.0
_LOOK_S: Final = 0.02


class Server:
    """One running server, or sentinel, on a port of a host; ``socket`` is its other door.

    The host is this machine, or one that the words ``inside`` lead to.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        password: str,
        *,
        host: str = _HOST,
        inside: Sequence[str] = (),
    ) -> None:
        self.host = host
        self.port = port
        self._inside = list(inside)
        self.socket = folder / "redis.sock"
        self.password = password
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *lines: str, is_sentinel: bool = False) -> None:
        """Start it with lines of its configuration, and wait until it answers."""
        folder = self._log.parent
        folder.mkdir(parents=True, exist_ok=True)
        own = [
            f"port {self.port}",
            f"bind {self.host}",
            f"dir {folder}",
            f"unixsocket {self.socket}",
            *([f'requirepass "{self.password}"'] if self.password else []),
            *([] if is_sentinel else ['save ""', "repl-diskless-sync-delay 0"]),
        ]
        (folder / "redis.conf").write_text("\n".join([*own, *lines, ""]))
        words = [*self._inside, str(find_server()), str(folder / "redis.conf")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [*words, *(["--sentinel"] if is_sentinel else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=bare_environment(),
            )
        until(self._answers)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def asked(self) -> Iterator[Any]:
        """Connect to it as whoever may do everything."""
        with Redis(
            host=self.host,
            port=self.port,
            password=self.password or None,
            socket_timeout=5,
            decode_responses=True,
        ) as line:
            yield line

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        with suppress(RedisError), self.asked() as line:
            return bool(line.ping())
        return False


@contextmanager
def bare_server(folder: Path, *lines: str, password: str = "") -> Iterator[Server]:
    """Run one server."""
    server = Server(folder, free_port(), password)
    try:
        server.start(*lines)
        yield server
    finally:
        server.kill()


class Watched:
    """Two servers, of which one is the master, and three sentinels that watch them.

    ``known_user`` is a line that makes the sentinels know a user.
    """

    def __init__(
        self, folder: Path, *, password: str = "", of_sentinels: str = "", known_user: str = ""
    ) -> None:
        self._users = [known_user] if known_user else []
        self.servers = [Server(folder / f"server{n}", free_port(), password) for n in (1, 2)]
        self.sentinels = [
            Server(folder / f"sentinel{n}", free_port(), of_sentinels) for n in (1, 2, 3)
        ]

    def url(self, *, user: str = "") -> str:
        """Return its URL, without the passwords of the sentinels."""
        who = f"{user}:{quote(self.servers[0].password, safe='')}@" if user else ""
        places = ",".join(f"{_HOST}:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{who}{places}/{SERVICE}"

    def start(self) -> None:
        """Start all of them, and wait until each knows of the others."""
        master, replica = self.servers
        known = [f'masterauth "{master.password}"'] if master.password else []
        master.start(*known)
        replica.start(*known, f"replicaof {_HOST} {master.port}")
        for sentinel in self.sentinels:
            sentinel.start(
                f"sentinel monitor {SERVICE} {_HOST} {master.port} 2",
                f"sentinel down-after-milliseconds {SERVICE} 1000",
                f"sentinel failover-timeout {SERVICE} 10000",
                *([f'sentinel auth-pass {SERVICE} "{master.password}"'] if known else []),
                *self._users,
                *([f'sentinel sentinel-pass "{sentinel.password}"'] if sentinel.password else []),
                is_sentinel=True,
            )
        until(self.is_whole)

    def is_whole(self) -> bool:
        """Tell whether both servers hold the same, and all sentinels know all."""
        with self.master.asked() as line:
            replicas = [v for k, v in line.info("replication").items() if k.startswith("slave")]
        if [one["state"] for one in replicas] != ["online"]:
            return False
        return all(
            (state["num-slaves"], state["num-other-sentinels"]) == (1, 2)
            for state in map(self._state, self.sentinels)
        )

    @property
    def master(self) -> Server:
        """The server that the first sentinel takes for the master."""
        port = self._state(self.sentinels[0])["port"]
        return next(server for server in self.servers if server.port == port)

    def kill(self) -> None:
        """End all of them."""
        for one in (*self.sentinels, *self.servers):
            one.kill()

    def _state(self, sentinel: Server) -> dict[str, Any]:
        with sentinel.asked() as line:
            return dict(line.sentinel_master(SERVICE))


@contextmanager
def watched_servers(folder: Path, **passwords: str) -> Iterator[Watched]:
    """Run two servers and three sentinels."""
    with ExitStack() as stack:
        watched = Watched(folder, **passwords)
        stack.callback(watched.kill)
        watched.start()
        yield watched


def documented_user(right: str, password: str) -> str:
    """Return the line of a configuration that the documents have for who needs this right."""
    page = (ROOT / "docs" / "how-to" / "redis.md").read_text(encoding="utf-8")
    lines = re.findall(r"^user callvault on >PASSWORD .*$", page, re.MULTILINE)
    (line,) = (line for line in lines if right in line.split())
    if _version_of(find_server()) < (7, 2):
        # As the page says.
        line = line.replace(" +client|setinfo", "")
    # As the servers keep it: a password in the clear ends at a blank.
    hashed = hashlib.sha256(password.encode()).hexdigest()
    return str(line).replace(">PASSWORD", f'"#{hashed}"')


def _version_of(program: Path) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    found = re.search(r" v=(\d+)\.(\d+)", said.stdout)
    assert found, said.stdout
    return int(found[1]), int(found[2])


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as line:
        line.bind((_HOST, 0))
        return int(line.getsockname()[1])


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + _BOUND_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(_LOOK_S)
