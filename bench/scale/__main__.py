"""How everything grows with the catalog: ``python -m bench.scale --rows 0,1000000``."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from bench.scale.ask import Questions
from bench.scale.exports import write_export
from bench.scale.load import load_of
from bench.scale.places import WAITING, place_of
from bench.scale.product import Product
from bench.scale.provider import provider
from bench.scale.server import standing_server
from bench.scale.timing import Measured, times

if TYPE_CHECKING:
    from bench.scale.places import Place
    from tests.postgresql import Server


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/callvault-scale"))  # noqa: S108 - a benchmark's own
    parser.add_argument("--rows", default="0,1000000,10000000")
    parser.add_argument("--kinds", default="file,server")
    parser.add_argument("--parts", default="catalog,commands,work")
    parser.add_argument("--sort", default="kept", choices=sorted(WAITING))
    parser.add_argument("--processes", default="1,2,3,4")
    parser.add_argument("--recordings", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    parts = chosen.parts.split(",")
    print(
        f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}; load {os.getloadavg()[0]:.1f}"
    )
    for kind in chosen.kinds.split(","):
        with standing_server(chosen.folder / "pg") if kind == "server" else nullcontext() as server:
            for calls in map(int, chosen.rows.split(",")):
                place = place_of(chosen.folder, calls, server=server, sort=chosen.sort)
                print(f"\n### {place.kind}, {calls:,} calls, {chosen.sort}")
                print(f"\nMade in {place.made_s:.0f} s\n")
                if "catalog" in parts:
                    _catalog(place, server, chosen.rounds)
                if "commands" in parts:
                    _commands(chosen.folder / "home", place, server, chosen.rounds)
                if "resume" in parts:
                    _resume(chosen.folder / "home", place, server, chosen.rounds)
                if "work" in parts:
                    _work(chosen, place_for_work(chosen.folder, place, server), server)


def place_for_work(folder: Path, place: Place, server: Server | None) -> Place:
    """Return the catalog itself, or a small backlog in place of an empty one."""
    return place if place.size.calls else place_of(folder, 100_000, server=server, sort="backlog")


def _head() -> None:
    print("| what | median ms | spread ms | CPU here ms | CPU of the server ms | |")
    print("|---|---|---|---|---|---|")


def _catalog(place: Place, server: Server | None, rounds: int) -> None:
    _head()
    for measured in Questions(place, server, rounds=rounds).all():
        print(measured.row(), flush=True)


def _commands(home: Path, place: Place, server: Server | None, rounds: int) -> None:
    product = Product(home, place, None)
    print()
    _head()
    for words in (
        ("status",),
        ("report", "--day", "2026-10-15", "--account", "sales"),
        ("--help",),
    ):
        spent = times(lambda words=words: product.run(*words), rounds, server)  # type: ignore[misc]
        print(Measured(f"`callvault {' '.join(words)}`", spent).row(), flush=True)


def _resume(home: Path, place: Place, server: Server | None, rounds: int) -> None:
    """Do again what is done: an export of known calls, and a drain (of a catalog that is done)."""
    product = Product(home, place, None)
    rows = write_export(home / "known.csv", place.size, rows=1_000_000)
    print()
    _head()
    for words in (
        ("enqueue", "cdr", "--account", "sales", f"{home}/known.csv"),
        ("work", "--drain"),
    ):
        spent = times(lambda words=words: product.run(*words), rounds, server)  # type: ignore[misc]
        named = f"`callvault {' '.join(words[:2])}`"
        print(
            Measured(named, spent, f"{rows:,} rows, load {os.getloadavg()[0]:.1f}").row(),
            flush=True,
        )


def _work(chosen: argparse.Namespace, place: Place, server: Server | None) -> None:
    loads: list[str] = []
    print(
        "\n| processes | first byte s | recordings/s | CPU each ms"
        " | worker USS MB | RSS MB | Redis MB | Redis commands each |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with provider(chosen.folder / "provider") as api:
        for processes in map(int, chosen.processes.split(",")):
            product = Product(chosen.folder / "home", place, api, processes)
            before = None if server is None else load_of(server)
            worked = product.work(chosen.recordings)
            print(worked.row(), flush=True)
            if server is not None and before is not None:
                loads.append(load_of(server).since(before, worked.recordings))
    print("\n".join(["", *loads]), flush=True)


if __name__ == "__main__":
    main()
