"""Which files of a folder may be taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.adoptable import files_below, may_be_recording

if TYPE_CHECKING:
    from pathlib import Path


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
