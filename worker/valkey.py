"""The queue's own server: a Valkey (or Redis) that callvault finds, starts and stops itself.

Used where ``[queue] url = "embedded"``. The first process of a state folder owns the server, the
others attach to its socket. Nothing in it is irreplaceable (the catalog is the truth), so wherever
a server or its file is beyond repair, a new one takes its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from archive.errors import QueueError
from worker.valkey_binary import bare_environment, find_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_S: Final = 30.0
ATTACH_S: Final = 10.0
STOP_S: Final = 10.0
ANSWER_S: Final = 1.0
POLL_S: Final = 0.02

LOG_BYTES: Final = 10_000_000
TAIL_CHARS: Final = 2_000

# A socket's path has 108 bytes on Linux and 104 on macOS, its closing zero among them.
LONGEST_SOCKET: Final = 103
# Not tempfile's choice, which follows TMPDIR: a service and a shell have to find the same folder.
SHORT_HOME: Final = Path("/tmp")  # noqa: S108 - the folder made in it is private and checked

# What servers say when they cannot read their own append-only file: damaged, or written by a newer
# server than the one now on PATH.
UNREADABLE: Final = re.compile(
    r"Bad file format reading the append only file|Can't handle RDB format|AOF loading aborted"
    r"|Unable to obtain the AOF file|FATAL AOF MANIFEST|Wrong signature trying to load"
)


def socket_path(state_dir: Path) -> Path:
    """Return where the server of this (resolved) state folder listens, the same in every process.

    A folder too deep for a socket's path has it in a short private folder, named by user and hash.
    """
    path = state_dir / "queue" / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return path
    name = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]
    return SHORT_HOME / f"callvault-{os.getuid()}-{name}" / "valkey.sock"


class EmbeddedValkey:
    """A server on a unix socket under ``state_dir``, for as long as the ``with`` block lasts.

    ``owned`` tells whether this process holds ``queue.lock`` and so starts, revives and stops the
    server; otherwise another process does and this one is its guest. A server left behind by an
    owner that was killed is taken over. ``tell`` gets a sentence when something was put right.

    Entering raises QueueError when there is no server to start, when it does not come up (with the
    end of its log), or when the folder cannot be used. It may block for 30 s, leaving for 10 s.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        find: Callable[[], Path] = find_server,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._state = state_dir.resolve()
        self._home = self._state / "queue"
        self._log = self._home / "valkey.log"
        self._socket = socket_path(self._state)
        self._find = find
        self._tell = tell
        self._lock: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._entered_by: int | None = None

    @property
    def owned(self) -> bool:
        """Whether this process is the one that looks after the server."""
        return self._lock is not None

    @property
    def url(self) -> str:
        """The address for Redis clients, ``unix:///…``, quoted as they expect."""
        return f"unix://{quote(str(self._socket))}"

    def __enter__(self) -> Self:
        self._entered_by = os.getpid()
        try:
            self._make_folders()
            if self._own_or_attach() and not self._adopt():
                self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ensure(self) -> bool:
        """Start the server again if it has died; return whether that was needed.

        A guest whose owner has gone becomes the owner. For a supervisor to call now and then, from
        a thread if it has an event loop: it may block as entering does, and raises as entering
        does, after which it can be called again.
        """
        if self._entered_by != os.getpid() or not (self.owned or self._take_lock()):
            return False
        _cut_long(self._log)
        if (self._child is None or self._child.poll() is None) and self._listening():
            return False
        self._stop()
        self._start()
        self._tell("the queue's server had died and was started again")
        return True

    def close(self) -> None:
        """Stop the server if it is ours, and let go of the lock. The append-only file stays."""
        # A forked child has a copy of this object, but neither the server nor the lock is its own.
        if self._entered_by != os.getpid():
            return
        self._entered_by = None
        if self._lock is None:
            return
        try:
            self._stop()
            if self._socket.parent != self._home:
                with contextlib.suppress(OSError):
                    self._socket.parent.rmdir()
        finally:
            lock, self._lock = self._lock, None
            # Said aloud, since merely closing would leave it to copies in forked children.
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def _make_folders(self) -> None:
        try:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._home.mkdir(mode=0o700, exist_ok=True)
            if self._socket.parent != self._home:
                _make_private(self._socket.parent)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> QueueError:
        return QueueError(
            f"the queue's folder {self._home} cannot be used: {error.strerror or error}",
            hint="make it writable for this user, or choose another state folder",
        )

    def _take_lock(self) -> bool:
        """Try for the lock once; it falls to somebody else the moment its holder dies."""
        try:
            # Python opens files close-on-exec: a server that inherited it would outlive us with it.
            lock = os.open(self._state / "queue.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                raise
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        self._lock = lock
        return True

    def _own_or_attach(self) -> bool:
        """Return True with the lock held, False once the server of its holder answers."""
        deadline = time.monotonic() + ATTACH_S
        while not self._take_lock():
            if self._answers():
                return False
            if time.monotonic() > deadline:
                raise QueueError(
                    f"another callvault holds {self._state / 'queue.lock'}, but its queue did not "
                    f"answer on {self._socket} within {ATTACH_S:.0f} s",
                    hint="stop that process, or see what its server says in " + str(self._log),
                )
            time.sleep(POLL_S)
        return True

    def _adopt(self) -> bool:
        """Take over a server that a killed owner left behind; one that is stuck is removed."""
        if not self._listening():
            return False
        if self._comes_up(within=ATTACH_S):
            return True
        self._stop()
        self._tell("a server left behind by a killed process did not answer and was removed")
        return False

    def _start(self) -> None:
        """Start a server and wait for it, once more without its file if it cannot read that."""
        said = self._try_start()
        if said is not None and UNREADABLE.search(said):
            kept = self._set_aside()
            self._tell(f"the queue's file could not be read and was set aside in {kept}")
            said = self._try_start()
        if said is not None:
            raise QueueError(
                f"the queue's server did not come up on {self._socket}; it said:\n"
                f"{said[-TAIL_CHARS:].strip() or '(nothing)'}",
                hint=f"its whole log is {self._log}",
            )

    def _try_start(self) -> str | None:
        """Return None when the server answers, else what it wrote to its log."""
        program = self._find()
        self._make_folders()
        _cut_long(self._log)
        try:
            log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                before = os.fstat(log).st_size
                self._child = self._spawn(program, log)
            finally:
                os.close(log)
        except OSError as error:
            raise QueueError(
                f"the queue's server {program} cannot be started: {error.strerror or error}",
                hint="try it by hand with --version, and see that its folder can be written: "
                + str(self._home),
            ) from error
        if self._comes_up(within=START_S):
            return None
        self._stop()
        return self._log.read_bytes()[before:].decode(errors="replace")

    def _spawn(self, program: Path, log: int) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return subprocess.Popen(  # noqa: S603 - a program that find_server chose, no shell
            [program, *(word for key, value in options.items() for word in (f"--{key}", value))],
            stdin=subprocess.DEVNULL,
            # Its log by way of standard output also has what it says before it opens a log.
            stdout=log,
            stderr=log,
            env=bare_environment(),
            cwd=self._home,
            # A session of its own: Ctrl-C is for us, and workers need the queue to the end.
            start_new_session=True,
            umask=0o077,
        )

    def _comes_up(self, *, within: float) -> bool:
        deadline = time.monotonic() + within
        while not self._answers():
            gone = self._child is not None and self._child.poll() is not None
            if gone or time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _answers(self) -> bool:
        """Whether it serves: while it loads its file, PING is answered with an error."""
        with contextlib.suppress(OSError), self._line(ANSWER_S) as line:
            line.sendall(b"PING\r\n")
            return line.recv(64).startswith(b"+PONG")
        return False

    def _listening(self) -> bool:
        """Whether a process is behind the socket at all, even one too stuck to answer."""
        try:
            with self._line(ANSWER_S):
                return True
        except OSError as error:
            return not isinstance(error, (ConnectionRefusedError, FileNotFoundError))

    @contextlib.contextmanager
    def _line(self, timeout: float) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout)
            line.connect(str(self._socket))
            yield line

    def _stop(self) -> None:
        """End the server, gently at first. Only the lock's holder may."""
        if self._child is None:
            self._stop_adopted()
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _stop_adopted(self) -> None:
        # The open connection is what makes its pid safe to kill: as long as it has not ended, that
        # process lives, so no other can have been given its number.
        with contextlib.suppress(OSError), self._line(STOP_S) as line:
            try:
                line.sendall(b"SHUTDOWN NOSAVE\r\n")
                _wait_for_end(line)
            except TimeoutError:
                pid = _peer_pid(line)
                if pid > 0:
                    os.kill(pid, signal.SIGKILL)
                    _wait_for_end(line)

    def _set_aside(self) -> Path:
        """Move the append-only file away; the former one set aside is dropped."""
        kept = self._home / "unreadable"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(mode=0o700, exist_ok=True)
        for path in self._home.glob("appendonly*"):
            path.rename(kept / path.name)
        return kept


def _make_private(folder: Path) -> None:
    """Make a folder in a place open to all, or refuse it if somebody else could have made it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise QueueError(
            f"{folder}, the short place for the queue's socket, is not a private folder of ours",
            hint="remove it, or choose a state folder with a shorter path",
        )


def _cut_long(log: Path) -> None:
    """Empty a log that has grown too long; the server appends, so it may be running."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_BYTES:
            os.truncate(log, 0)


def _wait_for_end(line: socket.socket) -> None:
    """Read until the other end is closed, which happens when its process exits."""
    while line.recv(512):
        pass


def _peer_pid(line: socket.socket) -> int:
    """Return the process behind a connected unix socket; 0 if it is in a namespace we cannot see.

    The kernel says so, in our own numbering; the server's own word would be wrong in a container.
    """
    if sys.platform == "darwin":
        sol_local, local_peerpid = 0, 2
        return line.getsockopt(sol_local, local_peerpid)
    seen = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", seen)[0])
