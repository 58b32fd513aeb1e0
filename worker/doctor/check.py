"""What a check is, and running many: side by side, each with a time limit of its own.

A check gathers facts and judges them. Judgements are pure functions that stand beside what gathers
for them; here is what they have in common.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable  # noqa: TC003 - msgspec reads the types of fields
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from archive.catalog.examine import LongReadError
from archive.errors import CallvaultError, Exit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

T = TypeVar("T")

LIMIT_S: Final = 12.0
"""How long a check may take, unless it says otherwise."""
TOTAL_S: Final = 30.0
"""How long all of them may take together."""


_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Group(StrEnum):
    """What checks are about, in the order in which they are shown."""

    SETTINGS = "settings"
    PROVIDER = "provider"
    QUEUE = "queue"
    CATALOG = "catalog"
    DISK = "disk"
    RECORDINGS = "recordings"
    SERVER = "server"


class Result(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"


class Found(msgspec.Struct, frozen=True):
    """What a check found: how it stands, what was seen, and what to do about it."""

    result: Result
    said: str
    do: str = ""


def passed(said: str) -> Found:
    """Return that all is well."""
    return Found(Result.PASSED, said)


def warned(said: str, do: str) -> Found:
    """Return that something will become trouble, or may be one."""
    return Found(Result.WARNED, said, do)


def failed(said: str, do: str) -> Found:
    """Return that something is wrong."""
    return Found(Result.FAILED, said, do)


def skipped(why: str) -> Found:
    """Return that it could not be, or need not be, looked at."""
    return Found(Result.SKIPPED, why)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `doctor`.

    ``look`` gathers and judges. ``needs`` names the sections of the settings that have to be sound
    for it, ``online`` says that it asks others than this machine, ``fatal`` that no recording is
    archived while it fails. ``account`` is the account that it looks at, if it looks at one.
    """

    name: str
    group: Group
    look: Callable[[], Awaitable[Found]]
    account: str | None = None
    needs: frozenset[str] = frozenset()
    online: bool = False
    fatal: bool = False
    limit_s: float = LIMIT_S


class Line(msgspec.Struct, frozen=True):
    """A check with what it found, in the fields that ``--json`` promises."""

    check: str
    group: Group
    account: str | None
    result: Result
    said: str
    do: str
    fatal: bool


async def run(
    checks: Sequence[Check],
    *,
    spare: Callable[[Check], str],
    clean: Callable[[str], str],
    total_s: float = TOTAL_S,
) -> AsyncIterator[Line]:
    """Run all checks at once and yield their lines in order, each as soon as it can be told.

    ``spare`` returns why a check is not run; nothing for one that is. ``clean`` takes out of what
    is said whatever nobody should read.
    """
    until = asyncio.get_running_loop().time() + total_s
    tasks = [asyncio.create_task(_one(check, spare(check), until)) for check in checks]
    try:
        for check, task in zip(checks, tasks, strict=True):
            found = await task
            yield Line(
                check.name,
                check.group,
                check.account,
                found.result,
                clean(found.said),
                clean(found.do),
                check.fatal and found.result is Result.FAILED,
            )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _one(check: Check, why_not: str, until: float) -> Found:
    """Run one check; whatever happens to it is its own finding and no other's."""
    if why_not:
        return skipped(why_not)
    now = asyncio.get_running_loop().time()
    limit = max(0.0, min(check.limit_s, until - now))
    try:
        async with asyncio.timeout(limit):
            return await check.look()
    except TimeoutError:
        return failed(f"it did not end within {limit:.0f} s", "see what holds it up, and try again")
    except Exception as error:  # noqa: BLE001 - a check that breaks keeps no other from running
        return _broken(error)


def _broken(error: Exception) -> Found:
    """Return what a check found that raised."""
    if isinstance(error, LongReadError):
        return skipped(error.message)
    if isinstance(error, CallvaultError):
        return failed(error.message, error.hint or "correct what the message names")
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        said = f"the system says: {error.strerror or type(error).__name__}{where}"
        if error.errno in _NO_ROOM:
            return failed(said, "make room on the disk that it looks at: df -h, and df -i")
        return failed(said, "see the system's log, and whether the place is mounted and ours")
    return failed(f"the check itself failed: {type(error).__name__}: {error}", "report this")


def exit_code(lines: Iterable[Line], *, settings_wrong: bool) -> Exit:
    """Return what the command ends with: the settings come first, as for every other command."""
    found = list(lines)
    if settings_wrong:
        return Exit.USAGE
    if any(line.fatal for line in found):
        return Exit.FATAL
    if any(line.result is Result.FAILED for line in found):
        return Exit.PERMANENT_LOSSES
    return Exit.COMPLETE


class Once(Generic[T]):
    """Facts that several checks judge: gathered for the first that asks, kept for the others."""

    def __init__(self, gather: Callable[[], Awaitable[T]]) -> None:
        self._gather = gather
        self._task: asyncio.Future[T] | None = None

    async def __call__(self) -> T:
        """Return the facts, or raise what kept them from being gathered."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._gather())
            # Told to whoever asked; where nobody waits any more, asyncio need not complain.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Shielded: one that waits no longer takes nothing from the others.
        return await asyncio.shield(self._task)


async def aside(work: Callable[[], T]) -> T:
    """Run what may block in a thread that nobody has to wait for.

    A dead network file system blocks for minutes; a thread of the loop's own pool would hold up the
    end of the command as long.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None only where T is

    def call() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:  # noqa: BLE001 - it belongs to who waits
            error = caught
        try:
            loop.call_soon_threadsafe(tell, result, error)
        except RuntimeError:  # the loop has ended: nobody waits
            return

    threading.Thread(target=call, name="doctor", daemon=True).start()
    return await future
