"""Recordings that were there before callvault are taken in, and not fetched again."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_manifests_tell_all
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.vault import Vault


def downloaded(vault: Vault, count: int) -> Path:
    """Return a folder with the first recordings under other names, and an archive that has none."""
    vault.good("enqueue", "cdr", "calls.csv")
    vault.good("work", "--drain")
    folder = vault.folder / "downloads"
    for number, path in enumerate(sorted(vault.recordings())[:count]):
        name = path.rpartition("/")[2]
        target = folder / str(number % 3) / f"call-{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(vault.root / path, target)
    shutil.rmtree(vault.root)
    shutil.rmtree(vault.folder / "state")
    vault.good("enqueue", "cdr", "calls.csv")
    assert vault.provider is not None
    vault.provider.reset()
    return folder


def assert_true(vault: Vault) -> None:
    """Check that each call has the recording that the provider has, wherever it came from."""
    assert vault.provider is not None
    truth = {call["sid"]: call["sha256"] for call in vault.provider.truth()}
    kept = {path.rpartition("/")[2].partition(".")[0]: h for path, h in vault.recordings().items()}
    assert truth == kept
    assert vault.rows("SELECT lease FROM batches") == []
    assert vault.parts() == []
    vault.good("verify", "--no-progress")
    assert_manifests_tell_all(vault)


def test_only_the_others_are_fetched(begin: Callable[..., Vault]) -> None:
    """What was adopted is archived; a second run finds it there, a drain fetches the rest."""
    vault = begin("--calls", "150", "--mix", "clean")
    folder = downloaded(vault, 100)

    dry = vault.good("adopt", str(folder), "--dry-run", "--json").json
    done = vault.good("adopt", str(folder), "--json").json
    again = vault.good("adopt", str(folder), "--json").json

    assert (dry["adopted"], done["adopted"], again["already"]) == (100, 100, 100)
    vault.good("work", "--drain")
    assert vault.provider is not None
    assert vault.provider.stats()["downloads"]["total"] == 50
    assert_true(vault)


def test_workers_and_adopt_share_the_calls(begin: Callable[..., Vault]) -> None:
    """Side by side no call is archived twice; what the workers hold is left to them."""
    vault = begin("--calls", "600", "--mix", "clean", "--bytes", "60KB")
    vault.configure(worker={"processes": 1, "downloads": 2, "batch": 20})
    folder = downloaded(vault, 600)

    with vault.started("adopt", str(folder), "--json") as adopting:
        until(lambda: vault.archived() > 0, while_running=adopting)
        drained = vault.run("work", "--drain")
        done = adopting.wait()

    told = done.json
    assert drained.code == 0, drained
    assert done.code == (5 if told["busy"] else 0), done
    assert told["adopted"] > 0
    assert sum(told[name] for name in ("adopted", "already", "busy")) == 600
    assert vault.provider is not None
    assert vault.provider.stats()["downloads"]["total"] <= 600 - told["adopted"]
    assert_true(vault)


def test_one_that_is_killed_leaves_nothing_false(begin: Callable[..., Vault]) -> None:
    """Its calls are given back when its lease lapses, and all recordings come from somewhere."""
    vault = begin("--calls", "400", "--mix", "clean", "--bytes", "60KB")
    folder = downloaded(vault, 400)

    with vault.started("adopt", str(folder), "--copy") as running:
        until(lambda: vault.archived() > 0, while_running=running)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()

    before = vault.archived()
    assert 0 < before < 400
    assert len(vault.rows("SELECT path FROM recordings")) == before
    # What it held is not its own any more; the rest is taken in at once.
    assert vault.run("adopt", str(folder)).code in {0, 5}
    vault.good("work", "--drain")
    assert_true(vault)
