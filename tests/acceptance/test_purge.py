"""Recordings are deleted on request, after a question, and nothing brings them back."""

from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_manifests_tell_all
from tests.acceptance.vault import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Done, Vault


def answered(vault: Vault, answer: str, *words: str) -> Done:
    """Run a command on a terminal on which somebody answers; return how it ended."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    line = ["sh", "-c", f'exec "$0" "$@" < {os.ttyname(theirs)}', str(COMMAND), *words]
    try:
        with vault.launched(line) as running:
            return running.wait()
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_request_is_asked_about_met_and_stays_met(begin: Callable[..., Vault]) -> None:
    """A no deletes nothing. After a yes the same export and a drain ask for nothing again."""
    vault = begin("--calls", "20", "--mix", "clean")
    assert vault.provider is not None
    vault.good("enqueue", "cdr", "calls.csv")
    vault.good("work", "--drain")
    [(sid, path)] = vault.rows("SELECT sid, path FROM recordings ORDER BY path LIMIT 1")
    before = vault.recordings()
    words = ("purge", "--sid", sid, "--reason", "request 118")

    refused = answered(vault, "n", *words)
    assert (refused.code, refused.out) == (0, "nothing was changed\n")
    assert before == vault.recordings()
    assert answered(vault, "y", *words).code == 0

    del before[path]
    assert before == vault.recordings()
    vault.provider.reset()
    assert vault.good("enqueue", "cdr", "calls.csv", "--json").json["new"] == 0
    vault.good("work", "--drain")
    assert vault.provider.stats()["downloads"]["total"] == 0
    assert before == vault.recordings()
    assert vault.status()["purged"] == 1
    assert vault.status()["balanced"]
    assert_manifests_tell_all(vault)
    vault.good("verify", "--no-progress")
    vault.good("catalog", "check")
