"""Giving a file its final name without ever overwriting, on file systems that can do it or half.

A hard link does it everywhere that has them. Where there are none (FAT, some of FUSE and SMB) Linux
can be asked to rename unless the name is taken. What can do neither takes no archive: a name that
is looked for and then taken might be another host's by then. These functions block.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Place = Callable[[Path, Path], None]

_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EINVAL}
)
"""What a file system that has no hard links answers, of which each has its own word."""
_NO_FLUSH: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1


def place(
    part: Path, final: Path, *, link: Place | None = None, rename: Place | None = None
) -> bool:
    """Give a whole file its final name; return False where something has that name already.

    ``link`` and ``rename`` are what is tried, in this order; neither overwrites.

    Raises:
        OSError: it cannot be done, or the file system can do neither.
    """
    with suppress(FileExistsError):
        try:
            (link or os.link)(part, final)
        except OSError as refused:
            if isinstance(refused, FileExistsError) or refused.errno not in _NO_LINKS:
                raise
            _rename(part, final, rename or rename_new, refused)
        return True
    return False


def _rename(part: Path, final: Path, rename: Place, refused: OSError) -> None:
    try:
        rename(part, final)
    except OSError as error:
        if isinstance(error, FileExistsError) or error.errno not in _NO_LINKS:
            raise
        # With the word for the link: that it may not be made can have other reasons.
        raise OSError(
            refused.errno,
            f"{refused.strerror}: it takes no hard links, and no renaming that never overwrites",
        ) from error


def rename_new(part: Path, final: Path) -> None:
    """Rename a file unless the new name is taken; atomic.

    Raises:
        FileExistsError: it is taken.
        OSError: it cannot be done; `errno.ENOSYS` where the system has no such call.
    """
    call = _renameat2()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    paths = os.fsencode(part), os.fsencode(final)
    if call(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(final))


@cache
def _renameat2() -> Any:  # noqa: ANN401 - a function of the C library
    if not sys.platform.startswith("linux"):
        return None
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None:
        path = ctypes.c_char_p
        call.argtypes = [ctypes.c_int, path, ctypes.c_int, path, ctypes.c_uint]
    return call


def flush_folder(folder: Path, *, flush: Callable[[int], None] = os.fsync) -> None:
    """Bring the names in a folder to the disk.

    A file system that has no such thing (some of FUSE and SMB) keeps names in its own way.

    Raises:
        OSError: they could not be brought there.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flush(handle)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(handle)
