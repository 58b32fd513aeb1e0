"""The comparison with its peers runs, where the machine has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.compare import missing

_ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_everybody_runs(tmp_path: Path) -> None:
    """The small form runs all contestants, and each brings all recordings."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "bench.compare", "--quick", "--where", str(tmp_path)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("callvault (") == 3
    assert not list(tmp_path.iterdir())
