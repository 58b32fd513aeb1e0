"""A machine with callvault on it, as its timers find it night after night."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tests.provider import KEY, TOKEN, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.month.clock import Clock
    from tests.month.sink import Sink
    from tests.provider import Provider

COMMAND: Final = Path(sys.executable).with_name("callvault")
ZONE: Final = "Asia/Kolkata"
_BOUND_S: Final = 900
_LOOK_S: Final = 0.05


class Ran(msgspec.Struct, frozen=True):
    """A command that a timer has run."""

    unit: str
    words: tuple[str, ...]
    code: int
    out: str
    err: str


class House:
    """Its settings, its environment, and what the troubles of a night may change of it.

    ``yesterday`` is the day that the night is about.
    """

    def __init__(self, folder: Path, provider: Provider, clock: Clock, sink: Sink) -> None:
        self.folder = folder
        self.provider = provider
        self.sink = sink
        self.root = folder / "recordings"
        self.extra: dict[str, str] = {}
        self.kills = 0
        self.is_off = False
        self.yesterday = ""
        self._clock = clock
        write_config(
            folder / "config.toml",
            accounts={"main": {**provider.account, "requests_per_minute": 2000}},
            # What the provider decides late is looked at again within seconds rather than minutes.
            readiness={"recheck": "2s"},
            archive={"min_free": "0"},
            worker={"processes": 1},
        )

    def run(self, unit: str, words: tuple[str, ...]) -> Ran:
        """Run a command to its end, as its unit would."""
        out, err = (self.folder / f"last.{kind}" for kind in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [str(COMMAND), "--config", str(self.folder / "config.toml"), *words],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=self.folder,
                env=self._environment(),
                process_group=0,
            )
            try:
                if self.kills and "--drain" in words:
                    self._kill_in_the_middle(process)
                code = process.wait(_BOUND_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Ran(unit, words, code, out.read_text(), err.read_text())

    @contextmanager
    def with_environment(self, **more: str) -> Iterator[None]:
        """Have further variables for a while."""
        self.extra = more
        try:
            yield
        finally:
            self.extra = {}

    def recordings(self) -> list[Path]:
        """List the audio files."""
        return sorted(path for path in self.root.rglob("*") if path.suffix in {".mp3", ".wav"})

    def _environment(self) -> dict[str, str]:
        bare = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CALLVAULT", "EXOTEL", "CREDENTIALS_DIRECTORY"))
        }
        ours = {"EXOTEL_API_KEY": KEY, "EXOTEL_API_TOKEN": TOKEN, "TZ": ZONE}
        return {
            **bare,
            **ours,
            **self.sink.environment,
            **self._clock.environment,
            **self.extra,
        }

    def _kill_in_the_middle(self, process: subprocess.Popen[bytes]) -> None:
        self.kills -= 1
        before = len(self.recordings())
        until = time.monotonic() + _BOUND_S
        while process.poll() is None and time.monotonic() < until:
            if len(self.recordings()) > before:
                process.kill()
                return
            time.sleep(_LOOK_S)
