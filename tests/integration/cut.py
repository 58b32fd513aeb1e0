"""A worker process that ends itself by SIGKILL at one point of archiving a batch.

``python -m tests.integration.cut FOLDER ACCOUNT_JSON QUEUE_URL POINT SID...``
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archive.catalog import work
from archive.catalog.writer import Catalog
from archive.store import Store
from jobs.queue import close_pool, open_pool
from tests.integration.working import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.store import Pending

STEPS: Final = ("_write", "_flush", "_clear", "_describe", "_place", "_flush_folders")
"""The store's steps, in their order; between any two of them there is a point."""
POINTS: Final = (
    "before _write",
    "within _write",
    *(f"after {step}" for step in STEPS),
    "before commit",
    "after commit",
    "after batch",
)


class CutStore(Store):
    """A store that ends its process before, within or after one of its steps."""

    def __init__(self, root: Path, when: str, step: str) -> None:
        super().__init__(root)
        if step not in STEPS:
            return
        do = getattr(self, step)

        def cut(pending: Pending, *more: Any) -> Any:  # noqa: ANN401 - as the steps return
            if when == "within":
                half = pending.body or b""
                self.part(pending.lease, pending.place).write_bytes(half[: len(half) // 2])
            if when == "after":
                do(pending, *more)
            die()

        setattr(self, step, cut)


class CutCatalog(Catalog):
    """A catalog that ends its process before or after the commit of a recording."""

    def __init__(self, where: str | Path, when: str) -> None:
        super().__init__(where)
        self._when = when

    async def write(self, work_: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Write as the catalog does, but for one kind of work."""
        is_cut = work_ is work.archive and args[0]
        if is_cut and self._when == "before":
            die()
        result = await super().write(work_, *args, **kwargs)
        if is_cut and self._when == "after":
            die()
        return result


def die() -> None:
    """End at once, as by a power cut of this process alone."""
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: Path, account: dict[str, Any], url: str, point: str, *sids: str) -> None:
    """Archive a batch up to a point."""
    when, _, step = point.partition(" ")
    pool = open_pool(url)
    worker = Worker(folder, account, pool)
    worker.store = partial(CutStore, when=when, step=step)
    async with worker.open():
        if step == "commit":
            catalog = CutCatalog(worker.parts.catalog.where, when)
            worker.replace_parts(replace(worker.parts, catalog=catalog))
        await worker.run(*sids)
        die()
    await close_pool(pool)


if __name__ == "__main__":
    place, told, queue, *rest = sys.argv[1:]
    asyncio.run(main(Path(place), json.loads(told), queue, *rest))
