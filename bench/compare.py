"""callvault beside its peers in one run: `make bench`. Writes ``docs/performance.md``.

Whole commands are measured, from their start to their end: what callvault needs to start, to read
the export and to end counts, as does the ``sha256sum`` of the peers. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from archive.errors import QueueError
from bench.contestants import CALLVAULT, CONTESTANTS, CURL_PARALLEL
from bench.material import SIZES
from bench.page import write_page
from bench.rounds import Cell, Measured, measure
from worker.valkey_binary import find_server

if TYPE_CHECKING:
    from collections.abc import Iterable

_PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
_LATENCIES_MS: Final = (0, 20, 200)
_COUNTS: Final = {"2 KB": 6000, "129 KB": 6000, "961 KB": 1500, "9.6 MB": 200, "100 MB": 20}
_NEEDED: Final = {
    "nginx": "nginx-light",
    "aria2c": "aria2",
    "jq": "jq",
    "curl": "curl",
    "sha256sum": "coreutils",
    "xargs": "findutils",
}
"""Programs, and Debian's packages with them."""


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the recordings")
    parser.add_argument("--sizes", nargs="+", default=[size.name for size in SIZES])
    parser.add_argument("--latencies", nargs="+", type=int, default=_LATENCIES_MS)
    parser.add_argument(
        "--where", type=Path, default=Path(), help="a folder on the disk to measure"
    )
    parser.add_argument("--raw", type=Path, help="also write what was measured, as JSON")
    parser.add_argument("--fast", action="store_true", help="leave out those who are slow")
    parser.add_argument("--quick", action="store_true", help="only see that it runs; keep nothing")
    parser.add_argument("--page-of", nargs="+", type=Path, help="only write the page of such JSON")
    chosen = parser.parse_args()
    if chosen.page_of:
        write_page(_PAGE, _join(chosen.page_of), "python -m bench.compare, in several runs")
        return 0
    if words := missing():
        print(words, file=sys.stderr)
        return 2
    if chosen.quick:
        return _quick(chosen.where)
    contestants = [one for one in CONTESTANTS if not (chosen.fast and one.lanes)]
    cells = [
        Cell(size, latency, max(1, round(_COUNTS[size] * chosen.share)))
        for latency in chosen.latencies
        for size in chosen.sizes
    ]
    measured = measure(
        cells, chosen.rounds, where=chosen.where.resolve(), say=_say, contestants=contestants
    )
    _keep(measured, chosen.raw)
    write_page(_PAGE, measured, f"python -m bench.compare {' '.join(sys.argv[1:])}".strip())
    return 0


def missing() -> str:
    """Say which programs are not there and how to install them; nothing if all are."""
    lacking = [program for program in _NEEDED if shutil.which(program, path=_path()) is None]
    packages = [_NEEDED[program] for program in lacking]
    try:
        find_server()
    except QueueError:
        lacking.append("valkey-server")
        packages.append("valkey-server (or redis-server)")
    if not lacking:
        os.environ["PATH"] = _path()
        return ""
    words = f"make bench needs {', '.join(lacking)}, which this machine has not"
    return f"{words}; on Debian and Ubuntu: apt-get install {' '.join(packages)}"


def _path() -> str:
    # nginx is where only root looks.
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def _quick(where: Path) -> int:
    """Let everybody fetch a few recordings, and throw away what comes of it."""
    folder = where.resolve()
    once = [one for one in CONTESTANTS if "arq" not in one.name or one.processes == 1]
    everybody = measure([Cell("2 KB", 0, 5)], 1, where=folder, say=_say, contestants=once)
    two = (CURL_PARALLEL, CALLVAULT)
    waiting = measure([Cell("2 KB", 20, 5)], 1, where=folder, say=_say, contestants=two)
    measured = msgspec.structs.replace(everybody, turns=everybody.turns + waiting.turns)
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / _PAGE.name
        shutil.copyfile(_PAGE, page)
        write_page(page, measured, "make bench QUICK=1")
    _say("all of them run; these are no figures: too few recordings")
    return 0


def _keep(measured: Measured, raw: Path | None) -> None:
    if raw is not None:
        raw.write_bytes(msgspec.json.encode(measured))


def _join(files: Iterable[Path]) -> Measured:
    """Return what several runs measured as if it were of one."""
    runs = [msgspec.json.decode(file.read_bytes(), type=Measured) for file in files]
    return Measured(
        turns=[turn for run in runs for turn in run.turns],
        starts=[start for run in runs for start in run.starts],
        floods=[flood for run in runs for flood in run.floods],
        network=runs[0].network,
    )


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
