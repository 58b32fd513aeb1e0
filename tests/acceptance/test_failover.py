"""Sentinels and a run of the real command: the master dies in the middle, and nothing is lost."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.cluster.sentinels import fail_over, lines

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
    vault = begin("--calls", str(CALLS), "--mix", "clean", "--bytes", "60KB")
    worker: dict[str, object] = {"processes": 2, "downloads": 2, "batch": 20}

    told = fail_over(vault, tmp_path / "redis", CALLS, worker)

    assert "neither AOF nor RDB is on" in told.said
    sys.stderr.write("\n".join([*lines(told), ""]))
