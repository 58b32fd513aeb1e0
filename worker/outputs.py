"""What is said where a file that a command was told to write cannot be written."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from archive.errors import FatalError, InputError

if TYPE_CHECKING:
    from archive.errors import CallvaultError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK: Final = _FULL | {errno.EIO}
"""What no other name in the same place would mend."""


def not_written(error: OSError, doing: str, *, hint: str) -> CallvaultError:
    """Return what ends a command; the hint is for a place that cannot be written to.

    A disk that is full or broken is no mistake of who named the file.
    """
    message = f"{doing}: {error.strerror or type(error).__name__}"
    if error.errno in _FULL:
        return FatalError(message, hint="make room on its disk (df -h); nothing was kept of it")
    if error.errno in DISK:
        return FatalError(message, hint="its disk fails: dmesg tells more; nothing was kept of it")
    return InputError(message, hint=hint)
