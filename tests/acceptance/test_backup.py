"""The catalog is backed up while a run writes, restored, and the next run finishes the work."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.test_disk import disk_of
from tests.acceptance.test_restore import lose_catalog
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

CALLS = 400


def test_a_backup_of_a_running_night_is_restored(begin: Callable[..., Vault]) -> None:
    """What was archived after it is found in its place and adopted: nothing is fetched twice."""
    vault = begin("--calls", str(CALLS), "--mix", "clean")
    assert vault.provider is not None
    vault.good("enqueue", "cdr", "calls.csv")
    with vault.started("work", "--drain") as run:
        until(lambda: vault.archived() > CALLS // 20, while_running=run)
        told = vault.good("catalog", "backup", "copy.db", "--json").json
        at_backup = vault.archived()
        assert run.wait().code == 0
    assert told["file"] == "copy.db"
    lose_catalog(vault)
    shutil.copy(vault.folder / "copy.db", vault.catalog)
    restored = vault.archived()
    assert restored <= at_backup
    vault.good("catalog", "check")

    # Some time later, so that the processes that had batches then are known to be dead by now.
    vault.change("UPDATE processes SET beat_ms = beat_ms - 60000")
    vault.good("work", "--drain")

    assert_archive_is_true(vault)
    assert vault.status()["balanced"]
    assert vault.provider.stats()["downloads"]["total"] == CALLS
    vault.good("verify", "--no-progress")
    noted = vault.rows("SELECT command, code FROM runs ORDER BY began_ms, rowid")
    assert noted[:2] == [("enqueue cdr", 0), ("work", None)]
    assert ("catalog backup", None) not in noted
    assert ("work", 0) in noted[2:]


def test_a_disk_without_room_for_a_backup(alone: Vault) -> None:
    """Exit 7 and what to do, before anything is written."""
    alone.good("enqueue", "sids", "0123456789abcdef")
    small = alone.folder / "small"
    with disk_of(small, "1M"):
        alone.run("catalog", "backup", str(small)).says(7, "a backup needs", "make room")
        assert list(small.iterdir()) == []
