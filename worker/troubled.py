"""What hosts meet, as told from this one: what is noted, and what can only be seen by looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.catalog import roots, troubles
from archive.catalog.troubles import ROOT, Trouble
from archive.roots import RootFiles
from worker.places import host_name
from worker.statedisk import met_here

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.database import Tx
    from worker.settings import Settings


def missing_root(tx: Tx, settings: Settings) -> str:
    """Say that this host's root is not in its place, though the catalog knows recordings in it.

    Empty if it is there, or if the catalog has seen none at this host. Other hosts' roots cannot be
    judged from here. Cheap: it reads the mark.
    """
    path = settings.archive.root
    why = roots.missing(tx, RootFiles(path), host=host_name(settings))
    return f"the archive that the catalog knows is not in {path}: {why}" if why else ""


def with_root(tx: Tx, settings: Settings, now: datetime) -> list[Trouble]:
    """Return what is noted, and that this host's root is missing, whether anybody works."""
    met, host = troubles.troubles(tx, now), host_name(settings)
    if any(one.what == ROOT and one.host == host for one in met):
        return met
    missing = missing_root(tx, settings)
    return [*met, Trouble(host, ROOT, missing, now)] if missing else met


def all_troubles(tx: Tx, settings: Settings, now: datetime) -> list[Trouble]:
    """Return all of it, the full disk first: it may keep everybody from noting anything."""
    return [*met_here(settings, now), *with_root(tx, settings, now)]
