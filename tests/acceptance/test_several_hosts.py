"""Real commands as on several hosts: roots and clocks of their own, and who takes over."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from archive.timings import LEADER_S
from jobs.leader import DISPATCHING, POLLING
from tests.acceptance.on_server import OnServer
from tests.acceptance.proof import recordings_of
from tests.acceptance.vault import until
from tests.month import clock
from tests.provider import running_provider
from tests.redises import bare_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.vault import Running
    from tests.postgresql import Server

APART_S = 420.0
CALLS = 300


class Hosts(OnServer):
    """A vault whose commands run as on one of several hosts, each with a root of its own."""

    redis: Redis

    def of(self, host: str, shift: Path | None = None, ahead_s: float = 0) -> dict[str, str]:
        """Return what a command on a host is started with; its clock is so far ahead."""
        found = {
            "CALLVAULT_WORKER_HOST": host,
            "CALLVAULT_ARCHIVE_ROOT": str(self.folder / host),
            "CALLVAULT_ARCHIVE_SHARED": "false",
        }
        if shift is not None:
            by = self.folder / f"{host}.shift"
            by.write_bytes(struct.pack("=d", ahead_s))
            found |= {"LD_PRELOAD": str(shift), "SHIFTED_BY": str(by)}
        return found

    def files_of(self, host: str) -> dict[str, str]:
        """Return the SHA-256 of each audio file in a host's root."""
        root = self.folder / host
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*.*")
            if path.suffix in {".mp3", ".wav"}
        }


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    """What shows a program another time of day."""
    cc = clock.compiler()
    if cc is None:
        pytest.skip("there is no C compiler to make the clock with")
    library = tmp_path / "shift.so"
    source = Path(clock.__file__).with_name("shift.c")
    subprocess.run([cc, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)  # noqa: S603 - the machine's compiler on a file of ours
    return library


@contextmanager
def hosts(folder: Path, postgresql: Server, *more: str, calls: int = CALLS) -> Iterator[Hosts]:
    """Run a provider, and a queue that no host owns."""
    options = ("--write-cdr", str(folder / "calls.csv"), "--calls", str(calls), *more)
    with bare_server(folder) as redis, running_provider(*options) as provider:
        vault = Hosts(folder, provider, postgresql.url(postgresql.database()))
        vault.configure(
            catalog={"url": vault.url},
            queue={"url": f"redis://127.0.0.1:{redis.port}"},
            poll={"every": "1s"},
        )
        vault.redis = Redis(port=redis.port, socket_timeout=5)
        yield vault


def test_hosts_whose_clocks_differ_by_minutes_share_the_work(
    tmp_path: Path, postgresql: Server, shift: Path
) -> None:
    """Each has its own root, and no lease is taken from the living; then one's files are moved."""
    with hosts(tmp_path, postgresql, "--rate-limit", "0", "--bytes", "20000") as vault:
        on = {"early": vault.of("early", shift, -APART_S), "late": vault.of("late", shift, APART_S)}
        slow = {"CALLVAULT_WORKER_LIMIT_RATE": "400k", "CALLVAULT_WORKER_BATCH": "10"}
        with (
            vault.started("work", **on["early"], **slow) as early,
            vault.started("work", **on["late"], **slow) as late,
        ):
            until(lambda: hosts_of(vault) == set(on), while_running=early)
            vault.good("enqueue", "cdr", "calls.csv", **on["early"])
            until(lambda: settled(vault) == CALLS, while_running=late)
            told = {one["host"]: one["clock_ahead_s"] for one in vault.status()["processes"]}
            for one in (early, late):
                one.send(signal.SIGTERM)
            ended = [early.wait(), late.wait()]
        assert [done.code for done in ended] == [0, 0], ended
        assert "dead batch" not in "".join(done.err for done in ended)
        assert "silent for too long" not in "".join(done.err for done in ended)
        assert {host: round(ahead / 10) for host, ahead in told.items()} == {
            "early": -42,
            "late": 42,
        }
        assert_each_has_its_own(vault, on)
        assert vault.rows("SELECT COUNT(*) FROM batches") == [(0,)]
        assert vault.status()["balanced"]

        assert_moved(vault, on)


def assert_each_has_its_own(vault: Hosts, on: dict[str, dict[str, str]]) -> None:
    """Check that every recording lies in one root, and that each host knows which are its own."""
    assert vault.provider is not None
    truth = {path: one["sha256"] for path, _, one in recordings_of(vault.provider.truth())}
    found = {host: vault.files_of(host) for host in on}
    assert truth == {**found["early"], **found["late"]}
    assert len(truth) == sum(len(files) for files in found.values())
    for host, files in found.items():
        seen = vault.good("verify", "--no-progress", "--json", **on[host]).json
        assert (seen["recordings"], seen["faults"]) == (len(files), 0)
        assert seen["elsewhere"] == len(truth) - len(files)
        for sums in (vault.folder / host).rglob("SHA256SUMS"):
            line = ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"]
            subprocess.run(line, cwd=sums.parent, check=True)  # noqa: S603 - coreutils, no shell
    other = Path(next(iter(found["late"]))).stem
    (spot,) = [
        json.loads(line)
        for line in vault.good("locate", other, "--json", **on["early"]).out.splitlines()
    ]
    assert (spot["here"], spot["intact"], spot["places"][0]["host"]) == (False, None, "late")
    assert "here, " in vault.good("locate", other, **on["late"]).out


def assert_moved(vault: Hosts, on: dict[str, dict[str, str]]) -> None:
    """Check that a host's files can be given to the other, and are found there."""
    roots = vault.good("catalog", "roots", "--json", **on["early"]).out.splitlines()
    (late,) = [root for root in map(json.loads, roots) if not root["here"]]
    vault.run("catalog", "join", str(late["number"]), **on["early"]).says(5)
    for path in vault.files_of("late"):
        for file in (Path(path), Path(path).with_suffix(".json")):
            target = vault.folder / "early" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(vault.folder / "late" / file, target)
    joined = vault.good("catalog", "join", str(late["number"]), "--json", **on["early"]).json
    assert (joined["recordings"], joined["left"]) == (late["recordings"], 0)
    vault.good("work", "--drain", **on["early"])
    seen = vault.good("verify", "--no-progress", "--json", **on["early"]).json
    assert (seen["elsewhere"], seen["faults"]) == (0, 0)


def test_who_dispatches_and_who_polls_is_taken_over(
    tmp_path: Path, postgresql: Server, record_property: Callable[[str, object], None]
) -> None:
    """Both are killed, with all their processes; others have their places, and the work goes on."""
    with hosts(tmp_path, postgresql, "--rate-limit", "0", calls=40) as vault:
        on = {name: vault.of(name) for name in ("one", "two")}
        # So that there is something to do for who takes over.
        vault.good("pause", "--why", "a test", **on["one"])
        with (
            vault.started("work", **on["one"]) as first,
            vault.started("poll", "--follow", **on["one"]) as polls,
        ):
            until(lambda: all(vault.redis.get(place) for place in (DISPATCHING, POLLING)))
            with (
                vault.started("work", **on["two"]) as second,
                vault.started("poll", "--follow", **on["two"]),
            ):
                until(lambda: "two" in hosts_of(vault), while_running=second)
                held = {place: vault.redis.get(place) for place in (DISPATCHING, POLLING)}
                killed = kill(first, polls)
                took = {place: taken_over(vault, place, held[place]) for place in held}
                vault.good("resume", **on["two"])
                vault.good("enqueue", "cdr", "calls.csv", **on["two"])
                until(lambda: settled(vault) == 40, while_running=second)
        # Told and not asserted: how long a loaded machine takes is no fact of the code.
        for place, at in took.items():
            record_property(place, round(at - killed, 1))
        assert (vault.files_of("one"), len(vault.files_of("two"))) == ({}, vault.archived())
        assert LEADER_S + 2 <= 15


def hosts_of(vault: Hosts) -> set[str]:
    """Return the hosts that have a worker process."""
    return {host for (host,) in vault.rows("SELECT DISTINCT host FROM processes")}


def settled(vault: Hosts) -> int:
    """Count the calls that are settled; -1 while none is known."""
    states = vault.states()
    done = sum(states.get(state, 0) for state in ("archived", "absent", "lost", "failed"))
    return done or -1


def kill(*running: Running) -> float:
    """Kill commands with their processes; return when."""
    for one in running:
        os.killpg(one.pid, signal.SIGKILL)
    return time.monotonic()


def taken_over(vault: Hosts, place: str, holder: Any) -> float:  # noqa: ANN401 - of the driver
    """Wait until somebody else has a place; return when."""
    until(lambda: vault.redis.get(place) not in {holder, None})
    return time.monotonic()
