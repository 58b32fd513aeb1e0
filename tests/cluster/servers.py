"""PostgreSQL on a host of its own, durable, on disks that can be filled; it can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from tests.cluster.net import run
from tests.postgresql import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.net import Host

_NOBODY: Final = 65534
_DURABLE: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "max_wal_size": "64MB",
    "min_wal_size": "2MB",
    "autovacuum": "on",
}
_DISKS_MB: Final = {"data": 256, "wal": 128}
_FILLING: Final = "filling"


class HostedServer(Server):
    """A server whose data and whose log lie on small disks of their own."""

    def __init__(self, folder: Path, host: Host) -> None:
        super().__init__(folder)
        self._host = host
        self._options |= _DURABLE | {"listen_addresses": host.address}
        # Small pieces of the log: one that is full needs room for another soon.
        self._made.append("--wal-segsize=1")
        self.started_again = 0

    @property
    def address(self) -> str:
        """The URL of its catalog, over the network."""
        return f"postgresql://callvault@{self._host.address}/callvault"

    def make(self) -> None:
        """Make its disks and files, and let the whole network in."""
        for name, size in _DISKS_MB.items():
            (self.folder / name).mkdir()
            how = f"size={size}m,mode=0700,uid={_NOBODY}"
            run("mount", "-t", "tmpfs", "-o", how, "callvault-cluster", self.folder / name)
        super().make()
        pages = self.folder / "data" / "pg_wal"
        shutil.copytree(pages, self.folder / "wal" / "log", copy_function=shutil.copy2)
        run("chown", "-R", str(_NOBODY), self.folder / "wal" / "log")
        shutil.rmtree(pages)
        pages.symlink_to(self.folder / "wal" / "log")
        run("chown", "-h", str(_NOBODY), pages)
        rules = "local all all trust\nhost all all 10.77.0.0/16 trust\n"
        (self.folder / "data" / "pg_hba.conf").write_text(rules)

    def keep_up(self) -> None:
        """Start it again where it has ended, as a service manager does."""
        if self._process is not None and self._process.poll() is not None and not self._left():
            self.started_again += 1
            self.begin()

    def kill(self) -> None:
        """Kill all of its processes at once."""
        for pid in self._left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def end_connections(self) -> None:
        """End all connections but our own."""
        with suppress(psycopg.OperationalError):
            self.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )

    def fill(self, disk: str) -> None:
        """Leave no room on one of its disks."""
        with suppress(OSError), (self.folder / disk / _FILLING).open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def fill_log(self) -> None:
        """Leave no room for its log, of which it begins another piece."""
        self.fill("wal")
        with suppress(psycopg.OperationalError):
            self.sql("SELECT pg_switch_wal()")

    def refusals(self) -> int:
        """Count how often it had no room."""
        return (self.folder / "log").read_bytes().count(b"No space left on device")

    def free(self) -> None:
        """Leave room again."""
        for disk in _DISKS_MB:
            (self.folder / disk / _FILLING).unlink(missing_ok=True)

    def _left(self) -> list[int]:
        """Return those of its processes that have not ended."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (place / "cwd").readlink() == self.folder / "data":
                    found.append(int(place.name))
        return found

    def _as(self) -> list[str]:
        return [*self._host.inside, *super()._as()]


@contextmanager
def hosted_server(host: Host) -> Iterator[HostedServer]:
    """Run a server with an empty database ``callvault``."""
    folder = Path(tempfile.mkdtemp(prefix="cvcl-", dir="/tmp"))
    server = HostedServer(folder, host)
    try:
        server.make()
        server.start()
        server.sql("CREATE DATABASE callvault")
        yield server
    finally:
        server.kill()
        for name in _DISKS_MB:
            run("umount", "-l", folder / name)
        shutil.rmtree(folder, ignore_errors=True)
