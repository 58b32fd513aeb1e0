"""The catalog of the settings, opened for what a command is about: see `archive.belonging`."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from archive.belonging import Wanted, open_catalog
from archive.catalog.writer import Catalog
from archive.errors import CatalogError, LostCatalogError, NoCatalogError
from worker.statedisk import full_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archive.catalog.database import Database
    from worker.settings import Settings


def open_to_look(settings: Settings) -> Database:
    """Open the catalog that there is; also to change what is known in it.

    Raises:
        LostCatalogError: it is gone or empty, and there are recordings.
        NoCatalogError: there is none yet.
        CatalogError: it cannot be opened.
    """
    try:
        return open_catalog(settings.catalog.url, settings.archive.root, Wanted.LOOK)
    except (LostCatalogError, NoCatalogError):
        raise
    except CatalogError as error:
        # Even looking at a catalog in a file takes some room beside it.
        if (full := full_disk(settings)) is not None:
            raise CatalogError(f"{error.message}: {full.words}", hint=full.remedy) from error
        raise


def open_to_work(settings: Settings, *, for_import: bool = False) -> Database:
    """Open the catalog, or begin one where nothing was archived yet.

    Raises:
        LostCatalogError: it is gone or empty, and there are recordings.
        CatalogError: it cannot be opened.
    """
    where, root = settings.catalog.url, settings.archive.root
    return open_catalog(where, root, Wanted.WORK, for_import=for_import)


@contextmanager
def rehearsed(settings: Settings, *, dry_run: bool) -> Iterator[Settings]:
    """Yield settings for what counts calls: those given, or where no catalog is there yet, others.

    A dry run before the first calls are known counts by an empty catalog in a folder of its own,
    with a queue that it keeps there, and both are gone at the end.

    Raises:
        LostCatalogError, CatalogError: as for `open_to_look`.
    """
    if not dry_run or _has_catalog(settings):
        yield settings
        return
    with TemporaryDirectory(prefix="callvault-", ignore_cleanup_errors=True) as folder:
        replace = msgspec.structs.replace
        yield replace(
            settings,
            catalog=replace(settings.catalog, url=f"sqlite:///{folder}/catalog.db"),
            queue=replace(settings.queue, state=Path(folder)),
        )


def _has_catalog(settings: Settings) -> bool:
    try:
        check_catalog(settings)
    except NoCatalogError:
        return False
    return True


def check_catalog(settings: Settings) -> None:
    """Check that there is a catalog, and that it is not a lost one.

    Raises:
        LostCatalogError, NoCatalogError, CatalogError: as for `open_to_look`.
    """
    open_to_look(settings).close()


async def open_shared(settings: Settings, wanted: Wanted = Wanted.WORK) -> Catalog:
    """Open the catalog for asynchronous callers.

    Raises:
        LostCatalogError, NoCatalogError, CatalogError: as above.
    """
    opener = partial(open_catalog, root=settings.archive.root, wanted=wanted)
    return await Catalog.open(settings.catalog.url, opener)
