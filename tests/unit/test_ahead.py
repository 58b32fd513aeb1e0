"""Reading ahead in another process: `jobs.ahead`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archive.errors import CallvaultError, InputError
from jobs.ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]


def numbers(count: int) -> Iterator[int]:
    """Yield numbers from 0 on."""
    yield from range(count)


def troubled(count: int) -> Iterator[int]:
    """Yield numbers, then fail."""
    yield from range(count)
    raise InputError("line 7 is none", hint="write it anew")


def dying(count: int) -> Iterator[int]:
    """Yield numbers, then die as by the kernel's hand."""
    yield from range(count)
    os.kill(os.getpid(), signal.SIGKILL)


def whose() -> Iterator[int]:
    """Yield the process that this runs in."""
    yield os.getpid()


@pytest.mark.parametrize("count", [0, 1, 1_000, 100_001])
def test_all_comes_in_order(count: int) -> None:
    """Also what fills the pipe and all that may wait."""
    with read_ahead(partial(numbers, count)) as found:
        assert list(range(count)) == list(found)


def test_it_is_read_by_another_process() -> None:
    """Else nothing would be gained."""
    with read_ahead(whose) as found:
        assert os.getpid() not in set(found)


def test_an_error_comes_after_what_came_before_it() -> None:
    """As it was raised, with its hint."""
    seen = []
    with (  # noqa: PT012 - what came before the error is the point
        pytest.raises(InputError, match="line 7 is none") as caught,
        read_ahead(partial(troubled, 3)) as found,
    ):
        for number in found:
            seen.append(number)  # noqa: PERF402 - the same
    assert seen == [0, 1, 2]
    assert caught.value.hint == "write it anew"


def test_the_death_of_the_reader_is_told() -> None:
    """What it had sent before is there, and nothing waits for more."""
    with (
        pytest.raises(CallvaultError, match="that read ahead has died"),
        read_ahead(partial(dying, 5_000)) as found,
    ):
        for _ in found:
            pass


def test_who_needs_no_more_waits_for_nothing() -> None:
    """An endless reader ends with the context."""
    with read_ahead(partial(numbers, 10**12)) as found:
        assert [next(found) for _ in range(3)] == [0, 1, 2]


def test_a_reader_does_not_outlive_who_was_killed() -> None:
    """It ends by itself when nobody listens any more."""
    code = """
import os, signal
from functools import partial
from jobs.ahead import read_ahead
from tests.unit.test_ahead import named
with read_ahead(named) as found:
    print(next(found), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=_ROOT, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    # Its standard output, which the reader has, too, was read to its end: the reader has gone.
    assert killed.stdout.strip().isdigit()


def named() -> Iterator[int]:
    """Yield the process that this runs in, for ever."""
    while True:
        yield os.getpid()
