"""A folder with settings, in which the real command is run as a person or a service runs it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from tests.provider import KEY, TOKEN, Provider, write_config
from worker.valkey import socket_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

COMMAND: Final = Path(sys.executable).with_name("callvault")
"""The command as it is installed beside the Python that runs the tests."""

BOUND_S: Final = 170.0
"""The longest that anything waited for may take; what goes well takes a small part of it."""
_LOOK_S: Final = 0.02
_OURS: Final = ("CALLVAULT", "EXOTEL", "CREDENTIALS_DIRECTORY")


class Done(msgspec.Struct, frozen=True):
    """A command that has ended; ``cpu_s`` is its processor time with that of its children."""

    code: int
    out: str
    err: str
    cpu_s: float

    @property
    def json(self) -> dict[str, Any]:
        """What it printed."""
        return dict(json.loads(self.out))

    def says(self, code: int, *words: str) -> None:
        """Check that it ended with this code and one message in a person's words."""
        assert code == self.code, self
        assert "Traceback" not in self.out + self.err, self.err
        missing = [word for word in words if word not in self.err]
        assert not missing, (missing, self.err)


class Running:
    """A command that is running, with its output going to files."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def said(self) -> str:
        """Everything it has printed so far."""
        return self._out.read_text() + self._err.read_text()

    def children(self) -> list[int]:
        """Return the worker processes below it."""
        return [pid for pid in _children(self.pid) if b"worker.main" in _command_line(pid)]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, within_s: float = BOUND_S) -> Done:
        """Wait for its end."""
        _, status, usage = _wait4(self.process, within_s)
        return Done(status, self._out.read_text(), self._err.read_text(), usage)


class Vault:
    """One folder: settings, catalog, queue and recordings."""

    def __init__(self, folder: Path, provider: Provider | None = None) -> None:
        self.folder = folder
        self.provider = provider
        self.root = folder / "recordings"
        self.catalog = folder / "state" / "catalog.db"
        self._environment = {"EXOTEL_API_KEY": KEY, "EXOTEL_API_TOKEN": TOKEN}
        self._started = 0
        self.configure()

    def configure(self, **changed: Mapping[str, object]) -> None:
        """Write the settings: those of a test, with sections changed key by key."""
        account = self.provider.account if self.provider else {"sid": "nobody1"}
        sections: dict[str, dict[str, object]] = {
            "readiness": {"recheck": "300ms"},
            "archive": {"min_free": "0"},
            "worker": {"processes": 1},
        }
        account = account | dict(changed.pop("account", {}))
        for name, keys in changed.items():
            sections[name] = sections.get(name, {}) | dict(keys)
        write_config(self.folder / "config.toml", accounts={"main": account}, **sections)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a command; an empty text takes a variable away."""
        bare = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        merged = {**bare, **self._environment, **more}
        return {name: value for name, value in merged.items() if value}

    def run(self, *words: str, stdin: str = "", **environment: str) -> Done:
        """Run a command to its end."""
        with self.started(*words, stdin=stdin, **environment) as running:
            return running.wait()

    def good(self, *words: str, stdin: str = "", **environment: str) -> Done:
        """Run a command that has to end well."""
        done = self.run(*words, stdin=stdin, **environment)
        assert done.code == 0, done
        return done

    @contextmanager
    def started(self, *words: str, stdin: str = "", **environment: str) -> Iterator[Running]:
        """Start a command, and end it with all its processes if it runs on."""
        line = [str(COMMAND), *words]
        with self.launched(line, stdin=stdin, **environment) as running:
            yield running

    @contextmanager
    def launched(
        self, line: list[str], *, stdin: str = "", **environment: str
    ) -> Iterator[Running]:
        """Start any program in this folder, in a process group of its own."""
        self._started += 1
        names = [self.folder / f"{self._started}.{kind}" for kind in ("in", "out", "err")]
        names[0].write_text(stdin, encoding="utf-8")
        with names[0].open("rb") as given, names[1].open("wb") as out, names[2].open("wb") as err:
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                line,
                stdin=given,
                stdout=out,
                stderr=err,
                cwd=self.folder,
                env=self.environment(**environment),
                process_group=0,
            )
        try:
            yield Running(process, names[1], names[2])
        finally:
            # Whatever is left of its group, be it that the test failed or killed its leader.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def queue(self) -> Redis:
        """Return a line to the embedded queue; one that does not answer is waited for for 2 s."""
        address = socket_path((self.folder / "state").resolve())
        return Redis(unix_socket_path=str(address), socket_timeout=2)

    def end_queue(self) -> None:
        """End a queue's server that a killed process left behind."""
        with suppress(RedisError), self.queue() as queue:
            queue.shutdown(nosave=True)

    def status(self) -> dict[str, Any]:
        """Return what ``status --json`` says."""
        return self.good("status", "--json").json

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from the catalog; nothing where there is none yet."""
        if not self.catalog.exists():
            return []
        with closing(sqlite3.connect(f"{self.catalog.as_uri()}?mode=ro", uri=True)) as line:
            try:
                return line.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []

    def change(self, sql: str) -> None:
        """Change the catalog behind callvault's back."""
        with closing(sqlite3.connect(self.catalog, timeout=30, isolation_level=None)) as line:
            line.execute(sql)

    @contextmanager
    def locked(self, *, within_s: float = BOUND_S) -> Iterator[sqlite3.Connection]:
        """Hold the catalog's lock, as another program does that writes to it."""
        with closing(sqlite3.connect(self.catalog, timeout=within_s, isolation_level=None)) as line:
            line.execute("BEGIN IMMEDIATE")
            yield line
            line.execute("ROLLBACK")

    def states(self) -> dict[str, int]:
        """Count the calls by state."""
        return dict(self.rows("SELECT state, COUNT(*) FROM calls GROUP BY state"))

    def archived(self) -> int:
        """Count the archived calls."""
        return self.states().get("archived", 0)

    def parts(self) -> list[str]:
        """List the part files."""
        return sorted(path.name for path in (self.root / ".parts").iterdir())

    def recordings(self) -> dict[str, str]:
        """Return the SHA-256 of each audio file below the root."""
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.root.rglob("*")
            if path.suffix in {".mp3", ".wav"}
        }


def until(condition: Callable[[], object], *, while_running: Running | None = None) -> None:
    """Wait until a condition holds; fail where it does not in time, or its process has ended."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        if while_running is not None and while_running.process.poll() is not None:
            assert condition(), f"it ended before that:\n{while_running.said}"
            return
        time.sleep(_LOOK_S)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended (one that nobody has waited for yet has, too)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in {"Z", "X"}


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:  # the thread has ended meanwhile
            continue
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _wait4(process: subprocess.Popen[bytes], within_s: float) -> tuple[int, int, float]:
    """Wait for a process and return its processor time as well, which `Popen` does not tell."""
    deadline = time.monotonic() + within_s
    while process.returncode is None:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return pid, process.returncode, usage.ru_utime + usage.ru_stime
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(_LOOK_S)
    return process.pid, process.returncode, 0.0
