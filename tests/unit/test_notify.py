"""What the service manager is told, over a real socket, and what is told where there is none."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.notify import Send


def hearing(said: list[bytes]) -> Send:
    """Return what sends messages into a list."""
    return lambda message, _: said.append(message)


PID = 4711


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Listen as a service manager does."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        line.settimeout(10)
        yield line


@contextmanager
def address(kind: str) -> Iterator[str]:
    """Return an address that nobody else has, of a kind of socket."""
    with tempfile.TemporaryDirectory(prefix="cv") as folder:
        yield f"@callvault-test-{os.getpid()}-{kind}" if kind == "abstract" else f"{folder}/n%ö"


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_message_is_one_datagram(kind: str) -> None:
    """As sd_notify(3) has it, on both kinds of socket."""
    with address(kind) as where, listening(where) as manager:
        notifier = Notifier.of({"NOTIFY_SOCKET": where}, pid=PID)
        notifier.ready()
        notifier.status("12 known\nREADY=1 \x00")
        notifier.feed()
        notifier.stopping()
        expected = [b"READY=1", b"STATUS=12 known READY=1 \x00", b"WATCHDOG=1", b"STOPPING=1"]
        assert expected == [manager.recv(4096) for _ in expected]
        assert notifier.is_heard


def test_a_status_is_one_line_of_bounded_length() -> None:
    """What is shown may hold a name from the settings, or words of an error."""
    said: list[bytes] = []
    Notifier(hearing(said)).status("a\n" * 5000)
    assert len(said[0]) <= len("STATUS=") + 400
    assert b"\n" not in said[0]


@pytest.mark.parametrize("where", ["", "vsock:2:1234", "relative/path"])
def test_without_an_address_of_ours_it_is_silent(where: str) -> None:
    """Nothing is sent, and nothing fails."""
    notifier = Notifier.of({"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "1000000"}, pid=PID)
    notifier.ready()
    assert not notifier.is_heard
    assert notifier.watchdog_s is None


def test_a_manager_that_is_gone_or_behind_harms_nobody() -> None:
    """An archive goes on without it: no error, and nobody waits."""
    with tempfile.TemporaryDirectory(prefix="cv") as folder:
        where = str(Path(folder) / "notify")
        gone = Notifier.of({"NOTIFY_SOCKET": where}, pid=PID)
        gone.ready()
        with listening(where):
            for _ in range(2000):
                gone.feed()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "600000000"}, 600.0),
        ({"WATCHDOG_USEC": "600000000", "WATCHDOG_PID": str(PID)}, 600.0),
        ({"WATCHDOG_USEC": "600000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "٣"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_only_for_whom_it_is_meant(
    environment: dict[str, str], expected: float | None
) -> None:
    """See sd_watchdog_enabled(3)."""
    notifier = Notifier.of({"NOTIFY_SOCKET": "/run/x", **environment}, pid=PID)
    assert expected == notifier.watchdog_s
