"""A disk under catalog and queue that fills up: named by what looks, and the end of a drain.

What needs no mount is in `tests/unit/test_statedisk.py`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.test_disk import disk_of
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.vault import Vault


def fill(folder: Path) -> Path:
    """Take all the room that a disk has; return the file that has it."""
    ballast = folder / "ballast"
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(handle, bytes(4096))
    os.close(handle)
    return ballast


def assert_no_row_without_bytes(vault: Vault) -> None:
    """Check that every row has its bytes."""
    kept = dict(vault.rows("SELECT path, sha256 FROM recordings"))
    found = vault.recordings()
    assert kept == {path: found.get(path) for path in kept}


def test_a_full_state_disk_is_named_and_ends_a_drain(begin: Callable[..., Vault]) -> None:
    """By status, its live view, the report, the metrics and the log; with room it goes on.

    All that was done before is as it was, and nothing is published without its row.
    """
    vault = begin("--calls", "120", "--mix", "clean", "--bytes", "60KB")
    vault.configure(worker={"processes": 1, "downloads": 1, "batch": 10})
    state = vault.catalog.parent
    with disk_of(state, "64m"):
        vault.good("enqueue", "cdr", "calls.csv")
        with vault.started("work", "--drain") as work:
            until(lambda: vault.archived() >= 10, while_running=work)
            ballast = fill(state)
            full = f"the disk of {state} is full"
            until(lambda: full in work.said, while_running=work)

            (trouble,) = (t for t in vault.status()["troubles"] if t["what"] == "state-disk")
            assert full in trouble["detail"]
            assert "make room" in trouble["detail"]
            with vault.started("status", "--watch", "--every", "200ms") as watch:
                until(lambda: "trouble: state-disk on" in watch.said, while_running=watch)
            report = " ".join(vault.good("report", "--day", "yesterday").out.split())
            assert "state-disk on" in report
            assert "make room" in report
            assert "callvault_state_disk_free_bytes 0.0" in vault.good("metrics").out
            done = work.wait()
        done.says(7, full, "du -xh")
        assert done.err.count("nothing can be noted any more") == 1
        assert 0 < vault.archived() < 120
        assert_no_row_without_bytes(vault)
        vault.run("work", "--drain").says(7, full)

        ballast.unlink()
        vault.end_queue()
        # As if some time had passed: who could not say goodbye is taken for dead by then.
        vault.change("UPDATE processes SET beat_ms = beat_ms - 600000")
        vault.good("work", "--drain")
        assert_archive_is_true(vault)
        vault.end_queue()


def test_recordings_and_state_on_one_full_disk_end_a_drain(begin: Callable[..., Vault]) -> None:
    """As they lie by default: 7 by the pause where that could be noted, else by the disk itself."""
    vault = begin("--calls", "200", "--mix", "clean", "--bytes", "200KB")
    one = vault.folder / "one"
    vault.root, vault.catalog = one / "recordings", one / "state" / "catalog.db"
    vault.configure(
        archive={"root": str(vault.root), "min_free": "1MB"},
        queue={"state": str(vault.catalog.parent)},
        catalog={"url": f"sqlite:///{vault.catalog}"},
        worker={"processes": 2},
    )
    with disk_of(one, "16m"):
        vault.good("enqueue", "cdr", "calls.csv")

        vault.run("work", "--drain").says(7)

        said = vault.good("status").out
        assert "disk-full" in said or "state-disk" in said
        assert 0 < vault.archived() < 200
        assert_no_row_without_bytes(vault)
