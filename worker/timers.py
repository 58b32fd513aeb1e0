"""The timers that systemd has enabled on this machine, and the commands that they run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from worker.systemctl import UNIT_DIR

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS: Final = {
    "nightly": ("run --from",),
    "reconcile": ("reconcile",),
    "verify": ("verify",),
    "housekeeping": ("catalog backup", "catalog tidy"),
    "report": ("report",),
}
"""What each part that a timer starts runs, by the names under which runs are noted."""


class Timed(msgspec.Struct, frozen=True):
    """A command that a timer runs, and since when that is enabled."""

    timer: str
    command: str
    since: datetime


def enabled_timers(folder: Path = UNIT_DIR) -> tuple[Timed, ...]:
    """Return the commands of the timers that are enabled; none where there is no systemd.

    A unit is enabled by a link in the folder of what wants it, which is as old as that.
    """
    found = []
    for part, commands in COMMANDS.items():
        timer = f"callvault-{part}.timer"
        try:
            # Links may go while they are looked at, and need not lead anywhere.
            times = [
                (wants / timer).lstat().st_mtime
                for wants in folder.glob("*.wants")
                if os.path.lexists(wants / timer)
            ]
        except OSError:
            continue
        if times:
            since = datetime.fromtimestamp(min(times), UTC)
            found += [Timed(timer, command, since) for command in commands]
    return tuple(found)
