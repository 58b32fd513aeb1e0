"""Kills, stops and a flushed queue in the middle: the work goes on, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from redis import Redis

from archive.timings import STOP_GRACE_S
from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import Running, Vault, is_gone, until
from worker.valkey import EmbeddedValkey, socket_path

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: Final = 500
DOWNLOADS: Final = 4
WAITING: Final = 64
"""Recordings that a process may hold in memory between their last byte and their place."""


def slow(begin: Callable[..., Vault], *options: str) -> Vault:
    """Begin with enough calls, few at a time, for something to happen in the middle."""
    vault = begin("--calls", str(CALLS), "--mix", "clean", "--bytes", "60KB", *options)
    vault.configure(worker={"processes": 2, "downloads": DOWNLOADS, "batch": 40})
    vault.good("enqueue", "cdr", "calls.csv")
    return vault


def in_the_middle(vault: Vault, running: Running, least: int = 40) -> None:
    """Wait until some calls are archived and others are being worked on."""

    def begun() -> bool:
        states = vault.states()
        return states.get("archived", 0) >= least and states.get("leased", 0) > 0

    until(begun, while_running=running)
    assert vault.archived() < CALLS, "it was over before the middle"


def assert_given_back(vault: Vault) -> None:
    """Check that nobody holds anything."""
    assert vault.states().get("leased", 0) == 0
    assert vault.rows("SELECT lease FROM batches") == []
    assert vault.parts() == []


def assert_nothing_twice(vault: Vault, *, killed: int = 0) -> None:
    """Check that each recording was fetched once, but for what killed processes had in hand."""
    assert_archive_is_true(vault)
    assert vault.provider is not None
    fetched = vault.provider.stats()["downloads"]
    assert fetched["distinct"] == CALLS
    assert fetched["total"] <= CALLS + killed * (DOWNLOADS + WAITING)
    assert vault.rows("SELECT COUNT(*), COUNT(DISTINCT sid) FROM recordings") == [(CALLS, CALLS)]


def test_killed_workers_lose_and_repeat_nothing(begin: Callable[..., Vault]) -> None:
    """Worker processes killed in the middle are started again, and the drain completes.

    Their calls are given back at once, since the supervisor saw them die.
    """
    vault = slow(begin)

    with vault.started("work", "--drain") as work:
        for least in (40, 150):
            in_the_middle(vault, work, least)
            os.kill(work.children()[0], signal.SIGKILL)
        done = work.wait()

    assert done.code == 0
    assert "a worker process died and is started again" in done.err
    assert_nothing_twice(vault, killed=2)


def test_workers_end_with_their_supervisor(begin: Callable[..., Vault]) -> None:
    """The supervisor is killed: its workers give back what they hold and end; a new run completes.

    The queue's server that was left behind is taken over.
    """
    vault = slow(begin)

    with vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        workers = work.children()
        work.send(signal.SIGKILL)
        until(lambda: all(map(is_gone, workers)))

    assert len(workers) == 2
    assert_given_back(vault)
    assert vault.archived() < CALLS
    vault.good("work", "--drain")
    assert_nothing_twice(vault)


def test_when_all_are_killed_their_leases_lapse(begin: Callable[..., Vault]) -> None:
    """Supervisor and workers are killed together: a new run has the calls back within a minute."""
    vault = slow(begin)

    with vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        killed_at = time.monotonic()
        for pid in (work.pid, *work.children()):
            os.kill(pid, signal.SIGKILL)
        done = work.wait()
    assert done.code == -signal.SIGKILL
    held = vault.states()["leased"]
    assert held > 0

    vault.good("work", "--drain")

    assert time.monotonic() - killed_at < 60 + 15
    assert_nothing_twice(vault, killed=2)


def test_a_service_told_to_end_gives_everything_back(begin: Callable[..., Vault]) -> None:
    """SIGTERM to a service ends it with 0, well within the grace, and nobody holds anything."""
    vault = slow(begin)

    with vault.started("work") as work:
        in_the_middle(vault, work)
        workers = work.children()
        work.send(signal.SIGTERM)
        told_at = time.monotonic()
        done = work.wait()

    assert done.code == 0
    assert time.monotonic() - told_at < STOP_GRACE_S / 2
    assert all(map(is_gone, workers))
    assert_given_back(vault)
    assert not socket_path(vault.folder / "state").exists()
    recorded = vault.rows("SELECT path FROM recordings")
    assert len(recorded) == len(vault.recordings())


def test_an_interrupted_drain_says_that_work_remains(begin: Callable[..., Vault]) -> None:
    """SIGTERM to a drain ends it with 5 and says what to do; run again, it completes."""
    vault = slow(begin)

    with vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        work.send(signal.SIGTERM)
        done = work.wait()

    done.says(5, "stopped before all was settled; run it again to go on")
    assert_given_back(vault)
    assert vault.archived() < CALLS
    vault.good("work", "--drain")
    assert_nothing_twice(vault)


def test_a_service_takes_up_what_is_enqueued_meanwhile(begin: Callable[..., Vault]) -> None:
    """While a service runs, an export is enqueued beside it, and is archived without a restart."""
    vault = begin("--calls", "30", "--mix", "clean", "--bytes", "4000")
    vault.configure(worker={"processes": 2})

    with vault.started("work") as work:
        until(lambda: len(work.children()) == 2, while_running=work)
        vault.good("enqueue", "cdr", "calls.csv")
        until(lambda: vault.archived() == 30, while_running=work)
        days = vault.root.glob("main/*/*/*")
        until(lambda: all((day / "SHA256SUMS").exists() for day in days), while_running=work)
        work.send(signal.SIGTERM)
        done = work.wait()

    assert done.code == 0
    assert_archive_is_true(vault)


def test_a_flushed_queue_loses_nothing(begin: Callable[..., Vault]) -> None:
    """Everything in the queue is deleted in the middle, twice: all is archived all the same."""
    vault = slow(begin)

    with vault.started("work", "--drain") as work:
        for least in (40, 150):
            in_the_middle(vault, work, least)
            with Redis(unix_socket_path=str(socket_path(vault.folder / "state"))) as queue:
                queue.flushall()
        done = work.wait()

    assert done.code == 0
    assert_nothing_twice(vault)


def test_a_killed_queue_is_brought_back(begin: Callable[..., Vault]) -> None:
    """The queue's server is killed in the middle: it is started again, and all is archived."""
    vault = slow(begin)

    with vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        with Redis(unix_socket_path=str(socket_path(vault.folder / "state"))) as queue:
            server = int(queue.info("server")["process_id"])
        os.kill(server, signal.SIGKILL)
        done = work.wait()

    assert done.code == 0
    assert_nothing_twice(vault, killed=2)


def test_a_bare_arq_worker_archives_by_itself(begin: Callable[..., Vault]) -> None:
    """Started by arq's own command on a Valkey at a URL, a worker dispatches and archives.

    SIGTERM ends it cleanly: nothing is held, no part file stays.
    """
    vault = slow(begin)

    with EmbeddedValkey(vault.folder / "another") as valkey:
        vault.configure(
            queue={"url": valkey.url}, worker={"processes": 1, "downloads": 4, "batch": 40}
        )
        line = [sys.executable, "-m", "arq", "worker.main.WorkerSettings"]
        config = str(vault.folder / "config.toml")
        with vault.launched(line, CALLVAULT_CONFIG=config) as worker:
            in_the_middle(vault, worker)
            worker.send(signal.SIGTERM)
            done = worker.wait()
        assert "Traceback" not in done.err
        assert_given_back(vault)
        with vault.launched(line, CALLVAULT_CONFIG=config) as worker:
            until(lambda: vault.archived() == CALLS, while_running=worker)
            behind = "SELECT folder FROM changed_days"
            until(lambda: vault.rows(behind) == [], while_running=worker)
            worker.send(signal.SIGTERM)
            done = worker.wait()

    assert "Traceback" not in done.err
    assert_given_back(vault)
    assert_nothing_twice(vault)


def test_a_catalog_that_vanishes_is_no_success(begin: Callable[..., Vault]) -> None:
    """A drain that works on a file nobody will find again says so and ends with 7.

    Nobody begins another beside what it has published, which a rebuild takes in.
    """
    vault = slow(begin)
    with vault.started("work", "--drain") as running:
        in_the_middle(vault, running)
        for file in (vault.folder / "state").glob("catalog.db*"):
            file.unlink()
        running.wait().says(7, "removed or replaced while it was in use")
    vault.run("enqueue", "cdr", "calls.csv").says(7, "callvault rebuild")
    assert vault.run("rebuild").code == 5, "what is not archived is still waiting"
    vault.good("enqueue", "cdr", "calls.csv")
    vault.good("work", "--drain")
    assert vault.archived() == CALLS
    assert_archive_is_true(vault)


def test_a_listing_outlives_the_owner_of_its_queue(begin: Callable[..., Vault]) -> None:
    """A command that is a guest of another's queue brings it back when that one stops."""
    vault = begin("--calls", "1500", "--span", "10h")
    with vault.started("work") as owner:
        until(lambda: socket_path(vault.folder / "state").exists(), while_running=owner)
        with vault.started("enqueue", "range", "--from", "3 days ago", "--to", "today") as guest:
            until(lambda: vault.rows("SELECT 1 FROM calls LIMIT 1"), while_running=guest)
            owner.send(signal.SIGTERM)
            done = guest.wait()
    assert (done.code, done.out.splitlines()[-1:]) == (
        0,
        ["1,500 calls listed: 1,500 calls new, 0 already known, 0 rows rejected"],
    )
    assert "was started again" not in done.out, "logs are for stderr"
