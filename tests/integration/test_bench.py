"""The comparison with its peers runs, where the machine has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.compare import missing
from bench.plots import chart

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


def test_a_chart_has_a_line_for_each_series() -> None:
    """Each series is drawn and named."""
    picture = chart("Rates", ["small", "large"], {"one": [1.0, 10.0], "two": [2.0, 2000.0]})
    assert picture.count("<polyline") == 2
    assert ">two</text>" in picture
