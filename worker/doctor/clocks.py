"""Whether the clocks of the hosts agree with the catalog's, by which all of them decide."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from archive.catalog import examine, watch
from archive.catalog.database import is_on_a_server
from archive.clock import system_clock
from archive.timings import APART_S
from worker.doctor.catalog import READ_S, usable
from worker.doctor.check import Check, Group, aside, passed, skipped, warned
from worker.places import host_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.doctor.check import Found
    from worker.doctor.world import World


def checks(world: World) -> Iterator[Check]:
    """Return the check of the clocks."""
    yield Check(
        group=Group.CATALOG,
        needs=frozenset({"catalog"}),
        name="clocks",
        look=partial(_clocks, world),
        fatal=False,
    )


async def _clocks(world: World) -> Found:
    """Hold this host's clock, and those of all workers, against the server's."""
    where = world.settings.catalog.url
    if not is_on_a_server(where):
        return skipped("the catalog is a file: its machine's clock is the only one")

    def look() -> dict[str, float] | str:
        if why := usable(world):
            return why
        with examine.looking_at(where, within_s=READ_S) as tx:
            ahead = {one.host: one.clock_ahead_s for one in watch.workers(tx)}
            here = (system_clock() - examine.server_time(tx)).total_seconds()
        return {**ahead, host_name(world.settings): here}

    found = await aside(look)
    return skipped(found) if isinstance(found, str) else judge_clocks(found)


def judge_clocks(ahead_s: Mapping[str, float]) -> Found:
    """Tell whose clock is off, by seconds ahead of the catalog's."""
    off = {host: s for host, s in sorted(ahead_s.items()) if abs(s) >= APART_S}
    if not off:
        return passed(f"the clocks of {', '.join(sorted(ahead_s))} agree with the catalog's")
    words = {True: "ahead of", False: "behind"}
    said = ", ".join(f"{host} is {abs(s):,.0f} s {words[s > 0]} it" for host, s in off.items())
    return warned(
        f"not all clocks agree with the catalog's server: {said}",
        "work goes by the server's; set theirs right (timedatectl set-ntp true): logs, times of "
        "files, certificates and signed URLs go by them",
    )
