"""What the jobs work with, built by `worker` and handed in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.accounts import Account
    from archive.api import Api
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.fetch import Fetcher
    from archive.publisher import Publisher
    from archive.readiness import Readiness
    from archive.store import Store
    from jobs.capacity import Capacity

CTX_KEY = "parts"
"""Where arq's context holds them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account with its connections to the provider."""

    account: Account
    api: Api
    fetcher: Fetcher


@dataclass(slots=True)
class Counters:
    """What this process has done since it started."""

    recordings: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a batch needs. ``dice`` gives a random number in 0..1, for jitter."""

    process: str
    host: str
    lines: dict[str, Line]
    catalog: Catalog
    store: Store
    publisher: Publisher
    capacity: Capacity
    readiness: Readiness
    min_free: int
    clock: Clock
    dice: Callable[[], float]
    counters: Counters = field(default_factory=Counters)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def parts_of(ctx: dict[str, Any]) -> Parts:
    """Return the parts in arq's context."""
    parts: Parts = ctx[CTX_KEY]
    return parts
