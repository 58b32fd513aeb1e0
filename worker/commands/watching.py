"""``callvault status --watch``."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from archive.errors import InputError
from worker.opening import open_to_look
from worker.screen import console_on
from worker.statedisk import met_here
from worker.troubled import with_root
from worker.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from worker.live.facts import Facts
    from worker.settings import Settings


def watch(settings: Settings, *, account: str | None, every: str, as_json: bool) -> None:
    """Show the catalog's state again and again, until q or Ctrl-C.

    Raises:
        CatalogError: the catalog cannot be read.
        InputError: ``every`` is no duration.
    """
    from worker.live.gather import Gatherer  # noqa: PLC0415 - rich and more, for this alone

    every_s = _seconds(every)
    accounts = [one for name, one in settings.accounts.items() if account in {None, name}]
    database = open_to_look(settings)
    try:
        look = Gatherer(
            database,
            accounts,
            database.clock,
            backfill=settings.backfill,
            here=partial(met_here, settings),
            met=lambda tx, now: with_root(tx, settings, now),
        ).look
        zone = accounts[0].zone
        asyncio.run(_watch(look, every_s=every_s, zone=zone, as_json=as_json))
    finally:
        database.close()


async def _watch(
    look: Callable[[], Facts], *, every_s: float, zone: ZoneInfo, as_json: bool
) -> None:
    from worker.live.screen import is_a_screen, show_lines, show_screen  # noqa: PLC0415

    console = console_on(stderr=False)
    if as_json or not is_a_screen(console):
        await show_lines(look, every_s=every_s, zone=zone, as_json=as_json)
    else:
        await show_screen(look, every_s=every_s, zone=zone, console=console)


def _seconds(every: str) -> float:
    try:
        return parse_duration(every).total_seconds()
    except ValueError as error:
        raise InputError(f"--every {every!r} is no duration", hint=f"write {error}") from None
