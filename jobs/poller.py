"""One round of polling for one account: what the listing has that is new, and up to when.

A round can be made again at any time, by anybody: what is known is known, and a watermark moves
only when the last page of a window was read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from archive.api import ApiTroubleError
from archive.call import Source
from archive.catalog import pauses, troubles, watermarks
from archive.catalog.coverage import cover
from archive.catalog.hearings import PAUSE, begin_listening
from archive.entry import FOR_ALL
from archive.polling import (
    LONG,
    OVERLAP,
    SWEEP,
    Poll,
    Walk,
    heard_since,
    is_believed,
    is_due,
    next_windows,
)
from archive.verdicts import RULES, Pause, Symptom, backoff, judge
from jobs.health import OF_DOWNLOADS, OF_HOSTS, OF_WRITES
from jobs.listing import Clerk, take_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.api import Api
    from archive.catalog.pauses import Paused
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.entry import Entry
    from archive.polling import Mark
    from archive.readiness import Readiness
    from archive.windows import Window
    from jobs.intake import Report

_OTHERS: Final = OF_DOWNLOADS | OF_HOSTS | OF_WRITES
"""Reasons of pauses that have nothing to do with the API."""
_log = structlog.get_logger()


class Round(msgspec.Struct, kw_only=True):
    """What came of a round.

    ``until`` is the watermark: the listing was read up to there. ``alarm`` says that nothing was
    listed where there always is something, ``paused`` why nothing was asked; both are else None.
    """

    account: str
    listed: int = 0
    new: int = 0
    known: int = 0
    rejected: int = 0
    requests: int = 0
    until: datetime | None = None
    alarm: str | None = None
    paused: str | None = None

    def count_page(self, _: Report) -> None:
        """Count a request."""
        self.requests += 1

    def add(self, report: Report) -> None:
        """Add what a window brought."""
        self.listed += report.rows
        self.new += report.new
        self.known += report.known
        self.rejected += report.rejected


class Poller:
    """Polls one account. ``dice`` gives a random number in 0..1, for jitter."""

    def __init__(
        self,
        *,
        api: Api,
        catalog: Catalog,
        poll: Poll,
        readiness: Readiness,
        clock: Clock,
        dice: Callable[[], float],
        host: str,
        entry: Entry = FOR_ALL,
    ) -> None:
        self.account = api.account
        self._api = api
        self._catalog = catalog
        self._poll = poll
        self._clock = clock
        self._dice = dice
        self._host = host
        self._clerk = Clerk(
            catalog=catalog, account=api.account, readiness=readiness, clock=clock, entry=entry
        )
        self._listens = False
        self._strikes = 0
        self._rest = OVERLAP
        self._refused_at: datetime | None = None

    async def round(self) -> Round:
        """Make the walks that are due, unless the account is paused.

        Raises:
            ApiTroubleError: the provider gave no usable answer; what was read is kept. Where no
                later request can fare better, the account is paused by then.
            CatalogError, QueueError: the catalog or Redis is out of reach.
        """
        done = Round(account=self.account.name)
        if not self._listens:
            # Before anything is asked: one that never gets an answer is silent since then.
            await self._catalog.write(
                begin_listening, self.account.name, Source.LISTING, self._clock()
            )
            self._listens = True
        held = await self._held()
        waiting = next((p for p in held if p.probe_at > self._clock()), None)
        if waiting is not None:
            done.paused = f"{waiting.reason} ({waiting.detail})"
            return done
        try:
            await self._walk(Walk.RECENT, done)
            if done.alarm is None:
                await self._sweep(done)
        except ApiTroubleError as trouble:
            await self._pause(trouble, held)
            await self._note(troubles.POLLING, f"{self.account.api_base}: {trouble.detail}")
            raise
        self._strikes = 0
        await self._catalog.write(watermarks.forget_odd, self._what(troubles.POLLING))
        for paused in held:
            if await self._catalog.write(pauses.lift_probed, paused):
                _log.info("pause lifted", scope=paused.scope)
        return done

    def rest_for(self, rest: timedelta) -> None:
        """Know when the next round comes: until then, not having polled is no silence."""
        self._rest = rest

    def rest_after_trouble(self, trouble: Exception) -> timedelta:
        """Return how long to wait after a round that failed; longer each time in a row."""
        api = trouble if isinstance(trouble, ApiTroubleError) else None
        rule = RULES[api.symptom if api else Symptom.API_UNREACHABLE]
        grown = backoff(self._strikes, rule.base, rule.cap, self._dice())
        self._strikes += 1
        return max(grown, (api and api.retry_after) or timedelta(0))

    async def _walk(self, walk: Walk, done: Round) -> None:
        """Read the windows of a walk one after the other, and move its watermark after each."""
        now = self._clock()
        mark = await self._mark(walk)
        if not is_due(walk, mark, now):
            return
        longer_than = LONG if walk is Walk.LONG else None
        heard = heard_since(mark, now, self._rest + PAUSE)
        # Only the recent walk reaches the live edge each time.
        believed = walk is Walk.RECENT
        windows = next_windows(walk, mark, now, self._poll)
        for window in windows:
            odd = False
            report = await take_window(
                self._clerk,
                self._api,
                window,
                longer_than=longer_than,
                on_page=done.count_page,
            )
            done.add(report)
            if walk is Walk.RECENT:
                odd, done.alarm = await self._judge_empty(window, report)
                if done.alarm is not None:
                    return
                done.until = window.end
                believed = believed and not odd
            if walk is Walk.RECENT and not odd:
                await self._catalog.write(cover, self.account.name, window.start, window.end)
            whole = believed and window is windows[-1]
            await self._catalog.write(
                watermarks.complete,
                self.account.name,
                walk,
                window.end,
                heard_since=heard if whole else None,
                now=self._clock(),
            )

    async def _sweep(self, done: Round) -> None:
        """Ask for long calls; a provider that refuses just this question holds up nothing else."""
        now = self._clock()
        if self._refused_at is not None and timedelta(0) <= now - self._refused_at < SWEEP:
            return
        try:
            await self._walk(Walk.LONG, done)
        except ApiTroubleError as trouble:
            if trouble.symptom is not Symptom.API_REFUSED:
                raise
            self._refused_at = now
            _log.warning(
                "the provider refuses to list long calls; the nightly reconciliation finds them",
                account=self.account.name,
                detail=trouble.detail,
            )

    async def _judge_empty(self, window: Window, report: Report) -> tuple[bool, str | None]:
        """Tell whether a window's emptiness is odd, and the alarm while it is not believed."""
        what = self._what(troubles.LISTING)
        if report.rows or not await self._catalog.read(
            watermarks.has_always_some, self.account, window
        ):
            if await self._catalog.write(watermarks.forget_odd, what):
                _log.info("calls are listed again", account=self.account.name)
            return False, None
        zone = self.account.zone
        start, end = (moment.astimezone(zone) for moment in (window.start, window.end))
        alarm = f"no calls are listed from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, where "
        alarm += "there always are some"
        since = await self._note(troubles.LISTING, alarm)
        if is_believed(since, self._clock()):
            _log.warning(
                "going on without calls of a time that always has some",
                account=self.account.name,
                detail=alarm,
            )
            await self._catalog.write(watermarks.forget_odd, what)
            return True, None
        _log.warning("an empty listing is not believed", account=self.account.name, detail=alarm)
        return True, alarm

    async def _held(self) -> list[Paused]:
        mine = {pauses.ALL, pauses.account_scope(self.account.name)}
        found = await self._catalog.read(pauses.pauses)
        return [p for p in found if p.scope in mine and p.reason not in _OTHERS]

    async def _pause(self, trouble: ApiTroubleError, held: list[Paused]) -> None:
        """Pause the account for what a person has to mend, as a batch would.

        What passes is the poller's own to wait out: batches meet it by themselves, or do not.
        """
        if not RULES[trouble.symptom].fatal:
            return
        scope = pauses.account_scope(self.account.name)
        strikes = next((paused.strikes for paused in held if paused.scope == scope), 0)
        verdict = judge(trouble.symptom, strikes=strikes, jitter=self._dice())
        assert isinstance(verdict, Pause)
        await self._catalog.write(
            pauses.pause,
            scope,
            reason=verdict.reason,
            detail=f"{self.account.api_base} ({self.account.region}): {trouble.detail}",
            fatal=verdict.fatal,
            after=verdict.after,
            now=self._clock(),
        )
        _log.warning("paused", scope=scope, reason=verdict.reason, detail=trouble.detail)

    async def _mark(self, walk: Walk) -> Mark | None:
        return await self._catalog.read(watermarks.watermark, self.account.name, walk)

    async def _note(self, kind: str, detail: str) -> datetime:
        return await self._catalog.write(
            watermarks.note_odd, self._what(kind), detail, host=self._host, now=self._clock()
        )

    def _what(self, kind: str) -> str:
        return kind.format(self.account.name)
