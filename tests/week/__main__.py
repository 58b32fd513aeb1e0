"""``make week``: a week of calls in pressed time, and what the report says of it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import click

from tests.week.provider import ZONE
from tests.week.run import Plan, run
from worker.commands.sources import source_lines


@click.command()
@click.option("--calls", default=14_000, show_default=True, help="How many in the week.")
@click.option("--step", default=5, show_default=True, help="Minutes between two rounds.")
def main(calls: int, step: int) -> None:
    """Let a week pass in which everything fails that can.

    Callbacks are lost, doubled and late; for 90 minutes there is no webhook, for a night no poller,
    for an hour the provider answers 429.
    """
    with tempfile.TemporaryDirectory(prefix="week-") as folder:
        plan = Plan(calls=calls, step=timedelta(minutes=step))
        told = asyncio.run(run(plan, Path(folder)))
    click.echo(f"{told.calls:,} calls, {told.long_calls:,} of them longer than an hour")
    click.echo(f"{told.known:,} known in the end")
    click.echo(f"{told.delivered:,} callbacks delivered, {told.dropped:,} dropped")
    click.echo(
        f"{told.rounds:,} rounds of polling with {told.requests:,} requests, "
        f"{told.failed_rounds:,} failed ({told.refused:,} answers were 429)"
    )
    click.echo(f"found by reconciliation, night by night: {told.found_by_night}")
    for line in source_lines(told.sources, ZONE):
        click.echo(line)
    sys.exit(0 if told.known == told.calls else 1)


if __name__ == "__main__":
    main(prog_name="python -m tests.week")
