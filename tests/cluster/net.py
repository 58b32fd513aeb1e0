"""Hosts that are network namespaces, with this process' own namespace as the router between them.

A host has one line, to the router. What is cut is a rule of the router about who may reach whom:
dropped without a word, or refused with an answer. No packet filter is needed for it.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

How = Literal["drop", "refuse"]
_ACTION: Final[dict[How, str]] = {"drop": "blackhole", "refuse": "prohibit"}
NAMESPACES: Final = (
    *(
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child=SIGTERM",
        "--mount-proc",
        "--",
    ),
)
"""What a run is started by: all that it starts, mounts and sets up ends with it, in any case."""


class Host(msgspec.Struct, frozen=True):
    """A host: ``pid`` is of what holds its namespaces, ``addresses`` all that it is reached at."""

    name: str
    pid: int
    addresses: tuple[str, ...]

    @property
    def address(self) -> str:
        """Its own address."""
        return self.addresses[0]

    @property
    def inside(self) -> list[str]:
        """The words that begin a command line on it."""
        return ["nsenter", "--target", str(self.pid), "--net", "--uts", "--"]


class Net:
    """The hosts of one run, and who may not reach whom just now."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self._holders: list[subprocess.Popen[bytes]] = []
        self._cut: list[tuple[str, str, str]] = []
        run("ip", "link", "set", "lo", "up")
        run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        _open_loopback([])

    def add(self, name: str, *, also: str = "") -> Host:
        """Make a host. ``also`` is a second address, which may be one of 127.0.0.0/8.

        callvault speaks plain HTTP to this machine only. So the stand-in provider has an address
        that counts as this machine's, and is yet behind the router.
        """
        holder = subprocess.Popen(  # noqa: S603 - our own words
            ["unshare", "--net", "--uts", "sh", "-c", f"hostname {name}; echo; exec cat"],  # noqa: S607 - util-linux
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline(), f"no namespace for {name}"
        self._holders.append(holder)
        number = len(self._holders)
        near, far, line = f"10.77.{number}.1", f"10.77.{number}.2", f"to-{name}"[:15]
        host = Host(name, holder.pid, (far, also) if also else (far,))
        run("ip", "link", "add", line, "type", "veth", "peer", "name", "eth0", "netns", holder.pid)
        run("ip", "address", "add", f"{near}/24", "dev", line)
        run("ip", "link", "set", line, "up")
        within = host.inside
        run(*within, "ip", "link", "set", "lo", "up")
        run(*within, "ip", "address", "add", f"{far}/24", "dev", "eth0")
        run(*within, "ip", "link", "set", "eth0", "up")
        run(*within, "ip", "route", "add", "default", "via", near)
        _open_loopback(within)
        if also:
            run(*within, "ip", "address", "add", f"{also}/32", "dev", "eth0")
            run("ip", "route", "add", f"{also}/32", "via", far)
        self.hosts[name] = host
        for other in self.hosts.values():
            for address in other.addresses[1:]:
                self._lead(host, other, address)
        return host

    def _lead(self, host: Host, other: Host, address: str) -> None:
        """Show a host the way to another's second address."""
        if host is not other:
            router = f"{host.address.rpartition('.')[0]}.1"
            way = ("via", router, "src", host.address)
            run(*host.inside, "ip", "route", "add", f"{address}/32", *way)

    def cut(self, one: Host, others: Iterable[Host], how: How) -> None:
        """Let nothing pass between one host and others, in either direction."""
        for other in others:
            for mine in one.addresses:
                for theirs in other.addresses:
                    for pair in ((mine, theirs), (theirs, mine)):
                        rule = (*pair, _ACTION[how])
                        _rule("add", rule)
                        self._cut.append(rule)

    def heal(self) -> None:
        """Let everything pass again."""
        for rule in self._cut:
            _rule("del", rule)
        self._cut.clear()

    def slow(self, host: Host, kbit: int) -> None:
        """Let a host receive so much only; what waits for its turn waits up to two seconds."""
        bucket = ("tbf", "rate", f"{kbit}kbit", "burst", "16kb", "latency", "2s")
        run("tc", "qdisc", "replace", "dev", f"to-{host.name}"[:15], "root", *bucket)

    def hasten(self, host: Host) -> None:
        """Take that away."""
        run("tc", "qdisc", "del", "dev", f"to-{host.name}"[:15], "root")

    def close(self) -> None:
        """End all hosts; their lines go with them."""
        for holder in self._holders:
            assert holder.stdin is not None
            holder.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                holder.wait(5)


def why_not() -> str:
    """Return why no hosts can be made here, or an empty text."""
    if sys.platform != "linux":
        return "network namespaces are Linux' own"
    trial = "ip link add one type veth peer name other && mount -t tmpfs none /mnt"
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [*NAMESPACES, "sh", "-c", trial], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "unshare of util-linux is missing"
    return f"no network namespaces: {done.stderr.strip()}" if done.returncode else ""


def run(*words: object) -> None:
    """Run one of the system's programs, which has to end well."""
    done = subprocess.run(  # noqa: S603 - our own words
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (words, done.stderr)


def _rule(do: str, rule: tuple[str, str, str]) -> None:
    begin, end, action = rule
    run("ip", "rule", do, "from", begin, "to", end, action)


def _open_loopback(within: list[str]) -> None:
    """Have addresses of 127.0.0.0/8 other than 127.0.0.1 looked for on the network."""
    run(*within, "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    table = ("table", "local", "local", "127.0.0.0/8", "dev", "lo")
    run(*within, "ip", "route", "del", *table)
