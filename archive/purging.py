"""Deleting recordings: which ones may go, decided by pure functions, and how their files go.

A recording goes only when the provider has deleted its own, and a margin later: until then the
archive is all that stands between a wrong setting and the loss of a call. What a person asks to be
deleted goes at any time.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import CallFacts
from archive.layout import QUARANTINE, number_of, sidecar_path, stem_of
from archive.placing import flush_folder
from archive.retention import kept_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.purge import Buried

MARGIN: Final = timedelta(days=7)
"""How long after the provider's deletion day the archive keeps a recording in any case."""
KEEP_DAYS: Final = "keep-days"
"""The reason of calls that the settings let go."""
ON_REQUEST: Final = "on-request"
"""The reason of calls whose recordings a person asked to be deleted."""
BELIEVED: Final = timedelta(days=7)
"""How long after the newest that the catalog knows a clock is believed."""
MOST_AT_ONCE: Final = 0.2
"""The share of all recordings that may go by age in one night without a person's word."""
FEW: Final = 100
"""So many may always: an archive of a few calls would never come to an end."""
_NOON: Final = time(12)
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


def narrowed(what: Horizon, account: Account, *, day: str, exophone: str) -> Horizon:
    """Return what of the calls of a day (``YYYY-MM-DD``) and an ExoPhone may go.

    The deletion day that was noted with a call is of the settings of then; by those of today the
    provider may keep it for longer. The later of the two counts.
    """
    noon = datetime.combine(date.fromisoformat(day), _NOON, tzinfo=account.zone)
    facts = CallFacts(sid="", started_at=noon, exophone=exophone)
    deleted = what.deleted_before - kept_for(facts, account, longest=True)
    return Horizon(min(what.began_before, deleted), what.deleted_before)


def doubt_of_clock(now: datetime, newest: datetime | None) -> str:
    """Say why a clock is not believed; nothing if it is.

    ``newest`` is the latest that the catalog knows, None where it knows nothing. By one wrong
    clock everything would be old enough to go.
    """
    if newest is None or now - newest <= BELIEVED:
        return ""
    return (
        f"the clock says {now:%Y-%m-%d %H:%M} UTC, and the newest that the catalog knows is of "
        f"{newest:%Y-%m-%d %H:%M} UTC, more than {BELIEVED.days} days before"
    )


def too_many(due: int, recordings: int) -> str:
    """Say that more would go at once than a night's purge ever has to; nothing if it does not."""
    if due <= max(FEW, MOST_AT_ONCE * recordings):
        return ""
    return f"{due:,} of {recordings:,} recordings would go at once, more than {MOST_AT_ONCE:.0%}"


class Stuck(msgspec.Struct, frozen=True):
    """A file of a deleted recording that could not be removed (``path`` is below the root)."""

    path: str
    cause: str


class Removed(msgspec.Struct, kw_only=True):
    """Recordings whose files are gone, and what could not be removed.

    ``files`` has the recording that it was of for each file that was removed.
    """

    gone: list[Buried]
    files: list[Buried]
    stuck: list[Stuck]


def remove_files(root: Path, buried: Iterable[Buried]) -> Removed:
    """Remove recordings, their sidecars, and what the quarantine has of their calls.

    Gone are those whose files are gone from the disk for good; what could not be removed stays
    for the next run. Hour folders that are empty then go as well. Blocks.
    """
    buried = list(buried)
    set_aside = {one.account: _names(root / QUARANTINE / one.account) for one in buried}
    touched: set[Path] = set()
    done = Removed(gone=[], files=[], stuck=[])
    for one in buried:
        # The catalog's own word, but what is deleted by it is looked at twice.
        path = PurePosixPath(one.path)
        if not is_place_of(path, one.account, one.sid):
            done.stuck.append(Stuck(one.path, "is no place of a recording of its call"))
            continue
        names = [str(path), str(sidecar_path(path))]
        aside = f"{QUARANTINE}/{one.account}"
        names += [f"{aside}/{n}" for n in set_aside[one.account] if _is_of(n, one.sid, path)]
        stuck = []
        for name in names:
            try:
                (root / name).unlink()
                done.files.append(one)
            except FileNotFoundError:
                pass  # an earlier run removed it, or it never had one of this kind
            except OSError as error:
                stuck.append(Stuck(name, error.strerror or str(error)))
            touched.add((root / name).parent)
        done.stuck += stuck
        if not stuck:
            done.gone.append(one)
    causes = {folder: _flush(folder) for folder in touched}
    for one in list(done.gone):
        if cause := causes[(root / one.path).parent]:
            done.gone.remove(one)
            done.stuck.append(Stuck(one.path, f"its folder cannot be flushed: {cause}"))
    _remove_empty_hours(root, done.files)
    return done


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


def _flush(folder: Path) -> str:
    """Flush a folder; return why it could not be."""
    try:
        flush_folder(folder)
    except FileNotFoundError:
        return ""  # no folder, no file in it
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _remove_empty_hours(root: Path, touched: Iterable[Buried]) -> None:
    """Remove the hours' folders that have become empty; the day's has its lists and stays."""
    for folder in {(root / one.path).parent for one in touched}:
        with suppress(OSError):
            folder.rmdir()
