"""A root's mark: the word in the file ``.root`` in it, by which a catalog tells roots apart.

It goes with the files wherever their disk goes, so a root that is mounted on another host, or under
another path, is still the one that it was. These functions block.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from archive.dayfiles import write_whole
from archive.errors import StoreError
from archive.layout import PARTS
from archive.regular import open_regular
from archive.tree import check_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

MARK_FILE: Final = ".root"
_MARK: Final = re.compile(r"[0-9a-f]{16}\n?", re.ASCII)
_LONGEST: Final = 64


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A root as a catalog knows it, and the hosts and paths at which it was last found."""

    number: int
    mark: str
    places: tuple[tuple[str, str], ...] = ()
    has_recordings: bool = False


class RootFiles:
    """What of a root tells which one it is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> str:
        """Return the root's mark, empty if it has none.

        Raises:
            StoreError: it cannot be read, or is no mark of ours.
        """
        file = self.path / MARK_FILE
        try:
            with open_regular(file) as opened:
                told = opened.read(_LONGEST).decode("ascii", "replace")
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            raise StoreError(f"reading the root's mark {file}: {error.strerror}") from error
        if not _MARK.fullmatch(told):
            raise StoreError(
                f"{file} is no mark of a root, which has 16 hexadecimal digits",
                hint="remove it: the root is then known by its host, path and recordings",
            )
        return told.strip()

    def give(self, mark: str) -> None:
        """Write a mark.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_whole(self.path / MARK_FILE, [f"{mark}\n".encode("ascii")])
        except OSError as error:
            raise StoreError(
                f"writing to the archive's root {self.path}: {error.strerror}",
                hint="check [archive] root, that the folder belongs to the user callvault runs "
                "as, and that the disk has room",
            ) from error

    def holds_any(self, paths: Iterable[str]) -> bool:
        """Tell whether any of these recordings lies here."""
        try:
            return any((self.path / path).is_file() for path in paths)
        except OSError:
            return False

    def check_begun(self) -> None:
        """Check that there is an archive.

        Raises:
            StoreError: there is none, though the catalog knows recordings in it.
        """
        try:
            check_root(self.path)
        except StoreError as error:
            raise StoreError(
                f"{error.message}, but the catalog knows recordings in it",
                hint="check that its disk is mounted; to begin anew in an empty folder, make "
                f"{self.path / PARTS} and run: callvault verify --repair",
            ) from error


def missing_at(
    known: Sequence[Root],
    *,
    mark: str,
    host: str,
    path: str,
    holds: Callable[[Root], bool],
) -> str:
    """Return what is wrong with the folder in which a host's root was, empty if it is the root.

    A host where the catalog has seen no root has none to be missed: it may only read reports.
    Nor is one missed in which there is nothing. ``holds`` is as for `which_root`: a root whose
    mark was lost, and whose recordings are there, is there.
    """
    own = [root for root in known if (host, path) in root.places]
    own = own or [root for root in known if host in {place[0] for place in root.places}]
    full = [root for root in own if root.has_recordings]
    if not full or (mark and mark in {root.mark for root in own}):
        return ""
    if mark:
        return "it has the mark of another root"
    return "" if any(holds(root) for root in full) else "it has neither mark nor recordings"


def which_root(
    known: Sequence[Root],
    *,
    mark: str,
    host: str,
    path: str,
    shared: bool,
    holds: Callable[[Root], bool],
) -> Root | None:
    """Return which of the catalog's roots lies at a path of a host, None for a new one.

    ``holds`` tells whether newest recordings of a root lie there. ``shared`` is what the settings
    say: that all hosts have the same root before them.

    Raises:
        StoreError: it is none that the catalog knows, and should be one.
    """
    for root in known:
        if mark and root.mark == mark:
            return root
    if not mark:
        for root in known:
            if (host, path) in root.places:
                return root
    for root in known:
        # Of before there were marks, or one that was copied without its mark.
        if not (mark and root.mark) and root.has_recordings and holds(root):
            return root
    first = known[0]
    only_ours = not first.has_recordings and {place[0] for place in first.places} <= {host}
    if only_ours or (shared and not first.mark):
        return first
    if not shared:
        return None
    raise StoreError(
        f"the root {path} is none that the catalog knows",
        hint="check that its disk or share is mounted; if this host has a root of its own beside "
        "those of others, set [archive] shared = false",
    )
