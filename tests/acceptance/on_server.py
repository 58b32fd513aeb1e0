"""A vault whose catalog is on a PostgreSQL server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psycopg

from tests.acceptance.vault import COMMAND, Vault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provider import Provider


class OnServer(Vault):
    """A vault whose catalog is on a server; ``asked_at`` is where tests themselves ask it."""

    def __init__(self, folder: Path, provider: Provider, url: str) -> None:
        self.url = url
        self.asked_at = url
        super().__init__(folder, provider)
        self.configure(catalog={"url": url})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from the catalog; nothing while there is none, or no server."""
        try:
            with psycopg.connect(self.asked_at) as line:
                return line.execute(sql.encode()).fetchall()
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []

    def as_host(self, name: str, *words: str) -> list[str]:
        """Return the line that runs a command as on a machine of that name, where we may."""
        line = [str(COMMAND), *words]
        if os.geteuid():
            return line
        return ["unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh", *line]
