"""What the service manager is told: sd_notify(3), a few lines over a datagram socket.

Without ``NOTIFY_SOCKET``, that is outside of a service, all of it is silent.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLES: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
"""What is for the one process that the manager started, and for none below it."""
_LONGEST: Final = 400
"""Characters of a status; a terminal shows fewer."""
_PATIENCE_S: Final = 2.0
"""How long is waited for a manager that is behind, with what is said but once."""
Send: TypeAlias = "Callable[[bytes, float], object]"
"""Sends a message, and waits for so many seconds at most until it can."""


class Notifier:
    """Speaks to the service manager, or to nobody.

    ``watchdog_s`` is how long the manager waits for a sign before it starts the service again; None
    where it does not wait for any.
    """

    def __init__(self, send: Send | None = None, *, watchdog_s: float | None = None) -> None:
        self._send = send
        self.watchdog_s = watchdog_s

    @classmethod
    def of(cls, environment: Mapping[str, str], *, pid: int) -> Self:
        """Return what this environment names. An address that is none of ours is passed over."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        # A socket of the abstract namespace is written with @ for the NUL (unix(7)).
        name = os.fsencode(address)
        name = b"\0" + name[1:] if name.startswith(b"@") else name
        return cls(partial(_send, name), watchdog_s=_watchdog(environment, pid))

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to tell."""
        return self._send is not None

    def ready(self) -> None:
        """Say that the service does now what it is for."""
        self._tell("READY=1", _PATIENCE_S)

    def stopping(self) -> None:
        """Say that it has begun to end."""
        self._tell("STOPPING=1", _PATIENCE_S)

    def status(self, text: str) -> None:
        """Say in one line how it is, for ``systemctl status``."""
        self._tell(f"STATUS={' '.join(text.split())[:_LONGEST]}")

    def feed(self) -> None:
        """Say that work moves."""
        self._tell("WATCHDOG=1")

    def _tell(self, line: str, patience_s: float = 0.0) -> None:
        if self._send is not None:
            self._send(line.encode(), patience_s)


def _send(name: bytes, message: bytes, patience_s: float) -> None:
    """Send a message. A manager that does not listen, or is behind, is no reason to fail."""
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line,
    ):
        line.settimeout(patience_s)
        line.sendto(message, name)


def _watchdog(environment: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds of ``WATCHDOG_USEC``, where they are meant for this process."""
    meant_for = environment.get("WATCHDOG_PID", "")
    wanted = environment.get("WATCHDOG_USEC", "")
    if not (wanted.isascii() and wanted.isdigit()) or meant_for not in {"", str(pid)}:
        return None
    return int(wanted) / 1e6 or None
