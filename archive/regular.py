"""Opening files that may be anything: no pipe is waited for, no link followed."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class IrregularError(OSError):
    """What has the name of a file is none: a link, a pipe, a folder, a device."""


def open_regular(path: Path) -> FileIO:
    """Open a regular file for reading, unbuffered.

    Raises:
        FileNotFoundError: there is none.
        IrregularError: it is no regular file.
        OSError: it cannot be read.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        # Of a link (open(2), O_NOFOLLOW), and of a socket.
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise IrregularError(error.errno, "it is no regular file") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise IrregularError(errno.EINVAL, "it is no regular file")
    return os.fdopen(handle, "rb", buffering=0)
