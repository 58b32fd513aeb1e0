"""Sentinels and a run of the real command: the master dies in the middle, and nothing is lost."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import until
from tests.redises import PASSWORD, watched_servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.vault import Vault

CALLS = 300


def test_the_master_killed_in_the_middle_of_a_run(
    begin: Callable[..., Vault], tmp_path: Path
) -> None:
    """All is archived by itself, and each recording is there once; the gap is printed.

    Sentinels and servers have passwords, which come by the variables.
    """
    passwords = {"QUEUE_PASSWORD": PASSWORD, "QUEUE_SENTINEL_PASSWORD": PASSWORD[::-1]}
    vault = begin("--calls", str(CALLS), "--mix", "clean", "--bytes", "60KB")
    with watched_servers(
        tmp_path / "redis", password=PASSWORD, of_sentinels=PASSWORD[::-1]
    ) as watched:
        vault.configure(
            queue={"url": watched.url()}, worker={"processes": 2, "downloads": 2, "batch": 20}
        )
        vault.good("enqueue", "cdr", "calls.csv")
        with vault.started("work", "--drain", **passwords) as work:
            until(lambda: vault.archived() >= CALLS // 5, while_running=work)
            assert vault.archived() < CALLS // 2, "it was over before the middle"
            before, killed_ms = watched.master, time.time() * 1000
            before.kill()
            done = work.wait()
        assert watched.master is not before

    assert done.code == 0, done
    assert "Traceback" not in done.err, done.err
    assert "neither AOF nor RDB is on" in done.err
    assert vault.states() == {"archived": CALLS}
    assert_archive_is_true(vault)
    for secret in passwords.values():
        assert secret not in done.err
    settled = [ms for (ms,) in vault.rows("SELECT settled_ms FROM calls ORDER BY settled_ms")]
    longest, since = max((late - early, early) for early, late in pairwise(settled))
    sys.stderr.write(
        f"the master died with {sum(ms <= killed_ms for ms in settled)} of {CALLS} calls settled; "
        f"no call was for {longest / 1000:.1f} s, from {(since - killed_ms) / 1000:+.1f} s on\n"
    )
