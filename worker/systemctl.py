"""systemd as this machine runs it, if it does: told of new units, and of those that go."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Sequence

UNIT_DIR: Final = Path("/etc/systemd/system")
"""Where it looks for units that a person has installed."""
BOOTED: Final = Path("/run/systemd/system")
"""There where systemd is what the machine was booted with: sd_booted(3)."""


class Systemctl:
    """Tells systemd of units in a folder, if it runs and looks there."""

    def __init__(
        self,
        folder: Path,
        *,
        looks_in: Path = UNIT_DIR,
        booted: Path = BOOTED,
        program: str = "systemctl",
    ) -> None:
        self._looks = folder == looks_in
        self._runs = booted.is_dir()
        self._program = program

    @property
    def looks(self) -> bool:
        """Whether systemd looks for units in this folder."""
        return self._looks

    @property
    def listens(self) -> bool:
        """Whether it can be told of them now."""
        return self._looks and self._runs

    def reload(self) -> None:
        """Have it read its units anew.

        Raises:
            FatalError: it does not.
        """
        self._run("daemon-reload")

    def start(self, units: Sequence[str]) -> None:
        """Enable and start units.

        Raises:
            FatalError: one of them does not start.
        """
        self._run("enable", "--now", *units)

    def end(self, units: Sequence[str]) -> None:
        """Stop and disable units.

        Raises:
            FatalError: one of them does not stop.
        """
        self._run("disable", "--now", *units)

    def _run(self, *words: str) -> None:
        try:
            done = subprocess.run(  # noqa: S603 - systemd's own tool, with names of ours
                [self._program, *words], check=False, capture_output=True, text=True
            )
        except OSError as error:
            raise FatalError(f"running {self._program}: {error.strerror}") from error
        if done.returncode:
            said = " ".join(done.stderr.split())
            raise FatalError(
                f"{self._program} {words[0]}: {said or done.returncode}",
                hint="journalctl -u UNIT tells why a unit does not start",
            )
