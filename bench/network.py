"""A network of a given latency: a namespace with netem where the machine has it.

Server and clients both run in the namespace and speak over its loopback, on which each packet waits
for half of a round trip. Where there is no netem (it takes root and a module of the kernel) nginx
delays its answers itself: see `bench.server`. That leaves out what latency does to a window that
has yet to open (RFC 5681, slow start), and flatters who makes a connection for each recording.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NETEM: Final = "ip link set lo up && tc qdisc add dev lo root netem limit 100000 delay {}ms"
_HOLD: Final = "echo ready && exec cat"


class Network(NamedTuple):
    """What is put before commands so that they run in it, and the delay that nginx has to make."""

    prefix: tuple[str, ...]
    delay_ms: int


def has_netem() -> bool:
    """Tell whether this machine can make a network slow."""
    return not _in_new_namespace(_NETEM.format(1) + " 2>&1")


def _in_new_namespace(script: str) -> int:
    command = ["unshare", "--net", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, check=False).returncode


@contextmanager
def network(latency_ms: int, *, netem: bool) -> Iterator[Network]:
    """Make a network whose round trip takes ``latency_ms``."""
    if not latency_ms or not netem:
        yield Network((), latency_ms)
        return
    script = f"{_NETEM.format(latency_ms / 2)} && {_HOLD}"
    command = ["unshare", "--net", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise SystemExit("the network could not be made")
        yield Network(("nsenter", f"--net=/proc/{holder.pid}/ns/net", "--"), 0)
        # Closing its standard input at the end of the block ends it, and with it the namespace.
