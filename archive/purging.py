"""Deleting recordings: which ones may go, decided by pure functions, and how their files go.

A recording goes only when the provider has deleted its own, and a margin later: until then the
archive is all that stands between a wrong setting and the loss of a call. What a person asks to be
deleted goes at any time.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

from archive.dayfiles import flush_folder
from archive.layout import QUARANTINE, number_of, sidecar_path, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from archive.catalog.purge import Buried

MARGIN: Final = timedelta(days=7)
"""How long after the provider's deletion day the archive keeps a recording in any case."""
KEEP_DAYS: Final = "keep-days"
"""The reason of calls that the settings let go."""
ON_REQUEST: Final = "on-request"
"""The reason of calls whose recordings a person asked to be deleted."""
_PATH: Final = re.compile(
    r"[a-z0-9][a-z0-9_-]{0,31}/\d{4}/\d{2}/\d{2}/\d{2}/[A-Za-z0-9_-]+\.(mp3|wav)", re.ASCII
)


class Horizon(msgspec.Struct, frozen=True):
    """What began before the one moment and is deleted by the provider before the other may go."""

    began_before: datetime
    deleted_before: datetime

    def lets_go(self, began: datetime | None, delete_by: datetime) -> bool:
        """Tell whether the recordings of a call may go; never of one whose time is not known."""
        return began is not None and began < self.began_before and delete_by < self.deleted_before


def horizon(now: datetime, keep_days: int) -> Horizon | None:
    """Return what may go by the settings; None if everything is kept."""
    if not keep_days:
        return None
    return Horizon(now - timedelta(days=keep_days), now - MARGIN)


def remove_files(root: Path, buried: Iterable[Buried]) -> list[Buried]:
    """Remove recordings, their sidecars, and what the quarantine has of their calls.

    Returns those whose files are gone from the disk for good; who could not be removed stays for
    the next run. Blocks.
    """
    buried = list(buried)
    set_aside = {one.account: _names(root / QUARANTINE / one.account) for one in buried}
    touched: set[Path] = set()
    gone = []
    for one in buried:
        # The catalog's own word, but what is deleted by it is looked at twice.
        path = PurePosixPath(one.path)
        if not is_place_of(path, one.account, one.sid):
            continue
        files = [root / path, root / sidecar_path(path)]
        aside = root / QUARANTINE / one.account
        files += [aside / name for name in set_aside[one.account] if _is_of(name, one.sid, path)]
        with suppress(OSError):
            for file in files:
                file.unlink(missing_ok=True)
                touched.add(file.parent)
            gone.append(one)
    kept = {folder for folder in touched if not _flushed(folder)}
    return [one for one in gone if (root / one.path).parent not in kept]


def is_place_of(path: PurePosixPath, account: str, sid: str) -> bool:
    """Tell whether a recording of a call of this account may lie there."""
    if not _PATH.fullmatch(str(path)) or path.parts[0] != account:
        return False
    return path.stem == sid or path.stem == stem_of(sid, number_of(path.stem, sid))


def _is_of(name: str, sid: str, path: PurePosixPath) -> bool:
    """Tell whether a file of the quarantine is of a call: its name begins with Sid or stem."""
    return name.partition(".")[0] in {sid, path.stem}


def _names(folder: Path) -> list[str]:
    with suppress(OSError):
        return [path.name for path in folder.iterdir()]
    return []


def _flushed(folder: Path) -> bool:
    try:
        flush_folder(folder)
    except FileNotFoundError:
        return True  # no folder, no file in it
    except OSError:
        return False
    return True
