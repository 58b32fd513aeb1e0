"""A day's SHA256SUMS, as sha256sum itself sees it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from archive.dayfiles import HERE, set_aside_manifest, write_checksums, write_manifest
from archive.layout import CHECKSUMS, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = "main/2026/02/01"
SHA256SUM = shutil.which("sha256sum") or "sha256sum"


def keep(root: Path, name: str, content: bytes) -> tuple[str, str]:
    """Put a file into the day's folder; return its path below the root and its SHA-256."""
    file = root / DAY / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return f"{DAY}/{name}", hashlib.sha256(content).hexdigest()


def check(root: Path) -> subprocess.CompletedProcess[str]:
    """Let sha256sum check the day."""
    return subprocess.run(  # noqa: S603 - a program of coreutils, no shell
        [SHA256SUM, "--check", "--strict", CHECKSUMS],
        cwd=root / DAY,
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C"},
    )


def test_sha256sum_accepts_the_day(tmp_path: Path) -> None:
    """Every recording is checked, whichever hour it lies in; nothing but SHA256SUMS is left."""
    kept = [keep(tmp_path, f"{hour:02}/-sid{hour}.mp3", bytes([hour])) for hour in range(24)]
    write_checksums(tmp_path, DAY, kept)
    done = check(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [f"{hour:02}/-sid{hour}.mp3: OK" for hour in range(24)] == done.stdout.splitlines()
    assert {CHECKSUMS} == {path.name for path in (tmp_path / DAY).iterdir() if path.is_file()}


def test_sha256sum_finds_a_changed_and_a_missing_file(tmp_path: Path) -> None:
    """What the file says is what lies there, or sha256sum says so."""
    kept = [keep(tmp_path, f"10/{name}.mp3", name.encode()) for name in ("one", "two", "three")]
    write_checksums(tmp_path, DAY, kept)
    (tmp_path / DAY / "10/one.mp3").write_bytes(b"other")
    (tmp_path / DAY / "10/two.mp3").unlink()
    done = check(tmp_path)
    assert done.returncode == 1
    assert "10/one.mp3: FAILED\n" in done.stdout
    assert "10/two.mp3: FAILED open or read\n" in done.stdout
    assert "10/three.mp3: OK\n" in done.stdout


def test_it_is_written_anew_and_not_added_to(tmp_path: Path) -> None:
    """A recording that is gone from the catalog is gone from the file."""
    one, two = keep(tmp_path, "10/one.mp3", b"1"), keep(tmp_path, "11/two.mp3", b"2")
    write_checksums(tmp_path, DAY, [one, two])
    write_checksums(tmp_path, DAY, [two])
    assert (tmp_path / DAY / CHECKSUMS).read_text() == f"{two[1]}  11/two.mp3\n"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Readers have the old file until the new one is whole."""
    kept = keep(tmp_path, "10/one.mp3", b"1")
    write_checksums(tmp_path, DAY, [kept])
    before = (tmp_path / DAY / CHECKSUMS).read_bytes()

    def unreadable() -> Iterator[tuple[str, str]]:
        yield kept
        yield f"{DAY}/10/\N{SNOWMAN}.mp3", kept[1]

    with pytest.raises(UnicodeEncodeError):
        write_checksums(tmp_path, DAY, unreadable())
    assert before == (tmp_path / DAY / CHECKSUMS).read_bytes()
    assert {CHECKSUMS, "10"} == {path.name for path in (tmp_path / DAY).iterdir()}


@pytest.mark.parametrize("what", ["folder", "missing"])
def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path, what: str) -> None:
    """A folder in the file's place, or no day folder at all; no temporary file stays."""
    if what == "folder":
        (tmp_path / DAY / CHECKSUMS).mkdir(parents=True)
    with pytest.raises(OSError, match=r"."):
        write_checksums(tmp_path, DAY, [(f"{DAY}/10/one.mp3", "ab" * 32)])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_day_without_recordings_has_no_checksums(tmp_path: Path) -> None:
    """sha256sum takes an empty list for an error, so one that would be empty is removed."""
    write_checksums(tmp_path, DAY, [keep(tmp_path, "10/one.mp3", b"1")])
    write_checksums(tmp_path, DAY, [])
    assert not (tmp_path / DAY / CHECKSUMS).exists()
    write_checksums(tmp_path, "main/2026/02/02", [])
    assert not (tmp_path / "main/2026/02/02").exists()


def test_a_manifest_makes_its_folder(tmp_path: Path) -> None:
    """A day on which nothing is archived has a folder for its manifest alone."""
    write_manifest(tmp_path, DAY, [b"1\n", b"2\n"])
    assert (tmp_path / DAY / MANIFEST).read_bytes() == b"1\n2\n"
    assert [path.name for path in (tmp_path / DAY).iterdir()] == [MANIFEST]


def test_a_manifest_that_is_set_aside_is_kept_under_another_name(tmp_path: Path) -> None:
    """Its name has the time; a folder without one has nothing to set aside."""
    now = datetime(2026, 2, 10, 12, 30, 1, 500, tzinfo=UTC)
    assert set_aside_manifest(tmp_path, DAY, now) is None
    write_manifest(tmp_path, DAY, [b"1\n"])
    assert set_aside_manifest(tmp_path, DAY, now) == "manifest.20260210T123001000500Z.jsonl"
    (kept,) = (tmp_path / DAY).iterdir()
    assert kept.read_bytes() == b"1\n"


def test_what_a_killed_process_left_of_a_file_goes_with_the_next_one(tmp_path: Path) -> None:
    """One that lives keeps what it is writing; names of other kinds and hosts are left alone."""
    with subprocess.Popen([SHA256SUM], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as dead:  # noqa: S603 - a program of coreutils, no shell
        dead.wait()
    folder = tmp_path / DAY
    folder.mkdir(parents=True)
    names = [f".{MANIFEST}.{HERE}.{pid}" for pid in (dead.pid, os.getppid(), 10**30)]
    others = {
        f".{MANIFEST}.notes",
        f".{MANIFEST}.0123abcd.{dead.pid}",
        f".{CHECKSUMS}.{HERE}.{dead.pid}",
    }
    for name in (*names, *others):
        (folder / name).write_bytes(b"half")

    write_manifest(tmp_path, DAY, [b"{}\n"])

    expected = {MANIFEST, names[1]} | others
    assert expected == {path.name for path in folder.iterdir()}
