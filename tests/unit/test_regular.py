"""Opening what should be a file: nothing is waited for, no link followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archive.regular import IrregularError, open_regular


def test_a_file_is_opened(tmp_path: Path) -> None:
    """And read as any other."""
    (tmp_path / "file").write_bytes(b"bytes")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"bytes"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """A link to a good file too: somebody may exchange what it points to. Nothing stays open."""
    path = tmp_path / kind
    (tmp_path / "file").write_bytes(b"bytes")
    match kind:
        case "link":
            path.symlink_to(tmp_path / "file")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    before = list(Path("/proc/self/fd").iterdir())
    with pytest.raises(IrregularError, match="no regular file"):
        open_regular(path)
    assert len(before) == len(list(Path("/proc/self/fd").iterdir()))


def test_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    """Told apart from what is no file."""
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")
