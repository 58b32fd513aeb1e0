"""``python -m tests.cluster``: hosts and servers cut off, killed and filled up.

See docs/cluster.md. Ends with 0 where everything holds, with 1 where something is violated, with 77
where it cannot be run.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from tests.acceptance.vault import Vault
from tests.cluster import sentinels
from tests.cluster.net import NAMESPACES, why_not
from tests.cluster.plan import PLANS
from tests.cluster.report import lines
from tests.cluster.run import Options, run
from tests.provider import running_provider

_INSIDE = "CLUSTER_INSIDE"
_SENTINELS = "sentinels"


@click.command()
@click.option("--plan", default="hosts", show_default=True, type=click.Choice([*PLANS, _SENTINELS]))
@click.option("--calls", default=8_000, show_default=True, type=click.IntRange(min=100))
@click.option("--latency-s", default=1.0, show_default=True, help="Of each recording.")
@click.option("--minutes-cap", default=20.0, show_default=True, help="Longer has failed.")
@click.option("--keep", is_flag=True, help="Leave the run's folder as it is.")
@click.option("--within", type=click.Path(path_type=Path), help="Where the folder is made.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the report there too.")
def main(*, file: Path | None, **given: object) -> None:
    """Trouble a cluster of two hosts, and check that the archive is true."""
    if given["plan"] == _SENTINELS:
        _fail_over(int(str(given["calls"])))
        return
    if _INSIDE not in os.environ:
        if reason := why_not():
            click.echo(f"it cannot be run here: {reason}", err=True)
            sys.exit(77)
        words = [*NAMESPACES, sys.executable, "-m", "tests.cluster", *sys.argv[1:]]
        os.execvpe(words[0], words, {**os.environ, _INSIDE: "1"})  # noqa: S606 - our own words
    # The first process of its namespace heeds no signal that it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = run(msgspec.convert(given, Options))
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    for line in lines(report):
        click.echo(line)
    sys.exit(1 if report.violations else 0)


def _fail_over(calls: int) -> None:
    """Let the master of a queue die, on this machine alone; fails where anything is violated."""
    folder = Path(tempfile.mkdtemp(prefix="callvault-sentinels-"))
    words = ("--calls", str(calls), "--mix", "clean", "--bytes", "60KB", "--rate-limit", "200")
    with running_provider("--write-cdr", str(folder / "calls.csv"), *words) as provider:
        vault = Vault(folder, provider)
        worker: dict[str, object] = {"processes": 2, "downloads": 8}
        told = sentinels.fail_over(vault, folder / "redis", calls, worker, after=0.4)
    shutil.rmtree(folder)
    for line in sentinels.lines(told):
        click.echo(line)


if __name__ == "__main__":
    main(prog_name="python -m tests.cluster")
