"""Only regular files are opened, whatever a name was when it was listed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archive.audio import NotAudioError
from jobs.adoptable import files_below, may_be_recording, open_regular

if TYPE_CHECKING:
    from pathlib import Path


def test_a_name_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    """The file that it leads to is not read."""
    (tmp_path / "real.mp3").write_bytes(b"sound")
    link = tmp_path / "link.mp3"
    link.symlink_to(tmp_path / "real.mp3")
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(link)
    with open_regular(tmp_path / "real.mp3") as opened:
        assert opened.read() == b"sound"


def test_a_name_that_became_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write to it."""
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(NotAudioError):
        open_regular(tmp_path / "pipe.wav")


def test_names_and_kinds_choose(tmp_path: Path) -> None:
    """Suffixes count in any case; hidden names are not listed; what went is nothing."""
    for name in ("a.mp3", "b.WAV", "c.mp3.part", "d.json", "SHA256SUMS", ".e.mp3"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "f.mp3").symlink_to(tmp_path / "a.mp3")
    listed = list(files_below(tmp_path))
    assert [file.name for file in listed] == [
        *("SHA256SUMS", "a.mp3", "b.WAV", "c.mp3.part", "d.json", "f.mp3"),
    ]
    assert [file.name for file in listed if may_be_recording(file)] == ["a.mp3", "b.WAV"]
    assert not may_be_recording(tmp_path / "gone.mp3")
