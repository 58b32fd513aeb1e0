"""The worker processes for `callvault status`: who works on how much, and was heard of when."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import msgspec

from archive.catalog import watch
from archive.clock import system_clock
from worker.opening import open_to_look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archive.catalog.watch import Worker
    from worker.settings import Settings

_WIDE: Final = (120, 24)
"""Where there is no terminal: room for all columns."""


def read_workers(settings: Settings) -> list[Worker]:
    """Return the worker processes that have not ended, of all hosts.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    database = open_to_look(settings)
    try:
        with database.read() as tx:
            return watch.workers(tx)
    finally:
        database.close()


def worker_lines(found: Sequence[Worker]) -> list[str]:
    """Write them as a table; nothing where there are none."""
    if not found:
        return []
    from worker.live.facts import Working  # noqa: PLC0415 - rich and more, where workers run
    from worker.live.lines import ASCII, plain  # noqa: PLC0415
    from worker.live.sections import worker_table  # noqa: PLC0415

    working = [Working(one, one.per_minute) for one in found]
    width = shutil.get_terminal_size(_WIDE).columns
    return [plain(line) for line in worker_table(working, system_clock(), width, ASCII.more)]


def workers_document(found: Sequence[Worker]) -> list[dict[str, Any]]:
    """Return the promised fields, as the live view has them."""
    return [
        {**msgspec.structs.asdict(one), "recordings_per_minute": round(one.per_minute, 1)}
        for one in found
    ]
