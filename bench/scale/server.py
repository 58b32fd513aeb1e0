"""A PostgreSQL server whose databases stay for the next run: the tests' own, but durable."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.postgresql import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DURABLE: Final = {
    "shared_buffers": "1GB",
    "effective_cache_size": "8GB",
    "max_wal_size": "8GB",
    "max_connections": "100",
    "listen_addresses": "",
    # Counted when asked for: by statement, and the time of reading.
    "shared_preload_libraries": "pg_stat_statements",
    "track_io_timing": "on",
}


@contextmanager
def standing_server(folder: Path) -> Iterator[Server]:
    """Run the server whose files lie in a folder; make them if there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, _DURABLE)
    if not (folder / "data" / "PG_VERSION").exists():
        server.make()
    server.start()
    try:
        server.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        yield server
    finally:
        server.stop(signal.SIGINT)


def database(server: Server, name: str) -> str:
    """Make an empty database; return its URL."""
    server.sql(f"DROP DATABASE IF EXISTS {name}")
    server.sql(f"CREATE DATABASE {name}")
    return server.url(name)
