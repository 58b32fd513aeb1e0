"""All checks, in the order in which they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.doctor import (
    calls,
    catalog,
    clocks,
    disk,
    hosts,
    night,
    provider,
    queue,
    recording,
    server,
    settings,
)

if TYPE_CHECKING:
    from worker.doctor.check import Check
    from worker.doctor.world import World

_PARTS: Final = (
    settings,
    provider,
    queue,
    catalog,
    clocks,
    disk,
    hosts,
    recording,
    calls,
    server,
    night,
)


def all_checks(world: World) -> list[Check]:
    """Return all checks there are for these settings, group by group."""
    return [check for part in _PARTS for check in part.checks(world)]
