"""A short run on a cluster of network namespaces; the long ones are `make cluster`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.cluster.net import why_not
from tests.cluster.report import Report, lines
from tests.provider import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_hosts_cut_off_for_some_seconds_leave_a_true_archive(tmp_path: Path) -> None:
    """The leader is cut off wholly, another host from the catalog and from the queue.

    The other leads meanwhile, each goes on by itself, and everything is here once.
    """
    if reason := why_not():
        pytest.skip(reason)
    file = tmp_path / "report.json"
    options = ["--plan", "small", "--calls", "700", "--within", str(tmp_path), "--json", str(file)]

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tests.cluster", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert file.exists(), done.stderr
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    told = "\n".join(lines(report))
    assert report.violations == [], told
    assert report.effects[0].led_s is not None, told
    assert report.states.keys() == {"archived", "absent"}, told
