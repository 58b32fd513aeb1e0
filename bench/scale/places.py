"""Where the catalogs of a benchmark lie: made once, and used again by the next run."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.scale.books import DAY_MS, Size, make_file, make_on_server
from bench.scale.server import database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql import Server

WAITING: Final = {"kept": 100_000, "backlog": None, "done": 0}
"""How many wait in a catalog of each sort; None: all of them."""


class Place(NamedTuple):
    """A catalog: where it is, what it holds, and how long it took to make."""

    url: str
    size: Size
    made_s: float

    @property
    def kind(self) -> str:
        """Of which kind it is, as the tables call it."""
        return "SQLite" if self.url.startswith("sqlite") else "PostgreSQL"


def place_of(folder: Path, calls: int, *, server: Server | None, sort: str = "kept") -> Place:
    """Return a catalog of so many calls, in a file or on the server; make it if there is none."""
    name = f"{sort}_{calls}_{'file' if server is None else 'server'}"
    noted = folder / f"{name}.json"
    if noted.exists():
        url, size, made_s = json.loads(noted.read_text())
        return Place(url, Size(*size), made_s)
    waiting = WAITING[sort]
    size = Size(
        calls,
        calls if waiting is None else min(calls, waiting),
        int(time.time() * 1000) // DAY_MS * DAY_MS,
    )
    began = time.monotonic()
    if server is None:
        path = folder / f"{name}.db"
        path.unlink(missing_ok=True)
        make_file(path, size)
        url = f"sqlite:///{path}"
    else:
        url = database(server, name)
        make_on_server(url, size)
    place = Place(url, size, time.monotonic() - began)
    noted.write_text(json.dumps(place))
    return place
