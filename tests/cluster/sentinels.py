"""A run whose queue is watched by three sentinels, and whose master dies in the middle of it."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import until
from tests.redises import PASSWORD, watched_servers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.acceptance.vault import Vault

PASSWORDS: Final = {"QUEUE_PASSWORD": PASSWORD, "QUEUE_SENTINEL_PASSWORD": PASSWORD[::-1]}
_RUN_S: Final = 900.0


class Failover(msgspec.Struct, frozen=True):
    """What a master's death did to a run; seconds.

    ``settled`` is how many calls were settled when it died, ``elected_s`` how long after that the
    sentinels named another; ``gap_s`` is the longest time between two calls that were settled, and
    ``gap_at_s`` when it began, counted from the death. ``before_s`` is the longest before it.
    """

    calls: int
    settled: int
    elected_s: float
    gap_s: float
    gap_at_s: float
    before_s: float
    downloads: int
    fetched_again: int
    said: str


def fail_over(
    vault: Vault, folder: Path, calls: int, worker: dict[str, object], *, after: float = 0.2
) -> Failover:
    """Let the master die ``after`` a share of a clean vault's calls; all has to be true."""
    assert vault.provider is not None
    with watched_servers(folder, password=PASSWORD, of_sentinels=PASSWORD[::-1]) as watched:
        vault.configure(queue={"url": watched.url()}, worker=worker)
        vault.good("enqueue", "cdr", "calls.csv")
        with vault.started("work", "--drain", **PASSWORDS) as work:
            until(lambda: vault.archived() >= calls * after, while_running=work)
            assert vault.archived() < calls * (after + 0.3), "it was over before the middle"
            before, killed = watched.master, time.time()
            before.kill()
            until(lambda: watched.master is not before)
            elected_s = time.time() - killed
            done = work.wait(_RUN_S)
    assert done.code == 0, done
    assert "Traceback" not in done.err, done.err
    assert vault.states() == {"archived": calls}
    assert_archive_is_true(vault)
    for secret in PASSWORDS.values():
        assert secret not in done.err
    rows = vault.rows("SELECT settled_ms FROM calls ORDER BY settled_ms")
    settled = [ms / 1000 for (ms,) in rows]
    gaps = [(late - early, early) for early, late in pairwise(settled)]
    longest, since = max(gaps)
    downloads = vault.provider.stats()["downloads"]
    return Failover(
        calls=calls,
        settled=sum(at <= killed for at in settled),
        elected_s=round(elected_s, 2),
        gap_s=round(longest, 2),
        gap_at_s=round(since - killed, 2),
        before_s=round(max(gap for gap, early in gaps if early + gap < killed), 2),
        downloads=downloads["total"],
        fetched_again=downloads["total"] - downloads["distinct"],
        said=done.err,
    )


def lines(told: Failover) -> Sequence[str]:
    """Write it as text."""
    return (
        f"sentinels: the master died with {told.settled:,} of {told.calls:,} calls settled",
        f"  another was named after {told.elected_s} s",
        f"  no call was settled for {told.gap_s} s, from {told.gap_at_s:+} s on",
        f"  before its death the longest such time was {told.before_s} s",
        f"  downloads   {told.downloads:,}, {told.fetched_again:,} of them again",
    )
