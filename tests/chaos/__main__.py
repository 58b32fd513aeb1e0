"""``python -m tests.chaos``: everything bad at once, from a seed, and whether the archive is true.

See docs/chaos.md. Ends with 0 where everything holds, with 1 where something is violated.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click
import msgspec

from tests.chaos.report import lines
from tests.chaos.run import Options, plan_of, run


@click.command()
@click.option("--seed", default="1", show_default=True, help="What is done follows from it.")
@click.option("--calls", default=2_000, show_default=True, type=click.IntRange(min=50))
@click.option("--kills", default=80, show_default=True, type=click.IntRange(min=0))
@click.option("--flushes", default=2, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--minutes-cap",
    default=20.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="A run that takes longer has failed.",
)
@click.option(
    "--faults",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The share of the provider's answers that go wrong.",
)
@click.option(
    "--several",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The share of recorded calls that have two or three recordings.",
)
@click.option(
    "--minute",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="How many seconds a minute of the provider's processing lasts.",
)
@click.option("--bytes", "size", default="", help="The size of every recording, such as 60KB.")
@click.option("--keep", is_flag=True, help="Leave the run's folder, and its mount, as they are.")
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be done.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the report there too.")
def main(*, only_plan: bool, file: Path | None, **given: object) -> None:
    """Do everything bad to a run at once, and check that the archive is true."""
    options = msgspec.convert(given, Options)
    if only_plan:
        for step in plan_of(options):
            click.echo(f"{step.deed.value:16} gap {step.gap_s:.2f} s, hold {step.hold_s:.1f} s")
        return
    # What was started and mounted is ended and unmounted, whoever ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    report = run(options)
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    for line in lines(report):
        click.echo(line)
    sys.exit(1 if report.violations else 0)


if __name__ == "__main__":
    main(prog_name="python -m tests.chaos")
