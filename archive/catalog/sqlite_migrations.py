"""Bringing a catalog in a file to this program's version."""

from __future__ import annotations

import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from archive.catalog.database import PACKAGE, no_catalog
from archive.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator


def migrate(connection: sqlite3.Connection, name: str, *, make: bool) -> None:
    """Bring the catalog to this program's version, one numbered file after another.

    Raises:
        NoCatalogError: there is none, and without ``make`` none is made.
        CatalogError: a newer program made it.
    """
    numbered = migrations()
    version = _version(connection)
    if version > len(numbered):
        raise CatalogError(
            f"the catalog is of version {version}, newer than this program's {len(numbered)}",
            hint="a newer callvault has used it: use that one",
        )
    if version == len(numbered):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked at again under the lock: another process may have been quicker.
        version = _version(connection)
        if version or make:
            for statement in (part for text in numbered[version:] for part in _statements(text)):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(numbered)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    if not (version or make):
        raise no_catalog(name)


def newest_version() -> int:
    """Return the version that a catalog has once this program has opened it."""
    return len(migrations())


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrations() -> list[str]:
    """Return the texts of the migrations, the first one first."""
    folder = resources.files(PACKAGE) / "migrations"
    return [file.read_text() for file in sorted(folder.iterdir(), key=lambda file: file.name)]


def _statements(text: str) -> Iterator[str]:
    """Split a migration at its statements' ends (executescript would end our transaction)."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
