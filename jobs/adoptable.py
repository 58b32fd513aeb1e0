"""What may be taken in of a folder that others fill: regular files with a recording's name.

Between the look at a name and its opening anything may happen to it, so each opening looks again.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.audio import NotAudioError
from archive.layout import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

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


def open_regular(file: Path) -> BufferedReader:
    """Open a file to read; what has become a link or a pipe since it was listed is not followed.

    Raises:
        NotAudioError: it is no regular file.
        OSError: it cannot be opened, or is a symbolic link.
    """
    # Without O_NONBLOCK a pipe would be waited for.
    opened = os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        return opened
    opened.close()
    raise NotAudioError("unknown")
