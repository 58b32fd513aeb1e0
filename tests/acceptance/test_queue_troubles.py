"""What Redis can meet: nothing is lost, it is told, and the work goes on by itself afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redis import Redis

from archive.timings import STOP_GRACE_S
from tests.acceptance.test_stops import (
    CALLS,
    assert_given_back,
    assert_nothing_twice,
    in_the_middle,
    slow,
)
from tests.acceptance.vault import until
from worker.valkey import EmbeddedValkey, socket_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.vault import Running, Vault


class Server:
    """A queue that is somebody else's: a Valkey at a URL."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._valkey = EmbeddedValkey(state)
        self.url = self._valkey.url

    def start(self) -> None:
        """Start it, with whatever its file holds."""
        self._valkey = EmbeddedValkey(self._state)
        self._valkey.__enter__()

    def stop(self) -> None:
        """Stop it."""
        self._valkey.close()

    def lose_file(self) -> None:
        """Let it forget everything."""
        shutil.rmtree(self._state / "queue" / "appendonlydir")

    @contextmanager
    def asked(self) -> Iterator[Redis]:
        """Connect to it."""
        with Redis(unix_socket_path=str(socket_path(self._state.resolve()))) as line:
            yield line

    @property
    def pid(self) -> int:
        """Its process id."""
        with self.asked() as line:
            about: Any = line.info("server")
            return int(about["process_id"])


@contextmanager
def served(vault: Vault) -> Iterator[Server]:
    """Let a vault's queue be a server of its own, which a test can do things to."""
    server = Server(vault.folder / "elsewhere")
    server.start()
    vault.configure(queue={"url": server.url}, worker={"processes": 2, "downloads": 4, "batch": 40})
    try:
        yield server
    finally:
        server.stop()


def troubles(vault: Vault) -> dict[str, str]:
    """Return what `status` tells of the queue: its words."""
    return {found["what"]: found["detail"] for found in vault.status()["troubles"]}


def assert_goes_on(vault: Vault, work: Running, *, killed: int = 2) -> None:
    """Check that the drain completes, and that nothing was lost or falsely told."""
    until(lambda: "queue" not in troubles(vault), while_running=work)
    done = work.wait()
    assert done.code == 0, done
    assert "Traceback" not in done.err, done.err
    assert_nothing_twice(vault, killed=killed)


def test_restarted_with_its_file(begin: Callable[..., Vault]) -> None:
    """It is away for a while, and back with what it held."""
    vault = slow(begin)
    with served(vault) as server, vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        server.stop()
        until(lambda: "queue" in troubles(vault), while_running=work)
        assert "Redis does not answer" in troubles(vault)["queue"]
        server.start()
        assert_goes_on(vault, work)


def test_replaced_by_an_empty_one(begin: Callable[..., Vault]) -> None:
    """It comes back without its file: what was queued is queued anew."""
    vault = slow(begin)
    with served(vault) as server, vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        server.stop()
        server.lose_file()
        server.start()
        assert_goes_on(vault, work)


def test_out_of_memory(begin: Callable[..., Vault]) -> None:
    """It refuses to write anything: that is told as what it is, until it has room again."""
    vault = slow(begin)
    with served(vault) as server, vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        with server.asked() as line:
            line.config_set("maxmemory", "1")
            until(lambda: "queue" in troubles(vault), while_running=work)
            assert "Redis is out of memory" in troubles(vault)["queue"]
            until(lambda: "Redis is out of memory" in work.said, while_running=work)
            assert vault.archived() < CALLS
            line.config_set("maxmemory", "0")
        assert_goes_on(vault, work)


def test_read_only(begin: Callable[..., Vault]) -> None:
    """It became a replica of a server that is not there: told as what it is, and waited out."""
    vault = slow(begin)
    with served(vault) as server, vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        with server.asked() as line:
            line.slaveof("127.0.0.1", 9)
            until(lambda: "queue" in troubles(vault), while_running=work)
            assert "Redis is read-only" in troubles(vault)["queue"]
            line.slaveof()
        assert_goes_on(vault, work)


def test_frozen(begin: Callable[..., Vault]) -> None:
    """It is there and answers nothing for a while: told, and waited out."""
    vault = slow(begin)
    with served(vault) as server, vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        pid = server.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: "queue" in troubles(vault), while_running=work)
            assert "Redis does not answer" in troubles(vault)["queue"]
        finally:
            os.kill(pid, signal.SIGCONT)
        assert_goes_on(vault, work)


def test_lost_connections(begin: Callable[..., Vault]) -> None:
    """All its clients are cut off, again and again: whoever dies of it is started again."""
    vault = slow(begin)
    with served(vault) as server, vault.started("work", "--drain") as work:
        with server.asked() as line:
            for least in (40, 100, 160, 220):
                in_the_middle(vault, work, least)
                line.client_kill_filter(_type="normal", skipme=True)
        done = work.wait()
    assert done.code == 0, done
    assert "Traceback" not in done.err, done.err
    assert_nothing_twice(vault, killed=8)


def test_a_queue_that_cannot_be_written_to_is_told_at_once(begin: Callable[..., Vault]) -> None:
    """A run that would only wait ends with 7 and says what to do."""
    vault = slow(begin)
    with served(vault) as server:
        with server.asked() as line:
            line.slaveof("127.0.0.1", 9)
        vault.run("work", "--drain").says(7, "Redis is read-only", "[queue] url")
    assert vault.states() == {"expected": CALLS}


def test_a_service_can_be_stopped_while_the_queue_is_away(begin: Callable[..., Vault]) -> None:
    """It does not wait for Redis to come back: it gives everything back and ends with 0."""
    vault = slow(begin)
    with served(vault) as server, vault.started("work") as work:
        in_the_middle(vault, work)
        server.stop()
        until(lambda: "queue" in troubles(vault), while_running=work)
        work.send(signal.SIGTERM)
        told_at = time.monotonic()
        done = work.wait()
    assert done.code == 0, done
    assert "Traceback" not in done.err, done.err
    assert "is killed" not in done.err
    assert time.monotonic() - told_at < STOP_GRACE_S / 2
    assert_given_back(vault)
