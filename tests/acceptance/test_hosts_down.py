"""A recordings' host that stays down: the drain gives up, and no call pays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import is_gone, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault


def test_a_drain_ends_with_5_and_the_next_one_archives_all(begin: Callable[..., Vault]) -> None:
    """Nothing is failed or lost; the probe of the next drain finds the host well again.

    The minutes between the probes are let pass by the test, in the catalog.
    """
    vault = begin("--calls", "12", "--mix", "clean", "--bytes", "4000")
    assert vault.provider is not None
    vault.provider.spoil({"kind": "outage", "where": "hosts"})
    vault.good("enqueue", "cdr", "calls.csv")

    with vault.started("work", "--drain") as work:

        def hurried() -> bool:
            vault.change("UPDATE pauses SET probe_ms = 1 WHERE probe_ms > 1")
            return is_gone(work.pid)

        until(hurried)
        done = work.wait()

    assert done.code == 5, done
    assert vault.rows("SELECT reason, strikes >= 8 FROM pauses") == [("fetch-host-down", 1)]
    expected = [("expected", 0, 0)]
    assert vault.rows("SELECT DISTINCT state, tries, refreshes FROM calls") == expected
    vault.provider.heal()
    vault.good("work", "--drain")
    assert_archive_is_true(vault)
    assert vault.rows("SELECT reason FROM pauses") == []
