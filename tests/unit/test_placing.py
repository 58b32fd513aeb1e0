"""Giving files their final names, whatever the file system can do; it never overwrites."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from archive.placing import flush_folder, place, rename_new
from archive.store import Store
from tests.unit.recordings import SIDS, pending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REFUSALS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


def refusing(number: int) -> Callable[[object, object], None]:
    """Return what a file system answers that cannot do it."""

    def refuse(_one: object, _other: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", REFUSALS)
def test_without_hard_links_a_file_is_renamed(tmp_path: Path, number: int) -> None:
    """Each file system has its own word for that there are none."""
    part, final = tmp_path / "part", tmp_path / "final"
    part.write_bytes(b"whole")
    assert place(part, final, link=refusing(number))
    assert (final.read_bytes(), part.exists()) == (b"whole", False)


@pytest.mark.parametrize("number", [0, *REFUSALS])
def test_what_is_there_is_never_overwritten(tmp_path: Path, number: int) -> None:
    """By a link or without: it stays, and so does the part."""
    part, final = tmp_path / "part", tmp_path / "final"
    part.write_bytes(b"new")
    final.write_bytes(b"old")
    assert not place(part, final, link=refusing(number) if number else os.link)
    assert (final.read_bytes(), part.read_bytes()) == (b"old", b"new")


def test_where_neither_can_be_done_it_is_said(tmp_path: Path) -> None:
    """A look for the name and a plain rename would overwrite another host's file now and then."""
    part = tmp_path / "part"
    part.write_bytes(b"whole")
    with pytest.raises(OSError, match="takes no hard links, and no renaming") as error:
        place(part, tmp_path / "final", link=refusing(errno.EPERM), rename=refusing(errno.EINVAL))
    assert error.value.errno == errno.EPERM
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.ESTALE])
def test_other_errors_are_no_want_of_links(tmp_path: Path, number: int) -> None:
    """A full or failing disk is told as such, and nothing else is tried."""
    part = tmp_path / "part"
    part.write_bytes(b"whole")
    with pytest.raises(OSError, match=os.strerror(number)):
        place(part, tmp_path / "final", link=refusing(number), rename=rename_new)
    assert part.exists()


def test_a_folder_that_cannot_be_flushed_is_the_file_systems_own_matter(tmp_path: Path) -> None:
    """Some of FUSE and SMB know no flush of a folder; a failing disk is still told."""

    def answering(number: int) -> Callable[[int], None]:
        def flush(_handle: int) -> None:
            raise OSError(number, os.strerror(number))

        return flush

    flush_folder(tmp_path, flush=answering(errno.EINVAL))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        flush_folder(tmp_path, flush=answering(errno.EIO))


def test_a_recording_is_published_without_hard_links(tmp_path: Path) -> None:
    """In the same order, once; a second one of the same place changes nothing."""
    store = Store(tmp_path, link=refusing(errno.EPERM))
    one = pending(SIDS[0])
    (first,) = store.publish([one])
    (second,) = store.publish([one])
    assert not isinstance(first, OSError)
    assert first == second
    assert (tmp_path / first.path).read_bytes() == one.body
    assert store.parts() == []
