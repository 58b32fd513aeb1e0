"""The archive's disk, with the real command: full, read-only, or not ours to write to any more.

What needs a mount has its equivalent, which runs everywhere, in
`tests/integration/test_disk_troubles.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.test_stops import CALLS, in_the_middle, slow
from tests.acceptance.vault import COMMAND, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.vault import Vault


def mount(*words: str) -> bool:
    """Call mount; return whether it did what it was told."""
    try:
        done = subprocess.run(["mount", *words], check=False, capture_output=True)  # noqa: S603, S607 - no shell
    except OSError:
        return False
    return done.returncode == 0


@contextmanager
def disk_of(folder: Path, size: str) -> Iterator[None]:
    """Mount a disk of its own at a folder; where that is not allowed, the test is skipped."""
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={size}", "callvault-test", str(folder)):
        pytest.skip("mounting is not allowed here; see the equivalent in the integration tests")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607 - no shell


def assert_nothing_half(vault: Vault) -> None:
    """Check that every row has its bytes, and that no part file is left."""
    kept = dict(vault.rows("SELECT path, sha256 FROM recordings"))
    found = vault.recordings()
    assert kept == {path: found.get(path) for path in kept}
    assert vault.parts() == []


def test_a_disk_that_fills_up_and_gets_room(begin: Callable[..., Vault]) -> None:
    """Full in the middle: exit 7 and what to do; with room made, the next run goes on."""
    vault = begin("--calls", "60", "--mix", "clean", "--bytes", "200KB")
    vault.good("enqueue", "cdr", "calls.csv")
    with disk_of(vault.root, "4m"):
        vault.run("work", "--drain").says(7, "disk-full", "[archive] root")
        assert 0 < vault.archived() < 60
        assert_nothing_half(vault)
        assert "disk-full" in str(vault.status()["paused"])

        assert mount("-o", "remount,size=64m", str(vault.root))
        vault.good("work", "--drain")

        assert vault.status()["paused"] is None
        assert_archive_is_true(vault)


def test_a_disk_that_becomes_read_only(begin: Callable[..., Vault]) -> None:
    """In the middle, as a failing disk does: exit 7; writable again, the next run goes on."""
    vault = slow(begin)
    with disk_of(vault.root, "100m"):
        with vault.started("work", "--drain") as work:
            in_the_middle(vault, work)
            # Refused while a file is open for writing.
            until(lambda: mount("-o", "remount,ro", str(vault.root)), while_running=work)
            done = work.wait()
        done.says(7, "disk-refuses", "[archive] root")
        assert 0 < vault.archived() < CALLS

        vault.run("work", "--drain").says(7, "Read-only file system", "[archive] root")
        assert mount("-o", "remount,rw", str(vault.root))
        vault.good("work", "--drain")

        assert vault.status()["paused"] is None
        assert_archive_is_true(vault)


def test_permissions_that_are_taken_away(begin: Callable[..., Vault]) -> None:
    """Folders become somebody else's in the middle: exit 7; ours again, the next run goes on."""
    vault = slow(begin)
    # Root may write anywhere; without this capability it is held to the permissions as others are.
    line = [str(COMMAND), "work", "--drain"]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("no setpriv here; see the equivalent in the integration tests")
        line = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *line]
    with vault.launched(line) as work:
        in_the_middle(vault, work)
        folders = [vault.root / ".parts", *vault.root.glob("main/*/*/*/*")]
        for folder in folders:
            folder.chmod(0o500)
        done = work.wait()

    done.says(7, "disk-refuses", "Permission denied", "[archive] root")
    assert 0 < vault.archived() < CALLS
    for folder in folders:
        folder.chmod(0o750)
    vault.good("work", "--drain")
    assert vault.status()["paused"] is None
    assert_archive_is_true(vault)


def test_a_root_that_is_empty_all_at_once_is_not_begun_anew(begin: Callable[..., Vault]) -> None:
    """As an unmounted disk leaves it: exit 7 and what to look at, whatever is asked.

    With the disk back all is as before; one who means it makes the folder himself.
    """
    vault = begin("--calls", "12", "--mix", "clean", "--bytes", "5KB")
    vault.good("run", "calls.csv", "--drain")
    away = vault.folder / "away"
    vault.root.rename(away)
    vault.root.mkdir()

    vault.change("UPDATE calls SET state = 'expected' WHERE rowid = 1")
    for words in (["work", "--drain"], ["verify"], ["adopt", str(away)]):
        vault.run(*words).says(7, "no archive in", "mounted")
    assert list(vault.root.iterdir()) == []

    vault.root.rmdir()
    away.rename(vault.root)
    vault.good("work", "--drain")
    assert_archive_is_true(vault)
