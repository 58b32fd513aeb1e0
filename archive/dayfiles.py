"""The files of a day folder: ``SHA256SUMS``, written anew and never appended to."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CHECKSUMS: Final = "SHA256SUMS"


def write_checksums(root: Path, folder: str, recordings: Iterable[tuple[str, str]]) -> None:
    """Write a day's ``SHA256SUMS`` so that ``sha256sum -c`` accepts it within the folder.

    Readers see the old file or the new one, never a part of it. Blocks: call it in a thread.

    Args:
        root: the archive's root.
        folder: the day's folder below it.
        recordings: path below the root and SHA-256 of each.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    target = root / folder / CHECKSUMS
    lines = [f"{sha256}  {path.removeprefix(folder + '/')}\n" for path, sha256 in recordings]
    temporary = target.with_name(f".{CHECKSUMS}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="ascii") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
