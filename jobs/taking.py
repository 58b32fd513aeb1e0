"""From the spool into the catalog: callbacks in groups, again and again until they are there."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from archive.call import Source
from archive.catalog.hearings import hear
from archive.catalog.intake import Intake, add_calls
from archive.errors import CatalogError, StoreError
from jobs.callbacks import facts_of
from jobs.spool import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.readiness import Readiness
    from jobs.spool import Kept, Spool

GROUP: Final = 200
"""How many callbacks go into one transaction."""
_GATHER_S: Final = 0.2
"""How long more may gather, once there is one."""
_AGAIN_S: Final = 1.0
_log = structlog.get_logger()


class Taker:
    """Takes callbacks from a spool into the catalog. Taking one twice changes nothing.

    ``tell`` is told how many calls were new and known after each group.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        catalog: Catalog,
        accounts: Mapping[str, Account],
        readiness: Readiness,
        clock: Clock,
        tell: Callable[[Intake], None],
    ) -> None:
        self._spool = spool
        self._catalog = catalog
        self._accounts = accounts
        self._readiness = readiness
        self._clock = clock
        self._tell = tell
        self._troubled_since: datetime | None = None

    @property
    def troubled_since(self) -> datetime | None:
        """Since when nothing could be taken in; None while all is well."""
        return self._troubled_since

    async def keep_taking(self) -> None:
        """Take in what comes, until cancelled; trouble is waited out."""
        while True:
            await self._spool.something()
            await asyncio.sleep(_GATHER_S)
            while not await self.take_all():  # noqa: ASYNC110 - nothing tells when it is over
                await asyncio.sleep(_AGAIN_S)

    async def take_all(self) -> bool:
        """Take in all that lies in the spool; return whether it could be."""
        try:
            for segment in await self._spool.take():
                await self._take(segment)
                await self._spool.remove(segment)
        except (CatalogError, StoreError, OSError) as error:
            if self._troubled_since is None:
                self._troubled_since = self._clock()
                _log.warning("callbacks wait to be taken in", error=str(error))
            return False
        if self._troubled_since is not None:
            _log.info("callbacks are taken in again")
            self._troubled_since = None
        return True

    async def _take(self, segment: Path) -> None:
        lines = lines_of(segment)
        while group := await asyncio.to_thread(lambda: list(islice(lines, GROUP))):
            unusable = [line for line in group if isinstance(line, bytes)]
            calls = [line for line in group if not isinstance(line, bytes)]
            for name, kept in _by_account(calls):
                account = self._accounts.get(name)
                if account is None:
                    _log.warning("callbacks of an account without settings", account=name)
                    unusable += [msgspec.json.encode(one) for one in kept]
                    continue
                unusable += await self._take_group(account, kept)
            if unusable:
                _log.warning("callbacks are set aside", lines=len(unusable))
                await asyncio.to_thread(self._spool.set_aside, unusable)

    async def _take_group(self, account: Account, kept: list[Kept]) -> list[bytes]:
        """Take callbacks in; return those that cannot be, which keep no others from it.

        Raises:
            CatalogError: the catalog cannot be written.
        """
        try:
            self._tell(await self._catalog.write(self._add, account, kept))
        except CatalogError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the others are taken in
            if len(kept) == 1:
                _log.exception("a callback cannot be taken in", account=account.name)
                return [msgspec.json.encode(kept[0])]
            middle = len(kept) // 2
            first = await self._take_group(account, kept[:middle])
            return first + await self._take_group(account, kept[middle:])
        return []

    def _add(self, tx: Tx, account: Account, kept: list[Kept]) -> Intake:
        told = [facts_of(one.fields, account.zone) for one in kept]
        taken = add_calls(
            tx,
            [facts for facts in told if facts is not None],
            account=account,
            source=Source.WEBHOOK,
            readiness=self._readiness,
            now=self._clock(),
        )
        for since, until in stretches(one.received_at for one in kept):
            hear(tx, account.name, Source.WEBHOOK, since, until)
        return taken


def stretches(
    moments: Iterator[datetime], apart: timedelta = timedelta(minutes=1)
) -> list[tuple[datetime, datetime]]:
    """Return the times that moments make which are no further apart than that, in order."""
    found: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        if found and moment - found[-1][1] <= apart:
            found[-1] = (found[-1][0], moment)
        else:
            found.append((moment, moment))
    return found


def _by_account(kept: list[Kept]) -> Iterator[tuple[str, list[Kept]]]:
    for name in dict.fromkeys(one.account for one in kept):
        yield name, [one for one in kept if one.account == name]
