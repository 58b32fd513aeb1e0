"""Running checks: side by side, in order, bounded, and none in another's way."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from archive.catalog.examine import LongReadError
from archive.errors import Exit, QueueError
from worker.doctor.check import (
    Check,
    Found,
    Group,
    Line,
    Once,
    Result,
    aside,
    exit_code,
    failed,
    passed,
    run,
    skipped,
    warned,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def _check(name: str, look: Callable[[], Awaitable[Found]], **more: object) -> Check:
    return Check(name=name, group=Group.DISK, look=look, **more)  # type: ignore[arg-type]


async def _lines(*checks: Check, total_s: float = 20) -> list[Line]:
    found = run(checks, spare=lambda _: "", clean=str.strip, total_s=total_s)
    return [line async for line in found]


async def _well() -> Found:
    return passed("well")


def _raising(error: Exception) -> Callable[[], Awaitable[Found]]:
    async def look() -> Found:
        raise error

    return look


async def _forever() -> Found:
    await asyncio.Event().wait()
    raise AssertionError


async def test_one_that_hangs_keeps_no_other_from_running() -> None:
    """It is told as failed when its time is over, and the others are told as they are."""
    lines = await _lines(_check("a", _forever, limit_s=0.05), _check("b", _well))
    assert [line.result for line in lines] == [Result.FAILED, Result.PASSED]
    assert "did not end within" in lines[0].said
    assert lines[0].do


async def test_all_of_them_together_are_bounded() -> None:
    """However long each may take by itself."""
    lines = await _lines(*(_check(str(n), _forever) for n in range(3)), total_s=0.05)
    assert [line.result for line in lines] == [Result.FAILED] * 3


async def test_checks_run_side_by_side() -> None:
    """Two that wait for each other both end."""
    first, second = asyncio.Event(), asyncio.Event()

    async def one() -> Found:
        first.set()
        await second.wait()
        return passed("")

    async def other() -> Found:
        second.set()
        await first.wait()
        return passed("")

    lines = await _lines(_check("one", one), _check("other", other))
    assert [line.result for line in lines] == [Result.PASSED, Result.PASSED]


async def test_a_line_is_told_before_later_checks_have_ended() -> None:
    """Who looks at a terminal sees lines as they come."""
    ends = asyncio.Event()

    async def late() -> Found:
        await ends.wait()
        return passed("late")

    lines = run([_check("a", _well), _check("b", late)], spare=lambda _: "", clean=str)
    assert (await anext(lines)).check == "a"
    ends.set()
    assert [line.check async for line in lines] == ["b"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (QueueError("no queue", hint="start it"), failed("no queue", "start it")),
        (LongReadError("too long"), skipped("too long")),
    ],
)
async def test_our_own_errors_are_told_with_their_hints(error: Exception, expected: Found) -> None:
    """In the words in which every other command tells them."""
    (line,) = await _lines(_check("a", _raising(error)))
    assert (expected.result, expected.said, expected.do) == (line.result, line.said, line.do)


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), PermissionError(13, "Not ours", "/f")])
async def test_a_check_that_breaks_fails_with_the_reason(error: Exception) -> None:
    """Whatever it raises."""
    lines = await _lines(_check("a", _raising(error)), _check("b", _well))
    assert [line.result for line in lines] == [Result.FAILED, Result.PASSED]
    assert type(error).__name__ in lines[0].said or "Not ours (/f)" in lines[0].said


async def test_what_is_spared_is_told_with_why_and_not_run() -> None:
    """Its `look` is not called."""
    check = _check("a", _raising(AssertionError()), online=True)
    lines = [line async for line in run([check], spare=lambda _: "offline", clean=str)]
    assert [(line.result, line.said) for line in lines] == [(Result.SKIPPED, "offline")]


def _line(result: Result, *, fatal: bool = False) -> Line:
    return Line("a", Group.DISK, None, result, "", "", fatal)


def test_warnings_end_well() -> None:
    """Only failures are told by the exit code."""
    lines = [_line(Result.WARNED), _line(Result.SKIPPED), _line(Result.PASSED)]
    assert exit_code(lines, settings_wrong=False) == Exit.COMPLETE


def test_the_exit_code_tells_the_gravest() -> None:
    """Wrong settings first, as everywhere; then what no work goes on with; then other failures."""
    plain, fatal = _line(Result.FAILED), _line(Result.FAILED, fatal=True)
    assert exit_code([plain], settings_wrong=False) == Exit.PERMANENT_LOSSES
    assert exit_code([plain, fatal], settings_wrong=False) == Exit.FATAL
    assert exit_code([plain, fatal], settings_wrong=True) == Exit.USAGE


async def test_only_a_check_that_failed_is_fatal() -> None:
    """A warning of one that may be fatal is none."""

    async def warn() -> Found:
        return warned("", "")

    lines = await _lines(
        _check("a", warn, fatal=True), _check("b", _raising(QueueError("")), fatal=True)
    )
    assert [line.fatal for line in lines] == [False, True]


async def test_facts_are_gathered_once() -> None:
    """Also where the first one who asked no longer waits, and where it was an error."""
    asked = 0
    begun, ends = asyncio.Event(), asyncio.Event()

    async def gather() -> int:
        nonlocal asked
        asked += 1
        begun.set()
        await ends.wait()
        return 7

    facts = Once(gather)
    first = asyncio.create_task(facts())
    await begun.wait()
    first.cancel()
    ends.set()
    assert [await facts(), await facts()] == [7, 7]
    assert asked == 1


async def test_an_error_comes_to_all_who_ask() -> None:
    """Not only to the first."""

    async def gather() -> int:
        raise QueueError("away")

    facts = Once(gather)
    for _ in range(2):
        with pytest.raises(QueueError, match="away"):
            await facts()


async def test_work_aside_brings_result_or_error() -> None:
    """As if it had been called here."""
    assert threading.current_thread() is not await aside(threading.current_thread)
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


async def test_nobody_has_to_wait_for_work_aside() -> None:
    """A thread that is stuck does not keep the process from ending."""
    stuck, found = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        found.set()
        stuck.wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await aside(work)
    assert await asyncio.to_thread(found.wait, 60)
    assert threads[0].daemon
    stuck.set()
