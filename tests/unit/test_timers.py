"""Which timers are enabled on a machine, and what they run."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.installing import shipped
from worker.timers import COMMANDS, Timed, enabled_timers
from worker.units import TIMED

if TYPE_CHECKING:
    from pathlib import Path

SINCE = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_only_what_is_enabled_counts_and_since_it_is(tmp_path: Path) -> None:
    """A unit that is there and that nothing wants does not run; nor does one where it is not."""
    wants = tmp_path / "callvault.target.wants"
    wants.mkdir()
    (tmp_path / "callvault-verify.timer").touch()
    link = wants / "callvault-housekeeping.timer"
    link.symlink_to("/nowhere/callvault-housekeeping.timer")
    os.utime(link, (SINCE.timestamp(),) * 2, follow_symlinks=False)
    expected = tuple(Timed(link.name, name, SINCE) for name in ("catalog backup", "catalog tidy"))
    assert expected == enabled_timers(tmp_path)
    assert enabled_timers(tmp_path / "no-systemd") == ()


def test_the_commands_are_those_of_the_units() -> None:
    """Each as a run of it is noted: its words, and --from where that makes another thing of it."""
    assert set(COMMANDS) == TIMED
    for part, commands in COMMANDS.items():
        lines = re.findall(
            r"^ExecStart=\S+ --config \S+ (.+)$",
            shipped()[f"callvault-{part}.service"],
            re.MULTILINE,
        )
        assert [line.startswith(name) for line, name in zip(lines, commands, strict=True)] == [
            True
        ] * len(commands)
