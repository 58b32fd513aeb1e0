"""Where a process is: its host's name, and the root that it has before it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from archive.catalog import roots
from archive.catalog.database import NO_ROOT
from archive.roots import RootFiles

if TYPE_CHECKING:
    from archive.catalog.database import Database, Tx
    from archive.catalog.writer import Catalog
    from worker.settings import Settings


def host_name(settings: Settings) -> str:
    """Return the name of this machine, as the catalog knows it."""
    return settings.worker.host or socket.gethostname()


async def stand(settings: Settings, catalog: Catalog) -> None:
    """Look at the catalog from this host's root, as far as that is known there.

    Raises:
        StoreError: the root is none that the catalog knows, and should be one.
    """
    catalog.stand_at(await catalog.read(root_here, settings))


def stand_at_root(settings: Settings, database: Database) -> None:
    """Do as `stand` does, for a single connection."""
    with database.read() as tx:
        database.root = root_here(tx, settings)


def root_here(tx: Tx, settings: Settings) -> int:
    """Return the number of this host's root, or that it has none which the catalog knows."""
    files = RootFiles(settings.archive.root)
    found = roots.find_root(tx, files, host=host_name(settings), shared=settings.archive.shared)
    return NO_ROOT if found is None else found
