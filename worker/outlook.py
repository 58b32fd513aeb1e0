"""Before and beside the work: accounts that cannot be worked for, and deletions to be warned of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from archive.catalog import pauses
from archive.catalog.forecast import correct, corrections, risks
from archive.errors import CatalogError
from archive.forecast import describe
from archive.hours import ALWAYS
from archive.reasons import NO_CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.errors import CredentialsError
    from archive.forecast import Risk
    from archive.hours import Backfill

EVERY: Final = timedelta(minutes=1)
"""Between two looks at what is at risk."""
_AGAIN: Final = timedelta(minutes=10)
_MATERIAL: Final = 2
_log = structlog.get_logger()


async def hold_up(
    catalog: Catalog, left_out: Mapping[str, CredentialsError], now: datetime
) -> None:
    """Pause accounts that have no key or token: they hold up no other, and `status` tells of them.

    Raises:
        CatalogError: the catalog cannot be written.
    """
    for name, error in left_out.items():
        scope = pauses.account_scope(name)
        _log.error("nothing is done for an account", account=name, error=error.message)
        await catalog.write(
            pauses.pause,
            scope,
            reason=NO_CREDENTIALS,
            detail=f"{error.message}; {error.hint}",
            fatal=True,
            after=timedelta(0),
            now=now,
        )


async def correct_deletion_days(catalog: Catalog, accounts: Iterable[Account]) -> int:
    """Put waiting calls on the days on which the settings say now that they are deleted.

    Raises:
        CatalogError: the catalog cannot be read or written.
    """
    count = 0
    for account in accounts:
        # One by one, so that nobody waits long for the catalog's lock.
        for correction in await catalog.read(corrections, account):
            count += await catalog.write(correct, correction)
    if count:
        _log.info("the settings put deletions on other days", calls=count)
    return count


class Watch:
    """Warns of what will be deleted before its turn: every ten minutes, or when it has doubled."""

    def __init__(
        self,
        catalog: Catalog,
        accounts: Iterable[Account],
        clock: Clock,
        backfill: Backfill = ALWAYS,
    ) -> None:
        self._catalog = catalog
        self._backfill = backfill
        self._accounts = {account.name: account for account in accounts}
        self._clock = clock
        self._warned: dict[str, tuple[datetime, int]] = {}
        self._looked: datetime | None = None
        self._at_risk = 0

    async def look(self) -> int:
        """Look, if it is time for it, and warn where something is at risk; return how much is."""
        now = self._clock()
        if self._looked is not None and timedelta(0) <= now - self._looked < EVERY:
            return self._at_risk
        self._looked = now
        try:
            found = await self._catalog.read(risks, self._accounts.values(), now, self._backfill)
        except CatalogError as error:
            _log.warning("cannot tell what will be deleted", error=error.message)
            return self._at_risk
        self._at_risk = sum(risk.calls for risk in found)
        for risk in found:
            self._tell(risk, now)
        return self._at_risk

    def _tell(self, risk: Risk, now: datetime) -> None:
        if not risk.calls:
            self._warned.pop(risk.account, None)
            return
        before = self._warned.get(risk.account)
        if before and now - before[0] < _AGAIN and risk.calls < _MATERIAL * before[1]:
            return
        self._warned[risk.account] = (now, risk.calls)
        _log.warning(
            "recordings will be deleted before their turn",
            account=risk.account,
            calls=risk.calls,
            first=None if risk.first is None else risk.first.isoformat(),
            rate_per_hour=risk.rate_per_hour,
            needed_per_hour=risk.needed_per_hour,
            detail=describe(risk, self._accounts[risk.account]),
        )
