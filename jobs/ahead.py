"""Reads ahead in another process: what comes next is made ready while the catalog is written to.

Both cost about the same for each row, and Python does one thing at a time in a process.
"""

from __future__ import annotations

import fcntl
import pickle
import queue
import signal
import threading
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, TypeVar

from archive.errors import CallvaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

T = TypeVar("T")

_GROUP: Final = 1_000
"""How many items go from one process to the other at a time."""
_AHEAD: Final = 64
"""How many groups may wait here: a little more than one transaction takes."""
_END: Final = b""
_NAP_S: Final = 0.05
_PIPE: Final = 2**20
"""How much the pipe between the two holds, if the system lets it; else 64 KiB."""


@contextmanager
def read_ahead(make: Callable[[], Iterator[T]]) -> Iterator[Iterator[T]]:
    """Give what ``make()`` yields, made in a process of its own, which ends with this context.

    ``make`` and what it yields are pickled. What it raises is raised here, after all that came
    before it. Where this process is killed, the other one ends, too.

    Raises:
        CallvaultError: while iterating, the process died.
    """
    # Begun from nothing, and not as a copy of this one, whose threads and locks it would not have.
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with suppress(OSError):
        fcntl.fcntl(ours.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    process = context.Process(target=_read, args=(make, theirs), daemon=True)
    process.start()
    # Else it could not tell that we are gone, nor we that it is.
    theirs.close()
    waiting: queue.Queue[bytes] = queue.Queue(_AHEAD)
    fetching = threading.Thread(target=_fetch, args=(ours, waiting), daemon=True)
    fetching.start()
    try:
        yield _unpacked(waiting)
    finally:
        # It only reads: there is nothing that it would have to end well.
        process.kill()
        process.join()
        while fetching.is_alive():
            with suppress(queue.Empty):
                waiting.get(timeout=_NAP_S)
        ours.close()


def _fetch(ours: Connection, waiting: queue.Queue[bytes]) -> None:
    """Fetch what comes, in a thread, so that the other process is not held up by a transaction.

    It is unpacked elsewhere: waiting for the pipe costs a thread nothing, and work would.
    """
    try:
        while True:
            waiting.put(ours.recv_bytes())
    except (EOFError, OSError):
        waiting.put(_END)


def _unpacked(waiting: queue.Queue[bytes]) -> Iterator[T]:
    while (message := waiting.get()) != _END:
        group = pickle.loads(message)  # noqa: S301 - our own process wrote it
        if isinstance(group, Exception):
            raise group
        if not group:
            return
        yield from group
    raise CallvaultError(
        "the process that read ahead has died",
        hint="what it had read is kept; look in the system's log for the reason (often it is "
        "memory), and run it again",
    )


def _read(make: Callable[[], Iterator[T]], theirs: Connection) -> None:
    """Read, in the other process. Whoever started it handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):  # nobody listens any more
        end: Exception | list[T] = []
        group: list[T] = []
        try:
            for item in make():
                group.append(item)
                if len(group) == _GROUP:
                    theirs.send_bytes(pickle.dumps(group))
                    group.clear()
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where the items are wanted
            end = error
        if group:
            theirs.send_bytes(pickle.dumps(group))
        theirs.send_bytes(pickle.dumps(end))
