"""What file system a path lies on, by ``/proc/self/mountinfo`` (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_OCTAL: Final = re.compile(r"\\([0-7]{3})")
_POINT: Final = 4
"""The field of a line that is the mount's place; the kind is the first behind a lone dash."""


class Mount(msgspec.Struct, frozen=True):
    """A mounted file system: where, and of what kind."""

    point: str
    kind: str


def mount_of(path: Path, mountinfo: str) -> Mount | None:
    """Return what a path without links in it lies on; None where the text does not tell."""
    best: Mount | None = None
    for mount in _mounts(mountinfo):
        # Of two at the same place the later one covers the other.
        deeper = best is None or len(mount.point) >= len(best.point)
        if deeper and PurePosixPath(path).is_relative_to(mount.point):
            best = mount
    return best


def _mounts(mountinfo: str) -> Iterator[Mount]:
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if dash and len(fields) > _POINT and rest:
            point = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[_POINT])
            yield Mount(point, rest[0])
