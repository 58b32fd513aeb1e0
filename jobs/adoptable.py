"""What may be taken in of a folder that others fill: regular files with a recording's name.

Between the look at a name and its opening anything may happen to it, so each opening looks again
(`archive.regular`).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.layout import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in SUFFIXES)


def may_be_recording(file: Path) -> bool:
    """Tell whether it has a recording's suffix, in any case, and is no link, pipe or device."""
    if file.suffix.lower() not in _SUFFIXES:
        return False
    with suppress(OSError):  # it went meanwhile
        return stat.S_ISREG(file.lstat().st_mode)
    return False


def files_below(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder and below it, but for hidden names; links to folders are left."""
    for where, folders, files in os.walk(folder):
        folders.sort()
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(where, name)
