"""One cluster: hosts, servers, the stand-in provider, and an operator who reaches all of them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from tests.acceptance.on_server import OnServer
from tests.acceptance.vault import COMMAND, Running
from tests.chaos.crew import Crew, send
from tests.chaos.run import readiness
from tests.cluster.net import Net
from tests.cluster.servers import hosted_server
from tests.provider import running_provider
from tests.redises import Server as Redis

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Sequence

    from tests.cluster.net import Host
    from tests.cluster.servers import HostedServer
    from tests.provider import Provider

WORKERS: Final = ("one", "two")
LEADER: Final = "callvault:leader"
_PROVIDERS: Final = "127.9.0.5"
_PORT: Final = 6379
_MINUTE_S: Final = 0.2
_HELD: Final = """
SELECT p.host, c.lease, c.sid FROM calls AS c JOIN batches AS b ON b.lease = c.lease
JOIN processes AS p ON p.process = b.process
"""


class HostedVault(OnServer):
    """A vault in which commands are run on a host; its own folder, and a shared archive."""

    def __init__(self, folder: Path, provider: Provider, *, url: str, inside: list[str]) -> None:
        folder.mkdir(exist_ok=True)
        self._inside = inside
        super().__init__(folder, provider, url)

    @contextmanager
    def started(self, *words: str, stdin: str = "", **environment: str) -> Iterator[Running]:
        """Start a command on the host."""
        line = [*self._inside, str(COMMAND), *words]
        with self.launched(line, stdin=stdin, **environment) as running:
            yield running


class Site:
    """All of it, in a folder."""

    def __init__(self, folder: Path, options: Sequence[str], stack: ExitStack) -> None:
        self.folder = folder
        self.net = net = Net()
        stack.callback(net.close)
        self.places = {name: net.add(name) for name in ("redis", "postgresql", *WORKERS)}
        self.places["provider"] = net.add("provider", also=_PROVIDERS)
        words = ("--host", _PROVIDERS, "--write-cdr", str(folder / "calls.csv"), *options)
        inside = self.places["provider"].inside
        self.provider = stack.enter_context(running_provider(*words, inside=inside))
        self.postgresql: HostedServer = stack.enter_context(
            hosted_server(self.places["postgresql"])
        )
        place = self.places["redis"]
        # A socket's path has to be short.
        short = Path(stack.enter_context(TemporaryDirectory(prefix="cvcl-")))
        self.redis = Redis(short, _PORT, "", host=place.address, inside=place.inside)
        stack.callback(self.redis.kill)
        # Its log of slow commands has all of them: it tells from which host the leader asks.
        self.redis.start("protected-mode no", "slowlog-log-slower-than 0", "slowlog-max-len 500")
        (folder / "recordings").mkdir()
        self.operator = self._vault("", [])
        self.vaults = {name: self._vault(name, self.places[name].inside) for name in WORKERS}
        self.crews = {name: Crew(vault) for name, vault in self.vaults.items()}
        for crew in self.crews.values():
            stack.callback(crew.close)

    def others(self, name: str) -> list[Host]:
        """Return all hosts but one."""
        return [place for other, place in self.places.items() if other != name]

    def leader(self) -> tuple[str, str]:
        """Return who leads: the token of its place, and its host; empty where nobody does."""
        try:
            with self.redis.asked() as line:
                token = str(line.get(LEADER) or "")
                log = line.slowlog_get(500)
        except RedisError:
            return "", ""
        for entry in log:
            said = _text(entry["command"])
            if token and f"{LEADER} {token}" in said:
                address = _text(entry["client_address"]).rpartition(":")[0]
                found = [n for n in WORKERS if self.places[n].address == address]
                return token, found[0] if found else ""
        return token, ""

    def held(self) -> list[tuple[str, str, str]]:
        """Return which host holds which call: host, lease, Sid."""
        return [(str(a), str(b), str(c)) for a, b, c in self.operator.rows(_HELD)]

    def unsettled(self) -> int | None:
        """Count the calls that are not settled; None where nobody can say."""
        states = self.operator.states()
        if not states:
            return None
        return states.get("expected", 0) + states.get("leased", 0)

    def send(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to all processes of a host at once."""
        crew = self.crews[name]
        pids = [] if crew.supervisor is None else [crew.supervisor, *crew.workers()]
        sent = [send(pid, number) for pid in pids]
        return all(sent) and bool(sent)

    def _vault(self, name: str, inside: list[str]) -> HostedVault:
        url = self.postgresql.address
        vault = HostedVault(self.folder / name, self.provider, url=url, inside=inside)
        vault.root = self.folder / "recordings"
        vault.asked_at = self.postgresql.url("callvault")
        vault.configure(
            readiness=readiness(_MINUTE_S),
            catalog={"url": url},
            queue={"url": f"redis://{self.redis.host}:{_PORT}/0"},
            archive={"min_free": "1MiB", "root": str(vault.root)},
            worker={"processes": 2, "downloads": 4, "batch": 20},
        )
        return vault


def _text(said: Any) -> str:  # noqa: ANN401 - the driver returns either kind
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
