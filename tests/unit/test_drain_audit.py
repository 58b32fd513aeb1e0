"""How a drain ends where the books, or the counts of them, are wrong; and how that is mended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from archive.errors import CallvaultError, Exit
from tests.unit.books import SIDS
from tests.unit.vaulted import sound
from worker.progress import LogProgress
from worker.settings import load_settings
from worker.supervisor import Supervisor

if TYPE_CHECKING:
    from tests.unit.vaulted import Vaulted

_SECRETS = {"EXOTEL_API_KEY": "a-key-of-tests", "EXOTEL_API_TOKEN": "a-token-of-tests"}


def drain(vaulted: Vaulted) -> Exit:
    """Drain an archive in which nothing waits."""
    settings = load_settings(vaulted.folder / "config.toml", {})
    supervisor = Supervisor(settings, _SECRETS, drain=True, progress=LogProgress())
    return asyncio.run(supervisor.run())


@pytest.fixture
def full(vaulted: Vaulted) -> Vaulted:
    """Two archived calls."""
    for number in range(2):
        vaulted.archive(SIDS[number], sound(number))
    return vaulted


def test_counts_that_are_not_those_of_the_rows_end_a_drain_in_error(full: Vaulted) -> None:
    """Until they are made anew by `catalog check --recount`; the books themselves balance."""
    assert drain(full) is Exit.COMPLETE
    full.books.sql("UPDATE counts SET amount = amount + 3 WHERE what IN ('calls', 'seen')")

    with pytest.raises(CallvaultError, match="do not balance: known: 2 by the rows, but 5") as met:
        drain(full)
    assert met.value.exit_code is Exit.UNEXPECTED
    told = full.terminal.run("catalog", "check")
    assert isinstance(told.exception, CallvaultError)
    assert "archived: 2 by the rows, but 5 by the counts" in told.stdout

    assert "its books balance" in full.terminal.says("catalog", "check", "--recount")
    assert "its books balance" in full.terminal.says("catalog", "check")
    assert drain(full) is Exit.COMPLETE


def test_a_row_that_went_missing_with_its_count_ends_a_drain_in_error(full: Vaulted) -> None:
    """Counting anew mends no books: what contradicts is not the count."""
    full.books.sql("DELETE FROM recordings WHERE sid = ?", SIDS[0])
    expected = "2 calls are archived, but 1 have a recording"
    with pytest.raises(CallvaultError, match=expected):
        drain(full)
    told = full.terminal.run("catalog", "check", "--recount")
    assert isinstance(told.exception, CallvaultError)
    assert expected in told.stdout
