"""Whether a drain has anything to do is asked of the calls, and not of the counts of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from archive.errors import Exit
from tests.unit.books import SIDS, Books, called
from tests.unit.terminal import SETTINGS
from worker.progress import LogProgress
from worker.settings import load_settings
from worker.supervisor import Supervisor

if TYPE_CHECKING:
    from pathlib import Path

_SECRETS = {"EXOTEL_API_KEY": "a-key-of-tests", "EXOTEL_API_TOKEN": "a-token-of-tests"}


def test_a_count_of_nothing_to_do_hides_no_call_that_waits(tmp_path: Path) -> None:
    """A drain that is stopped says that work remains, though the counts know of none."""
    (tmp_path / "config.toml").write_text(SETTINGS)
    settings = load_settings(tmp_path / "config.toml", {})
    books = Books(settings.catalog_path)
    books.add(called(SIDS[0]))
    books.sql("DELETE FROM counts")
    books.database.close()
    supervisor = Supervisor(settings, _SECRETS, drain=True, progress=LogProgress())

    async def stopped_at_once() -> Exit:
        asyncio.get_running_loop().call_soon(supervisor.stop)
        return await supervisor.run()

    assert asyncio.run(stopped_at_once()) is Exit.WORK_REMAINS
