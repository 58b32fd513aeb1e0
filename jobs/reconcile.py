"""The listing against the catalog: what is unknown is added, and each source's gaps are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog.coverage import cover
from archive.catalog.sources import Unlisted, sources_of, unlisted_of
from archive.windows import Window, windows
from jobs.intake import Report
from jobs.listing import Clerk, alarm_for, cut_range, take_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.api import Api
    from archive.catalog.writer import Catalog
    from archive.sources import Brought

_MARGIN: Final = timedelta(hours=1)
"""Listed before the range, too: a call is created some time before it begins."""
_SHOWN: Final = 5


class Reconciled(msgspec.Struct, kw_only=True):
    """What came of it. ``end`` is where the listing was read to, in time for what was asked.

    ``alarm`` says that nothing was listed where there always is something; else it is None.
    """

    account: str
    begin: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    listed: int
    new: int
    known: int
    rejected: int
    sources: list[Brought]
    unlisted: Unlisted
    alarm: str | None = None


async def reconcile(
    clerk: Clerk,
    api: Api,
    catalog: Catalog,
    begin: datetime,
    end: datetime,
    *,
    now: datetime,
    on_page: Callable[[Report], None],
) -> Reconciled:
    """Walk the listing over a range, add what is unknown, and return what each source brought.

    What sources told of and the listing does not have stays as it is: it is asked for by its Sid
    when it is due.

    Raises:
        ApiTroubleError: the provider gave no usable answer; earlier pages are kept.
        CatalogError: the catalog cannot be written.
    """
    account = api.account
    report = Report()
    first, last = cut_range(begin - _MARGIN, end, now)
    for window in windows(first, last):
        await take_window(clerk, api, window, on_page=on_page, report=report)
    asked = Window(max(begin, first), last)
    alarm = await alarm_for(catalog, account, report, asked)
    if alarm is None:
        await catalog.write(cover, account.name, asked.start, asked.end)
    return Reconciled(
        account=account.name,
        begin=begin,
        end=last,
        listed=report.rows,
        new=report.new,
        known=report.known,
        rejected=report.rejected,
        sources=await catalog.read(sources_of, account, begin, last),
        unlisted=await catalog.read(unlisted_of, account, begin, last, most=_SHOWN),
        alarm=alarm,
    )
