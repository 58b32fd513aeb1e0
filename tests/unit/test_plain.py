"""Packed and piped exports become plain files, bounded, with what is missing told."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from archive.errors import InputError
from jobs.plain import MOST_BYTES, MOST_RATIO, most_of, plain_file

TEXT = b"CallSid,From\n" + b"".join(b"%032d,1\n" % n for n in range(30_000))
NOTHING = io.BytesIO()


def unpacked(path: Path, stdin: io.BytesIO = NOTHING) -> tuple[bytes, str]:
    """Return the plain bytes and the damage."""
    with plain_file(path, str(path), stdin=stdin) as plain:
        return plain.stream.read(), plain.damage


def test_gzip_is_told_by_its_bytes(tmp_path: Path) -> None:
    """Whatever the file is called; archives in a row are one file, a plain one is itself."""
    path = tmp_path / "calls.csv"
    for content in (
        gzip.compress(TEXT),
        gzip.compress(TEXT[:999]) + gzip.compress(TEXT[999:]),
        TEXT,
    ):
        path.write_bytes(content)
        assert unpacked(path) == (TEXT, "")


@pytest.mark.parametrize("content", [TEXT, gzip.compress(TEXT)])
def test_standard_input_is_kept_to_be_read_twice(content: bytes) -> None:
    """Plain or packed."""
    assert unpacked(Path("-"), io.BytesIO(content)) == (TEXT, "")


def test_a_truncated_archive_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    """The rows before the end are used."""
    path = tmp_path / "calls.gz"
    packed = gzip.compress(TEXT)
    path.write_bytes(packed[: len(packed) // 2])
    found, damage = unpacked(path)
    assert found
    assert TEXT.startswith(found)
    assert damage == "the gzip archive ends in the middle"


def test_a_wrong_checksum_is_told(tmp_path: Path) -> None:
    """All bytes came out, but they are not those that were packed."""
    path = tmp_path / "calls.gz"
    packed = bytearray(gzip.compress(TEXT))
    packed[-8] ^= 1
    path.write_bytes(packed)
    assert "damaged" in unpacked(path)[1]


def test_a_bomb_is_refused_by_what_comes_out(tmp_path: Path) -> None:
    """Whether it is more than the bound, or far more than any export packs to."""
    path = tmp_path / "bomb.gz"
    for size, most, words in (
        (5_000_000, 1_000_000, "more than 1,000,000 bytes"),
        (70_000_000, 10**9, "more than 300 times its size"),
    ):
        path.write_bytes(gzip.compress(bytes(size)))
        with (
            pytest.raises(InputError, match=words),
            plain_file(path, str(path), stdin=NOTHING, most=most),
        ):
            pass


def test_nothing_stays_where_the_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unpacked has no name from the beginning."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = tmp_path / "calls.gz"
    path.write_bytes(gzip.compress(TEXT))
    with plain_file(path, str(path), stdin=NOTHING) as plain:
        assert plain.stream.read() == TEXT
        assert list(folder.iterdir()) == []


def test_an_archive_that_gives_nothing_says_why(tmp_path: Path) -> None:
    """Its damage, and not that it is empty."""
    path = tmp_path / "calls.gz"
    path.write_bytes(gzip.compress(TEXT)[:12])
    with (
        pytest.raises(InputError, match="ends in the middle"),
        plain_file(path, "x", stdin=NOTHING),
    ):
        pass


def test_a_closed_standard_input_is_told() -> None:
    """As where a service manager gave none; a file beside it is read."""
    with pytest.raises(InputError, match="is closed"), plain_file(Path("-"), "x", stdin=None):
        pass


def test_all_that_comes_out_of_an_archive_is_bounded() -> None:
    """By the archive's size: many files, each small enough, are too much together."""
    assert most_of(0) == 256 * 2**20
    assert most_of(10**7) - most_of(0) == MOST_RATIO * 10**7
    assert most_of(10**12) == MOST_BYTES
