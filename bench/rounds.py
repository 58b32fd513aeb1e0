"""Rounds in which each contestant has its turn, so that what disturbs the machine disturbs all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.contestants import CONTESTANTS, Contestant, check, command_of, environment_of, prepare
from bench.material import sids_of, size_named, write_export, write_recording
from bench.measure import run
from bench.network import has_netem, network
from bench.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench.material import Size

_LONGEST_S: Final = 8
"""About how long one turn of a slow contestant may take."""
_TURNS_THERE: Final = 4
"""Round trips that a recording takes who makes two connections for it."""
_FLOOD_BYTES: Final = 2**32
_FLOOD_MOST: Final = 20_000


class Cell(msgspec.Struct, frozen=True):
    """What is measured at once: a class of recordings, a round trip's time, how many of them."""

    size: str
    latency_ms: int
    count: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one contestant did in one round, and what the server did meanwhile."""

    size: str
    latency_ms: int
    contestant: str
    processes: int
    count: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    requests: int
    server_cpu_s: float


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """What the server gave a client that does nothing with what comes."""

    size: str
    per_second: float
    server_cpu_ms: float


class Measured(msgspec.Struct, frozen=True):
    """All turns, what callvault takes for one recording, and what the server could have given."""

    turns: list[Turn]
    starts: list[Turn]
    floods: list[Flood]
    network: str


def measure(
    cells: Iterable[Cell],
    rounds: int,
    *,
    where: Path,
    say: Callable[[str], None],
    contestants: Iterable[Contestant] = CONTESTANTS,
) -> Measured:
    """Measure all contestants in each cell; what they fetch lies below ``where`` meanwhile."""
    netem = has_netem()
    turns: list[Turn] = []
    starts: list[Turn] = []
    floods: list[Flood] = []
    scratch = Path(tempfile.mkdtemp(prefix="callvault-bench-", dir=where))
    try:
        for cell in cells:
            with _served(cell, netem=netem) as (server, length):
                if not cell.latency_ms:
                    floods.append(_flood(server, size_named(cell.size), length))
                for number in range(rounds):
                    for contestant in contestants:
                        turn = _turn(contestant, cell, server, length, scratch)
                        turns.append(turn)
                        if not contestant.script:
                            one = msgspec.structs.replace(cell, count=1)
                            starts.append(_turn(contestant, one, server, length, scratch))
                        say(_line(turn, number))
    finally:
        shutil.rmtree(scratch)
    return Measured(turns, starts, floods, "netem" if netem else "nginx")


@contextmanager
def _served(cell: Cell, *, netem: bool) -> Iterator[tuple[Server, int]]:
    size = size_named(cell.size)
    with (
        tempfile.TemporaryDirectory(prefix="callvault-nginx-") as folder,
        network(cell.latency_ms, netem=netem) as net,
    ):
        home = Path(folder)
        home.chmod(0o755)
        (home / "www").mkdir()
        length = write_recording(home / "www" / "body.mp3", size)
        with serve(home, size, delay_ms=net.delay_ms, prefix=net.prefix) as server:
            yield server, length


def _turn(contestant: Contestant, cell: Cell, server: Server, length: int, scratch: Path) -> Turn:
    size = size_named(cell.size)
    count = _count(contestant, cell)
    sids = sids_of(size, count)
    folder = Path(tempfile.mkdtemp(prefix="turn-", dir=scratch))
    try:
        prepare(contestant, folder, sids, server.host)
        write_export(folder / "export.csv", sids, size, server.host)
        # What an earlier turn has left to the system to write is not this one's.
        os.sync()
        before = server.stats()
        cost = run(
            [*server.prefix, *command_of(contestant)],
            where=folder,
            environment=environment_of(contestant, server.host),
        )
        after = server.stats()
        check(contestant, folder, count, length)
    finally:
        _empty(folder)
    return Turn(
        size=cell.size,
        latency_ms=cell.latency_ms,
        contestant=contestant.name,
        processes=contestant.processes,
        count=count,
        wall_s=cost.wall_s,
        cpu_s=cost.cpu_s,
        peak_mib=cost.peak_mib,
        requests=after.requests - before.requests - 1,
        server_cpu_s=after.cpu_s - before.cpu_s,
    )


def _empty(folder: Path) -> None:
    """Give the room of files back, but keep them until all is over.

    ext4 passes over the inodes of files that were deleted in the last minutes, one by one
    (``recently_deleted``): after some rounds that was a quarter of everybody's CPU.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def _count(contestant: Contestant, cell: Cell) -> int:
    """Return how many recordings a contestant is given: rates are compared, and some are slow."""
    if not contestant.lanes:
        return cell.count
    trips_s = _TURNS_THERE * cell.latency_ms / 1000
    in_time = contestant.most if not trips_s else round(contestant.lanes * _LONGEST_S / trips_s)
    return max(1, min(cell.count, contestant.most, in_time))


def _flood(server: Server, size: Size, length: int) -> Flood:
    count = max(20, min(_FLOOD_MOST, _FLOOD_BYTES // length))
    before = server.stats()
    # A process of its own: this one has other things to do.
    command = [*server.prefix, sys.executable, "-m", "bench.flood"]
    command += [server.host, str(count), str(length)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cpu_s = server.stats().cpu_s - before.cpu_s
    return Flood(
        size=size.name,
        per_second=count / float(done.stdout),
        server_cpu_ms=1000 * cpu_s / count,
    )


def _line(turn: Turn, number: int) -> str:
    name = f"{turn.contestant} ({turn.processes})"
    return (
        f"{turn.size:>7} {turn.latency_ms:>4} ms  round {number + 1}  {name:30}"
        f"{turn.count / turn.wall_s:>9,.1f}/s{1000 * turn.cpu_s / turn.count:>9.2f} ms CPU"
        f"{turn.peak_mib:>7.0f} MiB{turn.server_cpu_s / turn.wall_s:>7.0%} of a core: server"
    )
