"""Processes that are stopped for a while (SIGSTOP), or for good: the others go on without them."""

from __future__ import annotations

import os
import signal
import sqlite3
from typing import TYPE_CHECKING

from tests.acceptance.test_stops import CALLS, assert_nothing_twice, in_the_middle, slow
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault


def archived_more(vault: Vault, calls: int = 40) -> Callable[[], bool]:
    """Return a condition: so many more calls are archived than now."""
    least = vault.archived() + calls
    return lambda: vault.archived() >= least


def stop(vault: Vault, pid: int, *, with_lock: bool) -> None:
    """Stop a process while it holds the catalog's lock, which stops everybody, or does not."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        if with_lock == is_locked(vault):
            return
        os.kill(pid, signal.SIGCONT)


def is_locked(vault: Vault) -> bool:
    """Tell whether somebody holds the catalog's lock, and keeps it."""
    try:
        with vault.locked(within_s=1.0):
            return False
    except sqlite3.OperationalError:
        return True


def test_a_worker_that_is_stopped_for_a_moment_goes_on(begin: Callable[..., Vault]) -> None:
    """Shorter than a lease: it keeps its calls, the other goes on, and nothing is done twice."""
    vault = slow(begin)

    with vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        worker, _ = work.children()
        stop(vault, worker, with_lock=False)
        until(archived_more(vault), while_running=work)
        os.kill(worker, signal.SIGCONT)
        done = work.wait()

    assert done.code == 0, done
    assert "gave back a dead batch" not in done.err
    assert_nothing_twice(vault)


def test_a_worker_that_stays_stopped_is_replaced(begin: Callable[..., Vault]) -> None:
    """The only worker is stopped for good, with the catalog's lock in hand: nobody can write.

    After a lease it is killed, and another goes on; what it held is given back within a minute.
    """
    vault = slow(begin)
    vault.configure(worker={"processes": 1, "downloads": 4, "batch": 40})

    with vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        (worker,) = work.children()
        stop(vault, worker, with_lock=True)
        until(lambda: work.children() not in ([], [worker]), while_running=work)
        done = work.wait()

    assert done.code == 0, done
    assert "gave no sign of life and is killed" in done.err
    assert "gave back a dead batch" in done.err
    assert_nothing_twice(vault, killed=1)


def test_a_supervisor_that_is_stopped_is_replaced_by_another(begin: Callable[..., Vault]) -> None:
    """One leads in its place and the work goes on; when it continues, both end well together."""
    vault = slow(begin)

    with vault.started("work", "--drain") as first, vault.started("work", "--drain") as second:
        in_the_middle(vault, first)
        until(lambda: len(second.children()) == 2, while_running=second)
        stop(vault, first.pid, with_lock=False)
        until(lambda: vault.archived() == CALLS, while_running=second)
        assert second.wait().code == 0
        first.send(signal.SIGCONT)
        done = first.wait()

    assert done.code == 0, done
    assert "gave no sign of life" not in done.err
    assert_nothing_twice(vault)
