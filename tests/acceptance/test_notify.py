"""The real command under a service manager that the test plays: is ready, fed or starved."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from archive.timings import HEARTBEAT_S
from tests.acceptance.test_stops import in_the_middle, slow
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.vault import Running, Vault

SECRET = "hook-5d1c07be92fa34"
FED = "WATCHDOG=1"


class Manager:
    """A socket on which a service tells of itself, and all that came on it."""

    def __init__(self, line: socket.socket, address: str) -> None:
        self._line = line
        self.said: list[str] = []
        # The real manager waits for ten minutes; how often is looked follows from this.
        self.environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"}

    def hear(self) -> list[str]:
        """Take in what has come, and return all of it."""
        while True:
            try:
                self.said.append(self._line.recv(4096).decode())
            except BlockingIOError:
                return self.said

    def hears(self, text: str, *, since: int = 0) -> Callable[[], bool]:
        """Return a condition: a message with this text has come since so many."""
        return lambda: any(text in message for message in self.hear()[since:])

    def count(self, text: str, *, since: int = 0) -> int:
        """Count the messages with this text."""
        return sum(text in message for message in self.hear()[since:])


@pytest.fixture
def manager() -> Iterator[Manager]:
    """Listen as the manager does; in a folder of its own, since the path has to be short."""
    with (
        tempfile.TemporaryDirectory(prefix="cv") as folder,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line,
    ):
        line.bind(f"{folder}/notify")
        line.settimeout(0)
        yield Manager(line, f"{folder}/notify")


def two_beats(vault: Vault) -> Callable[[], bool]:
    """Return a condition: the one worker process has beaten twice more."""
    sql = "SELECT MAX(beat_ms) FROM processes"
    begun = vault.rows(sql)[0][0]
    return lambda: int(vault.rows(sql)[0][0]) > begun + 1.5 * HEARTBEAT_S * 1000


def ends_well(running: Running, manager: Manager) -> None:
    """Stop it; it says that it stops, and ends with 0."""
    running.send(signal.SIGTERM)
    done = running.wait()
    assert done.code == 0, done
    told = [message for message in manager.hear() if not message.startswith(("STATUS=", FED))]
    assert told == ["READY=1", "STOPPING=1"]


def test_a_worker_service_is_ready_says_the_balance_and_is_fed(
    begin: Callable[..., Vault], manager: Manager
) -> None:
    """Ready when a worker process can work; fed in work, and when there is none left."""
    vault = begin("--calls", "30", "--mix", "clean", "--bytes", "4000")
    vault.good("enqueue", "cdr", "calls.csv")
    with vault.started("work", **manager.environment) as running:
        until(manager.hears("READY=1"), while_running=running)
        assert vault.rows("SELECT COUNT(*) FROM processes") == [(1,)]
        done = "STATUS=30 known, 30 archived, 0 absent, 0 to do; "
        until(manager.hears(done), while_running=running)
        idle = len(manager.hear())
        until(lambda: manager.count(FED, since=idle) >= 3, while_running=running)
        ends_well(running, manager)


def test_a_drain_says_the_balance_too(begin: Callable[..., Vault], manager: Manager) -> None:
    """The nightly unit is no notifying one, but its status is shown while it works."""
    vault = begin("--calls", "30", "--mix", "clean", "--bytes", "4000")
    vault.good("enqueue", "cdr", "calls.csv")
    vault.good("work", "--drain", **manager.environment)
    assert any(message.startswith("STATUS=30 known") for message in manager.hear())


def test_a_worker_that_is_stopped_starves_the_watchdog(
    begin: Callable[..., Vault], manager: Manager
) -> None:
    """The supervisor goes round as ever, but nothing moves; when the worker goes on, it is fed."""
    vault = slow(begin)
    vault.configure(worker={"processes": 1, "downloads": 2, "batch": 40})
    with vault.started("work", **manager.environment) as running:
        in_the_middle(vault, running)
        until(manager.hears("READY=1"), while_running=running)
        (worker,) = running.children()
        os.kill(worker, signal.SIGSTOP)
        # The rate falls meanwhile, so that the status changes.
        stopped = len(manager.hear())
        until(manager.hears("STATUS=", since=stopped), while_running=running)
        frozen = len(manager.hear())
        until(manager.hears("STATUS=", since=frozen), while_running=running)
        # One sign may have been in the pipe; in good health it is fed five times a second.
        assert manager.count(FED, since=frozen) <= 1
        os.kill(worker, signal.SIGCONT)
        until(manager.hears(FED, since=frozen), while_running=running)
        ends_well(running, manager)


def test_work_that_hangs_starves_it(begin: Callable[..., Vault], manager: Manager) -> None:
    """A batch in hand whose question is not answered does not move, though its process beats."""
    vault = begin("--calls", "30", "--mix", "clean", "--bytes", "4000")
    vault.good("enqueue", "cdr", "calls.csv")
    assert vault.provider is not None
    vault.provider.spoil({"kind": "stall", "where": "api"})
    with vault.started("work", **manager.environment) as running:
        until(lambda: vault.states().get("leased"), while_running=running)
        until(two_beats(vault), while_running=running)
        hung = len(manager.hear())
        until(two_beats(vault), while_running=running)
        assert manager.count(FED, since=hung) == 0
        assert hung > 0


def test_a_poller_is_ready_and_says_what_it_found(
    begin: Callable[..., Vault], manager: Manager
) -> None:
    """Ready when the listing can be asked; fed between its rounds."""
    vault = begin("--calls", "12", "--mix", "clean", "--bytes", "4000")
    vault.configure(poll={"every": "500ms", "first": "2d"})
    with vault.started("poll", "--follow", **manager.environment) as running:
        until(manager.hears("STATUS=main: 12 calls listed"), while_running=running)
        before = len(manager.hear())
        until(lambda: manager.count(FED, since=before) >= 3, while_running=running)
        ends_well(running, manager)


def test_a_poller_whose_token_is_wrong_is_ready_and_says_so(
    begin: Callable[..., Vault], manager: Manager
) -> None:
    """As systemd needs it: a start that never gets ready would be killed without a reason."""
    vault = begin("--calls", "12", "--mix", "clean", "--bytes", "4000")
    vault.configure(poll={"every": "500ms", "first": "2d"})
    environment = {**manager.environment, "EXOTEL_API_TOKEN": "wrong"}
    with vault.started("poll", "--follow", **environment) as running:
        until(manager.hears("STATUS=main: TROUBLE: api-unauthorised"), while_running=running)
        told = len(manager.hear())
        until(lambda: manager.count(FED, since=told) >= 2, while_running=running)
        ends_well(running, manager)


def test_the_receiver_of_callbacks_is_ready_when_it_listens(alone: Vault, manager: Manager) -> None:
    """With its address as the status."""
    alone.configure(web={"port": 0})
    environment = {**manager.environment, "EXOTEL_WEBHOOK_SECRET": SECRET}
    with alone.started("web", **environment) as running:
        until(manager.hears(FED), while_running=running)
        assert manager.count("STATUS=listening on http://127.0.0.1:") == 1
        ends_well(running, manager)


def test_what_hangs_tells_where_when_it_is_ended(alone: Vault, manager: Manager) -> None:
    """Systemd ends it by SIGABRT when its time is up; the journal then has what it was doing."""
    alone.configure(web={"port": 0})
    environment = {**manager.environment, "EXOTEL_WEBHOOK_SECRET": SECRET}
    with alone.started("web", **environment) as running:
        until(manager.hears(FED), while_running=running)
        running.send(signal.SIGABRT)
        done = running.wait()
    assert done.code == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in done.err
    assert "worker/commands/web.py" in done.err
    assert SECRET not in done.err


def test_everything_at_once_is_ready_when_all_of_it_is(
    begin: Callable[..., Vault], manager: Manager
) -> None:
    """Once, with workers, polling and callbacks."""
    vault = begin("--calls", "12", "--mix", "clean", "--bytes", "4000")
    vault.configure(web={"port": 0}, poll={"every": "500ms", "first": "2d"})
    environment = {**manager.environment, "EXOTEL_WEBHOOK_SECRET": SECRET}
    with vault.started("run", **environment) as running:
        until(manager.hears("READY=1"), while_running=running)
        assert "listening on" in running.said
        until(manager.hears("STATUS=12 known, 12 archived"), while_running=running)
        ends_well(running, manager)
