"""``callvault doctor``."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from typing import TYPE_CHECKING, Final

import click
import structlog

from worker.commands.options import account_option, json_option, print_json
from worker.doctor.check import Line, Result, exit_code, run
from worker.screen import BAD, GOOD, WARNING, painted

if TYPE_CHECKING:
    from pathlib import Path

    from archive.errors import Exit
    from worker.doctor.world import World

_COLOURS: Final = {Result.PASSED: GOOD, Result.WARNED: WARNING, Result.FAILED: BAD}


@click.command()
@account_option
@click.option("--call", metavar="SID", help="Fetch this call's recording for the check.")
@click.option("--webhook-url", metavar="URL", help="Also ask this public address of the webhook.")
@click.option("--offline", is_flag=True, help="Ask nobody: neither provider nor hosts.")
@json_option
@click.pass_obj
def doctor(
    config: Path | None,
    *,
    account: str | None,
    call: str | None,
    webhook_url: str | None,
    offline: bool,
    as_json: bool,
) -> int:
    """Check everything that work depends on, and say of each trouble what to do.

    Nothing is changed in archive and catalog.
    """
    from worker.doctor.world import look_around  # noqa: PLC0415 - it loads HTTP and Redis

    world = look_around(
        config,
        os.environ,
        account=account,
        call=call,
        webhook_url=webhook_url,
        offline=offline,
    )
    # Libraries log what the checks tell of in their own words.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger().setLevel(logging.CRITICAL)
    return asyncio.run(_run(world, as_json=as_json))


async def _run(world: World, *, as_json: bool) -> Exit:
    from worker.doctor.registry import all_checks  # noqa: PLC0415 - it loads HTTP and Redis

    lines: list[Line] = []
    several = len(world.accounts) > 1
    async for line in run(all_checks(world), spare=world.spare, clean=world.clean):
        if not as_json:
            _say(line, new_group=not lines or lines[-1].group != line.group, several=several)
        lines.append(line)
    if as_json:
        print_json(lines)
    else:
        _sum_up(lines)
    wrong = world.gathered is None or bool(world.gathered.mistakes)
    return exit_code(lines, settings_wrong=wrong)


def _say(line: Line, *, new_group: bool, several: bool) -> None:
    if new_group:
        click.secho(line.group.value, bold=True)
    name = f"{line.check} ({line.account})" if several and line.account else line.check
    word = f"{line.result.value:<8}"
    if line.result in _COLOURS:
        word = painted(word, _COLOURS[line.result])
    click.echo(f"  {word}{name}: {line.said}")
    if line.do and line.result in {Result.WARNED, Result.FAILED}:
        click.echo(f"  {'':<8}-> {line.do}")


def _sum_up(lines: list[Line]) -> None:
    found = Counter(line.result for line in lines)
    click.echo(", ".join(f"{found[result]} {result.value}" for result in Result))
