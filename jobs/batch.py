"""The job that archives a batch: claim, resolve in one request, download side by side, settle.

Each call settles by itself, so one slow download holds up no other. Whatever ends the batch early
(a stop, a pause, a trouble of the whole account), what it did not settle is given back.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog
from arq import Retry

from archive.api import ApiTroubleError
from archive.catalog import work
from archive.errors import CatalogError, QueueError, leaves
from archive.verdicts import Absent, Failed, Lost, Symptom
from jobs.downloads import Downloads
from jobs.health import OF_DOWNLOADS, OF_HOSTS, OF_WRITES
from jobs.outcomes import count_outcome
from jobs.parts import Line, Parts, parts_of, unless
from jobs.pausing import Pausing
from jobs.payload import Batch, NewerPayloadError, decode_batch
from jobs.resolve import resolve
from jobs.settling import excluded, judge_call, learnt_of
from jobs.targets import Target, targets_of, told_by_listing, url_of
from jobs.telling import tell_settled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from archive.catalog.work import ClaimedCall
    from archive.wire import CallAnswer
    from jobs.capacity import Room

_NEWER_AGAIN_S: Final = 15
_FULL_AGAIN_S: Final = 0.5
_REST: Final = timedelta(minutes=1)
_QUEUE_REST: Final = timedelta(seconds=5)
_GIVEN_UP: Final = (Absent, Lost, Failed)
_log = structlog.get_logger()


async def archive_batch(ctx: dict[str, Any], payload: object) -> None:
    """Archive the calls of one payload. This is the function arq runs."""
    parts = parts_of(ctx)
    try:
        batch = decode_batch(payload)
    except NewerPayloadError:
        raise Retry(defer=_NEWER_AGAIN_S) from None
    if batch is None or batch.account not in parts.lines:
        # The calls are still in the catalog; only this message is dropped.
        _log.warning("dropped a message that is no batch of a configured account")
        return
    if parts.capacity.must_wait(batch.account):
        raise Retry(defer=_FULL_AGAIN_S)
    lease = secrets.token_hex(16)
    with parts.in_work.holding(lease) as lost:
        try:
            await _hold(parts, batch, lease, ctx["job_id"], lost)
        except* QueueError as group:
            # The leader meets it, too, and waits it out: nothing here is worth a traceback.
            _log.warning("gave a batch back", error=str(next(leaves(group))))
        except* CatalogError as group:
            _log.warning("gave a batch back", error=str(next(leaves(group))))
            await _rest(parts)
        finally:
            await _give_back(parts, lease)


async def _hold(parts: Parts, batch: Batch, lease: str, job_id: str, lost: asyncio.Event) -> None:
    # Before anything is waited for: if this process dies now, rescue finds the message.
    await parts.catalog.write(
        work.begin_batch, lease=lease, process=parts.process, job_id=job_id, now=parts.clock()
    )
    parts.in_work.note(lease)
    async with parts.capacity.room(len(batch.sids), batch.account) as room:
        if not parts.stopping.is_set() and not lost.is_set():
            await unless(lost, _Run(parts, batch, lease, room).run())


async def _give_back(parts: Parts, lease: str) -> None:
    """Give back what is left; also of a batch being cancelled, the catalog finishes what it got."""
    try:
        await parts.catalog.write(work.end_batch, lease=lease)
    except CatalogError as error:
        # The next beat that comes through finds a batch that nobody works on.
        _log.warning("a batch is given back later", error=error.message)
        await _rest(parts)


async def _rest(parts: Parts) -> None:
    """Begin nothing for a while: what is asked of the provider now could not be written down."""
    parts.stirred()
    with parts.capacity.closed(), suppress(TimeoutError):
        await asyncio.wait_for(parts.stopping.wait(), parts.rest.total_seconds())


class _Run:
    """One batch in work."""

    def __init__(self, parts: Parts, batch: Batch, lease: str, room: Room) -> None:
        self._parts = parts
        self._batch = batch
        self._lease = lease
        self._room = room
        self._line: Line = parts.lines[batch.account]
        self._pausing = Pausing(parts, self._line, lease)
        self._downloads = Downloads(parts, self._line, lease, room, self._pausing)

    async def run(self) -> None:
        """Archive the batch; what is not settled when this ends is given back by the caller."""
        if not await self._pausing.look() or not await self._pausing.disk_has_room():
            return
        self._pausing.look_at_hosts()
        claimed = await self._parts.catalog.write(
            work.claim,
            account=self._batch.account,
            sids=self._batch.sids,
            lease=self._lease,
        )
        if not claimed:
            return
        self._parts.stirred()
        try:
            await self._archive(claimed)
        except QueueError:
            # Nobody may ask the provider while the limit cannot be kept.
            await self._put_off(_QUEUE_REST)
            raise
        except Exception:
            # Ours or the catalog's: tried again, but not in a circle without a rest.
            await self._put_off(_REST)
            raise

    async def _put_off(self, rest: timedelta) -> None:
        parts = self._parts
        until = parts.clock() + rest
        await parts.catalog.write(work.put_off, lease=self._lease, until=until)

    async def _archive(self, claimed: list[ClaimedCall]) -> None:
        pausing = self._pausing
        claimed = await self._leave_out(claimed, {})
        answers = await self._ask(claimed) if claimed else None
        if answers is None:
            return
        claimed = await self._leave_out(claimed, answers)
        calls = await self._settle_without_url(claimed, answers)
        await self._downloads.adopt_or_download(calls)
        if self._downloads.is_over:
            return
        gone = self._downloads.found_gone
        await pausing.lift(paused for paused in pausing.held.values() if paused.reason in gone)

    async def _ask(self, claimed: list[ClaimedCall]) -> dict[str, CallAnswer | Symptom] | None:
        """Return what the provider says of each call; None if nothing can be concluded for any.

        Those of which the listing told already are not asked for. But a probe asks for all: what
        the listing told may be what is wrong.
        """
        parts, pausing = self._parts, self._pausing
        told: dict[str, CallAnswer | Symptom] = {}
        if not pausing.held:
            told.update(
                told_by_listing(claimed, self._line.account, parts.readiness, parts.clock())
            )
        unknown = [call.facts for call in claimed if call.facts.sid not in told]
        if not unknown:
            return told
        try:
            asking = resolve(self._line.api, unknown, parts.clock())
            answers = await unless(parts.stopping, asking)
            if answers is None:
                return None
        except ApiTroubleError as trouble:
            verdict = pausing.judge_account(trouble.symptom, trouble.retry_after)
            # The pause holds the calls back, and a new run may probe it at once.
            account = self._line.account
            where = f"{account.api_base} ({account.region})"
            await pausing.pause(verdict, f"{where}: {trouble.detail}")
            return None
        # Resolving worked: what held this up at the API is gone, and counts no longer.
        pausing.strikes = pausing.strikes if pausing.probing else 0
        await pausing.lift(
            p for p in pausing.held.values() if p.reason not in OF_DOWNLOADS | OF_HOSTS | OF_WRITES
        )
        return told | answers

    async def _leave_out(
        self, claimed: list[ClaimedCall], answers: Mapping[str, CallAnswer | Symptom]
    ) -> list[ClaimedCall]:
        """Settle the calls that a rule leaves out, by what is known now; return the rest."""
        parts, account = self._parts, self._line.account
        out = excluded(claimed, answers, account)
        if out:
            now = parts.clock()
            learnt = learnt_of(claimed, answers)
            await parts.catalog.write(
                work.learn, learnt, lease=self._lease, account=account, now=now
            )
            await self._settle(list(out.items()), now)
        return [call for call in claimed if call.facts.sid not in out]

    async def _settle(self, outcomes: Sequence[tuple[str, work.Outcome]], now: datetime) -> None:
        """Write what became of calls without a download, and tell of each."""
        account = self._batch.account
        held = await self._parts.catalog.write(
            work.settle, outcomes, lease=self._lease, account=account, now=now
        )
        self._room.leave(len(outcomes))
        # A lease lapses for all calls of a batch at once: then others have them, and tell of them.
        for sid, outcome in outcomes if held else ():
            tell_settled(account, sid, outcome)
            count_outcome(self._parts.tallies, account, outcome)

    async def _settle_without_url(
        self, claimed: list[ClaimedCall], answers: dict[str, CallAnswer | Symptom]
    ) -> list[list[Target]]:
        """Keep what was learnt, settle what has no recording, return what is to be fetched.

        Before a call is given up, the recordings that other sources told of are tried.
        """
        parts = self._parts
        now = parts.clock()
        calls: list[list[Target]] = []
        outcomes: list[tuple[str, work.Outcome]] = []
        for call in claimed:
            answer = answers[call.facts.sid]
            targets = targets_of(call, answer, self._line.account, now)
            if targets and url_of(answer):
                calls.append(targets)
                continue
            outcome = judge_call(
                call, answer, now, parts.readiness, parts.dice(), account=self._line.account
            )
            if targets and isinstance(outcome, _GIVEN_UP):
                calls.append(targets)
                continue
            outcomes.append((call.facts.sid, outcome))
        learnt = learnt_of(claimed, answers)
        await parts.catalog.write(
            work.learn, learnt, lease=self._lease, account=self._line.account, now=now
        )
        await self._settle(outcomes, now)
        return calls
