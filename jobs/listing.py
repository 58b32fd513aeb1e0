"""From the provider's listing to the catalog: walked window by window, page by page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from archive.catalog.intake import Intake, count_calls
from archive.catalog.listed import take_listed
from archive.catalog.watermarks import has_always_some
from archive.entry import FOR_ALL
from archive.history import HISTORY
from archive.windows import windows
from jobs.intake import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.accounts import Account
    from archive.api import Api
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.entry import Entry
    from archive.readiness import Readiness
    from archive.windows import Window
    from archive.wire import Page

_SETTLING: Final = timedelta(minutes=1)


class Clerk:
    """Takes pages of one account's listing into the catalog, or with ``dry_run`` only counts."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        account: Account,
        readiness: Readiness,
        clock: Clock,
        dry_run: bool = False,
        entry: Entry = FOR_ALL,
    ) -> None:
        self._catalog = catalog
        self._account = account
        self._readiness = readiness
        self._clock = clock
        self._entry = entry
        self._dry_run = dry_run
        self._counted: set[str] = set()

    async def take(self, page: Page) -> Intake:
        """Take a page in with one transaction, or count it.

        Raises:
            CatalogError: the catalog cannot be written, or read.
        """
        if self._dry_run:
            # Nothing is written, so what a former page would have added is remembered here.
            sids = [answer.facts.sid for answer in page.calls]
            fresh = [sid for sid in sids if sid not in self._counted]
            self._counted.update(fresh)
            intake = await self._catalog.read(count_calls, fresh, account=self._account)
            return Intake(new=intake.new, known=len(page.calls) - intake.new)
        return await self._catalog.write(
            take_listed,
            page.calls,
            account=self._account,
            readiness=self._readiness,
            now=self._clock(),
            entry=self._entry,
        )


async def take_window(
    clerk: Clerk,
    api: Api,
    window: Window,
    *,
    longer_than: timedelta | None = None,
    on_page: Callable[[Report], None] | None = None,
    report: Report | None = None,
) -> Report:
    """Take in all calls that the provider lists in a window, or those that lasted long enough.

    Adds to ``report`` if one is given. When this returns, the last page was read.

    Raises:
        ApiTroubleError: the provider gave no usable answer; earlier pages are kept.
        CatalogError: the catalog cannot be written.
    """
    report = Report() if report is None else report
    async for page in api.listing(window, longer_than=longer_than):
        report.rows += len(page.calls) + page.unusable
        report.rejected += page.unusable
        report.count(await clerk.take(page))
        if on_page is not None:
            on_page(report)
    return report


async def take_range(
    clerk: Clerk, api: Api, start: datetime, end: datetime, on_page: Callable[[Report], None]
) -> Report:
    """Take in all calls that the provider lists as created in a range.

    Raises:
        ApiTroubleError: the provider gave no usable answer; earlier pages are kept.
        CatalogError: the catalog cannot be written.
    """
    report = Report()
    for window in windows(start, end):
        await take_window(clerk, api, window, on_page=on_page, report=report)
    return report


async def alarm_for(
    catalog: Catalog, account: Account, report: Report, window: Window
) -> str | None:
    """Return what is odd about a walk that brought nothing where there always is something.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    if report.rows or not await catalog.read(has_always_some, account, window):
        return None
    return "no calls are listed where there always are some: ask again later"


def cut_range(start: datetime, end: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Return the part of a range that the provider can answer for: six months, and no future."""
    earliest = now - HISTORY + _SETTLING
    return max(start, earliest), min(end, now)
