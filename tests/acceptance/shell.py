"""A page's commands in one shell, as its reader types them, with what they printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_BLOCK: Final = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER: Final = re.compile(r"\d[\d,.:]*")
_BOUND_S: Final = 300.0
_LOOK_S: Final = 0.02
_DONE: Final = "--done--"
_FAILED: Final = "--failed--"


class Step(msgspec.Struct, frozen=True):
    """A command, and what the page says that it prints; None where the page says nothing."""

    command: str
    prints: str | None


def steps(page: str) -> Iterator[Step]:
    """Yield a page's commands in order: ``sh`` blocks as they are, ``console`` ones with output."""
    for kind, text in _BLOCK.findall(page):
        if kind == "sh":
            yield Step(text, None)
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, prints = part.partition("\n")
            yield Step(command + "\n", prints)


def fits(page: str, printed: str) -> bool:
    """Tell whether a program printed what a page shows: any number for a number, anything for …."""
    pattern = ".*".join(
        r"\s+".join(_words(part)) for part in re.split(r"\s*…\s*", page.strip(), flags=re.DOTALL)
    )
    return re.fullmatch(pattern, " ".join(printed.split()), re.DOTALL) is not None


def _words(text: str) -> Iterator[str]:
    for word in text.split():
        yield r"\d[\d,.:]*".join(re.escape(piece) for piece in _NUMBER.split(word))


class Shell:
    """One bash, in a folder. A context manager: whatever it started ends with it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._printed: list[str] = []
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            ["/bin/bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=dict(environment),
            process_group=0,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reading.start()
        # Of a block of several commands, each one counts.
        self._type(f"trap 'echo {_FAILED} $?' ERR\n")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:
            self._reading.join()

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit code and what was printed meanwhile.

        Of several commands it is the code of the first that failed.
        """
        before = len(self._printed)
        self._type(command)
        self._type(f'echo "{_DONE} $?"\n')
        self._until(lambda: any(line.startswith(_DONE) for line in self._printed[before:]))
        *printed, last = self._printed[before:]
        failed = [line for line in printed if line.startswith(_FAILED)]
        said = [line for line in printed if not line.startswith(_FAILED)]
        return int([*failed, last][0].split()[1]), "".join(said)

    def _type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + _BOUND_S
        with self._more:
            while not condition():
                assert self._process.poll() is None, "".join(self._printed)
                left = until - time.monotonic()
                assert left > 0, "".join(self._printed)
                self._more.wait(min(left, 1.0))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self._printed.append(line)
                self._more.notify_all()
