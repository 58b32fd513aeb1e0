"""An archive with recordings that are old enough to be deleted, and shorthand for looking at it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from archive.catalog import tallies
from archive.clock import system_clock
from archive.tallies import RECORDINGS, Count
from tests.unit.books import SIDS, called
from tests.unit.terminal import SETTINGS, Terminal
from tests.unit.vaulted import sound

if TYPE_CHECKING:
    from datetime import datetime

    from tests.unit.vaulted import Vaulted

KEEPING = f"{SETTINGS}[archive]\nkeep_days = 30\n"


def grow_old(vaulted: Vaulted) -> None:
    """Archive two calls of last winter and one of a month ago; keep thirty days from now on."""
    vaulted.terminal = Terminal(vaulted.folder, KEEPING)
    vaulted.archive(SIDS[0], sound(0))
    vaulted.archive(SIDS[1], sound(1))
    archive_lately(vaulted, SIDS[2], sound(2), days=31)
    worked(vaulted, system_clock())
    vaulted.write_days()


def worked(vaulted: Vaulted, now: datetime) -> None:
    """Let the catalog know of work at a moment: a clock that is not far behind it is believed."""
    with vaulted.books.database.write() as tx:
        tallies.add(tx, [Count("main", RECORDINGS, "", 1)], host="here", now=now)


def archive_lately(vaulted: Vaulted, sid: str, body: bytes, *, days: int) -> None:
    """Archive a call that began so many days before today."""
    now = system_clock()
    began = now - timedelta(days=days)
    vaulted.books.add(called(sid, started_at=began, ended_at=began), now=now)
    vaulted.archive(sid, body, started_at=began, ended_at=began)


def purge(vaulted: Vaulted, *words: str) -> dict[str, Any]:
    """Purge and return what was told."""
    told: dict[str, Any] = vaulted.terminal.tells("purge", *words)
    return told


def files(vaulted: Vaulted) -> set[str]:
    """Return the Sids of the recordings and sidecars that there are."""
    found = [*vaulted.root.glob("main/*/*/*/*/*.mp3"), *vaulted.root.glob("main/*/*/*/*/*.json")]
    return {path.name for path in found}


def kept_files(*sids: str) -> set[str]:
    """Return the files of some calls."""
    return {f"{sid}.{suffix}" for sid in sids for suffix in ("mp3", "json")}


def states(vaulted: Vaulted) -> list[str]:
    """Return the states of the first three calls."""
    return [vaulted.state(sid)[0] for sid in SIDS[:3]]


def verify_finds(vaulted: Vaulted) -> list[tuple[str, bool]]:
    """Return what is wrong with the archive, and whether it is a fault."""
    result = vaulted.terminal.run("verify", "--json")
    return [(one["kind"], one["fault"]) for one in json.loads(result.stdout)["findings"]]


def names_in(vaulted: Vaulted, folder: str) -> list[str]:
    """Return the names in a folder below the root."""
    return sorted(path.name for path in vaulted.file(folder).iterdir())
