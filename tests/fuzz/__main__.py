"""``make fuzz``: odd answers of the API for some time, or until something does not hold."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from jobs.queue import close_pool, open_pool
from tests.fuzz.episodes import OPTIONS, fuzzing
from tests.provider import running_provider
from worker.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from tests.fuzz.episodes import Tally
    from tests.provider import Provider

_SECONDS: Final = 20.0


def main() -> int:
    """Fuzz; return 0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_SECONDS)
    parser.add_argument("--seed", help="repeats a run; drawn if it is not given")
    parser.add_argument("--first", type=int, default=0, help="the episode to begin with")
    chosen = parser.parse_args()
    chosen.seed = chosen.seed or f"{time.time_ns()}"
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with (
        tempfile.TemporaryDirectory(prefix="callvault-fuzz-") as folder,
        EmbeddedValkey(Path(folder) / "queue") as valkey,
        running_provider(*OPTIONS) as provider,
    ):
        sys.stdout.write(f"seed {chosen.seed}\n")
        try:
            tally = asyncio.run(_fuzz(provider, valkey.url, Path(folder), chosen))
        except AssertionError as error:
            sys.stdout.write(f"{error}\n")
            return 1
    sys.stdout.write(f"all held: {tally.told()}\n")
    return 0


async def _fuzz(provider: Provider, url: str, folder: Path, chosen: argparse.Namespace) -> Tally:
    until = time.monotonic() + chosen.seconds
    pool = open_pool(url)
    try:
        async with fuzzing(provider, pool, seed=chosen.seed) as fuzzer:
            number = chosen.first
            while time.monotonic() < until:
                with tempfile.TemporaryDirectory(dir=folder) as home:
                    await fuzzer.episode(number, Path(home))
                number += 1
            return fuzzer.tally
    finally:
        await close_pool(pool)


if __name__ == "__main__":
    sys.exit(main())
