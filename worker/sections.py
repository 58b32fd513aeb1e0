"""The sections of ``config.toml`` that belong to the processes rather than to a part below."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from jobs.address import read_address
from worker.values import Rate, Size

EMBEDDED: Final = "embedded"


class QueueUrl(str):
    """``embedded``, or the URL of a Redis or Valkey."""

    __slots__ = ()

    @classmethod
    def read(cls, raw: object) -> QueueUrl:
        """Read the setting.

        Raises:
            ValueError: it is no such URL.
        """
        if not isinstance(raw, str):
            raise ValueError('"embedded", or a URL such as redis://HOST')  # noqa: TRY004 - as all
        if raw != EMBEDDED:
            read_address(raw)
        return cls(raw)


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Where work in flight is kept: ``embedded``, or a Redis or Valkey URL."""

    url: QueueUrl = QueueUrl(EMBEDDED)
    state: Path = Path("state")


class CatalogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the catalog is, and its memory.

    ``url`` is ``sqlite:///relative.db`` or ``sqlite:////absolute.db``, or a server's as libpq takes
    it: ``postgresql://user@host/database``.

    ``keep_looks`` is how long the looks at settled calls are kept, ``keep_history`` how long runs,
    hearings and files of rejected rows are.
    """

    url: Annotated[
        str,
        Meta(
            pattern=r"^(sqlite:///|postgres(ql)?://)\S+\Z",
            description="sqlite:///relative.db, sqlite:////absolute.db, or postgresql://…",
        ),
    ] = "sqlite:///state/catalog.db"
    keep_looks: timedelta = timedelta(days=90)
    keep_history: timedelta = timedelta(days=400)


def has_password(url: object) -> bool:
    """Tell whether a server's URL holds a password, where libpq would look for one."""
    if not isinstance(url, str) or "://" not in url:
        return False
    _, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    user, at, _ = place.partition("/")[0].rpartition("@")
    return bool(at and ":" in user) or bool(re.search(r"(^|&)(ssl)?password=", query))


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """Where recordings lie, whether each has a JSON beside it, and the room to be left free.

    ``shared`` is false where this host's root is its own, beside those of other hosts.

    ``keep_days`` is how long recordings are kept, 0: for ever. ``purge`` says who deletes
    them then.
    """

    root: Path = Path("recordings")
    shared: bool = True
    sidecar: bool = True
    min_free: Size = Size(2**30)
    keep_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    purge: Literal["by-hand", "automatic"] = "by-hand"


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done at once. ``processes = 0`` stands for one per core.

    ``limit_rate`` is how many bytes of recordings a second come at most, over all processes.
    ``host`` is what this machine is called in the catalog, empty: by its own name.
    """

    processes: Annotated[int, Meta(ge=0, le=256)] = 0
    downloads: Annotated[int, Meta(ge=1, le=512)] = 32
    batch: Annotated[int, Meta(ge=1, le=100)] = 100
    limit_rate: Rate = Rate(0)
    host: Annotated[
        str,
        Meta(
            max_length=100,
            pattern=r"^[A-Za-z0-9._-]*\Z",
            description="up to 100 letters, digits, '.', '_' or '-'",
        ),
    ] = ""

    @property
    def rate_of_process(self) -> float:
        """What each process may take of ``limit_rate``: an equal share; 0 is no limit."""
        return self.limit_rate / self.process_count

    @property
    def process_count(self) -> int:
        """How many worker processes to start."""
        return self.processes or os.cpu_count() or 1


NetworkText = Annotated[
    str,
    Meta(
        pattern=r"^[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?\Z",
        description="addresses or networks such as 203.0.113.7 or 203.0.113.0/24",
    ),
]


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """Where callbacks are received, from whom, and how many.

    ``allow`` empty: from anywhere. ``trusted_proxies`` are those whose X-Forwarded-For counts.
    ``spool`` is how much of what the catalog has not taken in yet may lie on disk.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    allow: tuple[NetworkText, ...] = ()
    trusted_proxies: tuple[NetworkText, ...] = ()
    metrics_allow: tuple[NetworkText, ...] = ("127.0.0.0/8", "::1")
    per_second: Annotated[int, Meta(ge=1, le=100_000)] = 500
    body: Size = Size(64 * 2**10)
    spool: Size = Size(2**30)


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """How to log: ``auto`` is for people on a terminal and JSON lines elsewhere."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
