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


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("prefix", ["", " ", "/", "//", ".", "venv", "../venv", "~/venv"])
def test_a_prefix_that_is_no_whole_path_is_refused(prefix: str) -> None:
    """Before anything is run: an empty one would install into the machine's own Python.

    PYTHON is a command that fails, so that not even a make without the rule would install.
    """
    line = ["make", "--no-print-directory", "install", f"PREFIX={prefix}", "PYTHON=false"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - as above

    assert done.returncode == 2
    assert "is no folder to install into: nothing was done" in done.stderr
    assert "make install PREFIX=/opt/callvault" in done.stderr
    assert "Python" not in done.stderr
