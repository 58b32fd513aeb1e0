"""The live view as the real command: on a terminal that is given back, and on what is none."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.vault import BOUND_S, COMMAND, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.vault import Vault

ENTER, LEAVE, SHOW = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class Screen:
    """A terminal with `status --watch` on it."""

    def __init__(self, vault: Vault, rows: int, columns: int) -> None:
        self.handle, line = pty.openpty()
        self.said = b""
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.handle)
        self.process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            [str(COMMAND), "status", "--watch", "--every", "200ms"],
            stdin=line,
            stdout=line,
            stderr=line,
            cwd=vault.folder,
            env=vault.environment(TERM="xterm-256color", LINES="", COLUMNS="", NO_COLOR=""),
            start_new_session=True,
        )
        os.close(line)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, and tell."""
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, wanted: bytes) -> None:
        """Read until something is on the screen."""
        deadline = time.monotonic() + BOUND_S
        while wanted not in self.said:
            assert time.monotonic() < deadline, self.said[-2000:]
            if select.select([self.handle], [], [], 1)[0]:
                with suppress(OSError):
                    self.said += os.read(self.handle, 65_536)


@contextmanager
def watched(vault: Vault, rows: int = 24, columns: int = 80) -> Iterator[Screen]:
    """Watch on a terminal of a size."""
    screen = Screen(vault, rows, columns)
    try:
        yield screen
    finally:
        screen.process.kill()
        screen.process.wait()
        os.close(screen.handle)


@pytest.mark.parametrize("end", ["q", "signal"])
def test_a_terminal_is_given_back_as_it_was(alone: Vault, end: str) -> None:
    """After q and after Ctrl-C: the other screen is left, cursor and keys are as before."""
    alone.good("enqueue", "sids", "a" * 32)
    with watched(alone) as screen:
        screen.until(b" quits")
        assert screen.said.count(ENTER) == 1
        assert b"no workers run" in screen.said
        if end == "q":
            os.write(screen.handle, b"q")
        else:
            screen.process.send_signal(signal.SIGINT)
        screen.until(LEAVE)
        assert screen.process.wait(BOUND_S) == 0
        screen.until(SHOW)
        assert screen.before == termios.tcgetattr(screen.handle)


def test_a_new_size_is_drawn_for_at_once(alone: Vault) -> None:
    """What did not fit before is there then."""
    alone.good("enqueue", "sids", "a" * 32)
    with watched(alone, 24, 30) as screen:
        screen.until(b" quits")
        assert b"next deletion" not in screen.said
        screen.resize(30, 100)
        screen.process.send_signal(signal.SIGWINCH)
        screen.until(b"next deletion")


def test_without_a_terminal_there_is_a_line_or_a_document_a_period(alone: Vault) -> None:
    """Until told to stop; no code of a terminal is among them."""
    alone.good("enqueue", "sids", "a" * 32)
    words = ("status", "--watch", "--every", "100ms")
    with alone.started(*words) as running:
        until(lambda: running.said.count("\n") >= 3, while_running=running)
        running.send(signal.SIGTERM)
        done = running.wait()
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert all("0 of 1 settled; 1 due, 0 in work" in line for line in done.out.splitlines())
    with alone.started(*words, "--json") as running:
        until(lambda: running.said.count("\n") >= 2, while_running=running)
        running.send(signal.SIGINT)
        done = running.wait()
    assert done.code == 0
    first, second = map(json.loads, done.out.splitlines()[:2])
    assert first["at"] < second["at"]
    assert (second["expected"], second["waiting"][0]["due"], second["workers"]) == (1, 1, [])


def test_it_ends_when_nobody_reads_any_more(empty: Vault) -> None:
    """As after ``| head -1``, and without a word."""
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        [str(COMMAND), "status", "--watch", "--every", "100ms"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=empty.folder,
        env=empty.environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(BOUND_S) == 0
        assert process.stderr.read() == b""


def test_what_makes_no_sense_is_refused(alone: Vault) -> None:
    """A period without a view, and one that is none."""
    alone.run("status", "--every", "2s").says(2, "--every is for --watch")
    alone.run("status", "--watch", "--every", "often").says(2, "is no duration")
