"""What ``make install`` runs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_prefix_with_a_blank_stays_one_word() -> None:
    """Each command names the folder as a whole; nothing is run."""
    line = ["make", "--no-print-directory", "--dry-run", "install", "PREFIX=/a b/callvault"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - make, of this folder
    commands = [line for line in done.stdout.splitlines() if "umask" in line]
    named = [word for line in commands for word in shlex.split(line) if word.startswith("/a")]
    assert named == ["/a b/callvault", *["/a b/callvault/bin/python"] * 2]
