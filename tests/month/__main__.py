"""``make month``: a month of nights in pressed time, and what the report says of each morning."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tests.month.clock import compiler
from tests.month.run import run

if TYPE_CHECKING:
    from tests.month.run import Night


@click.command()
@click.option("--nights", default=28, show_default=True, help="How many.")
@click.option("--calls", default=200, show_default=True, help="Of each day.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep everything there.")
@click.option("--reports", is_flag=True, help="Print each report whole.")
def main(nights: int, calls: int, folder: Path | None, *, reports: bool) -> None:
    """Let a month of nights pass under the timers' commands, with a bad one of each kind."""
    found = compiler()
    if found is None:
        raise click.ClickException("there is no C compiler: apt-get install gcc")

    def tell(night: Night) -> None:
        codes = " ".join(f"{ran.unit.removeprefix('callvault-')}:{ran.code}" for ran in night.ran)
        trouble = f"  [{night.trouble.name}: {night.trouble.what}]" if night.trouble else ""
        click.echo(f"== {night.day}{trouble}  {codes or 'nothing ran'}")
        lines = night.report.splitlines()
        for line in lines if reports else lines[:12] if night.trouble else lines[:1]:
            click.echo(f"   {line}")

    with tempfile.TemporaryDirectory(prefix="month-") as scratch:
        place = folder or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        month = run(place, found, nights=nights, calls=calls, tell=tell)
    status = month.balance
    click.echo(json.dumps(status, indent=2))
    odd = [night.day for night in month.nights if night.odd_codes]
    click.echo(f"{len(month.sent)} messages sent; nights with codes that nothing explains: {odd}")
    sys.exit(1 if odd or not status["balanced"] else 0)


if __name__ == "__main__":
    main(prog_name="python -m tests.month")
