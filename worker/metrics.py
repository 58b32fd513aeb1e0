"""What Prometheus is told: the counters of this process, and the catalog's balance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from archive.call import State
from archive.catalog import balance
from archive.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archive.catalog.balance import Tally
    from archive.catalog.intake import Intake
    from archive.catalog.writer import Catalog
    from archive.clock import Clock

_CACHED_S: Final = 15.0
"""Counting millions of calls takes a while: it is done no more often than this."""
_PATIENCE_S: Final = 5.0


class Metrics:
    """The metrics of the web server's process."""

    def __init__(
        self, catalog: Catalog, accounts: Sequence[str], clock: Clock, spool: Callable[[], int]
    ) -> None:
        self._catalog = catalog
        self._accounts = accounts
        self._clock = clock
        self._next_s = 0.0
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library's own
        self.registry = CollectorRegistry()
        self._callbacks = Counter(
            "callvault_callbacks",
            "Requests to the webhook, by account (empty where it is not known) and outcome",
            ["account", "outcome"],
            registry=self.registry,
        )
        self._taken = Counter(
            "callvault_callbacks_taken",
            "Callbacks that the catalog has taken in, by whether their call was new",
            ["call"],
            registry=self.registry,
        )
        Gauge(
            "callvault_spool_bytes",
            "Callbacks that the catalog has not taken in yet, in bytes",
            registry=self.registry,
        ).set_function(spool)
        self._calls = Gauge(
            "callvault_calls",
            "Known calls, by account and state",
            ["account", "state"],
            registry=self.registry,
        )
        self._read = Gauge(
            "callvault_catalog_up",
            "1 if the catalog could be read just now",
            registry=self.registry,
        )

    def count(self, account: str, outcome: str) -> None:
        """Count a request to the webhook."""
        self._callbacks.labels(account, outcome).inc()

    def taken(self, intake: Intake) -> None:
        """Count what the catalog has taken in."""
        self._taken.labels("new").inc(intake.new)
        self._taken.labels("known").inc(intake.known)

    async def exposition(self) -> tuple[bytes, str]:
        """Return all metrics as text, and its type."""
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._next_s:
            self._next_s = now_s + _CACHED_S
            await self._look()
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    async def _look(self) -> None:
        try:
            for name in self._accounts:
                reading = self._catalog.read(balance.tally, [name], self._clock())
                tally: Tally = await asyncio.wait_for(reading, _PATIENCE_S)
                for state in State:
                    self._calls.labels(name, state.value).set(tally.states[state])
        except (CatalogError, TimeoutError):
            self._read.set(0)
        else:
            self._read.set(1)
