"""The job that archives a batch: claim, resolve in one request, download side by side, settle.

Each call settles by itself, so one slow download holds up no other. Whatever ends the batch early
(a stop, a pause, a trouble of the whole account), what it did not settle is given back.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from arq import Retry

from archive.api import ApiTroubleError
from archive.catalog import pauses, work
from archive.errors import CatalogError, QueueError, leaves
from archive.store import is_full
from archive.verdicts import Absent, Failed, Lost, Pause, Symptom, Verdict, judge
from archive.wire import CallAnswer
from jobs.parts import Line, Parts, parts_of
from jobs.payload import Batch, NewerPayloadError, decode_batch
from jobs.recording import archive_call, with_flag
from jobs.resolve import resolve
from jobs.settling import judge_call
from jobs.targets import Target, targets_of, url_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from datetime import datetime

    from archive.catalog.database import Tx
    from archive.catalog.pauses import Paused
    from archive.catalog.work import ClaimedCall
    from archive.proof import Proof
    from jobs.capacity import Room

_NEWER_AGAIN_S: Final = 15
_MIB: Final = 2**20
_REST: Final = timedelta(minutes=1)
_QUEUE_REST: Final = timedelta(seconds=5)
T = TypeVar("T")
_OF_DOWNLOADS: Final = frozenset({Symptom.FETCH_TLS, Symptom.FETCH_BAD_ADDRESS})
"""Reasons of pauses that only a download can find gone: that the API answers says nothing."""
_GIVEN_UP: Final = (Absent, Lost, Failed)
_OF_WRITES: Final = frozenset({Symptom.DISK_FULL, Symptom.DISK_REFUSES})
"""Reasons that only a recording on disk can find gone: room alone is not enough."""
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
    async with parts.capacity.room(len(batch.sids)) as room:
        if not parts.stopping.is_set() and not lost.is_set():
            await _unless(lost, _Run(parts, batch, lease, room).run())


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
        self._halted = False
        self._downloaded = False
        self._written = False

    async def run(self) -> None:
        """Archive the batch; what is not settled when this ends is given back by the caller."""
        parts = self._parts
        held = await self._pauses()
        if any(paused.probe_at > parts.clock() for paused in held.values()):
            return
        if not await self._disk_has_room(held):
            return
        claimed = await parts.catalog.write(
            work.claim,
            account=self._batch.account,
            sids=self._batch.sids,
            lease=self._lease,
        )
        if not claimed:
            return
        try:
            await self._archive(claimed, held)
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

    async def _pauses(self) -> dict[str, Paused]:
        mine = {
            pauses.ALL,
            pauses.account_scope(self._batch.account),
            pauses.host_scope(self._parts.host),
        }
        found = await self._parts.catalog.read(pauses.pauses)
        return {paused.scope: paused for paused in found if paused.scope in mine}

    async def _disk_has_room(self, held: dict[str, Paused]) -> bool:
        store = self._parts.store
        try:
            if any(paused.reason in _OF_WRITES for paused in held.values()):
                # Nothing is asked of the provider for a disk that still refuses everything.
                await asyncio.to_thread(store.probe, self._lease)
            free = await asyncio.to_thread(store.free_bytes)
        except OSError as error:
            symptom = Symptom.DISK_FULL if is_full(error) else Symptom.DISK_REFUSES
            detail = f"writing below {store.root}: {error.strerror or type(error).__name__}"
            await self._pause(_host_pause(symptom), detail)
            return False
        if free >= self._parts.min_free:
            return True
        least = self._parts.min_free // _MIB
        detail = f"{free // _MIB} MiB are free, less than min_free ({least} MiB)"
        await self._pause(_host_pause(Symptom.DISK_FULL), detail)
        return False

    async def _archive(self, claimed: list[ClaimedCall], held: dict[str, Paused]) -> None:
        parts = self._parts
        asking = resolve(self._line.api, [c.facts for c in claimed], parts.clock())
        try:
            answers = await _unless(parts.stopping, asking)
            if answers is None:
                return
        except ApiTroubleError as trouble:
            scope = held.get(pauses.account_scope(self._batch.account))
            verdict = judge(
                trouble.symptom,
                strikes=scope.strikes if scope else 0,
                jitter=parts.dice(),
                retry_after=trouble.retry_after,
            )
            await self._account_trouble(verdict, trouble.detail)
            return
        # Resolving worked: what held this up at the API is gone.
        await self._lift(p for p in held.values() if p.reason not in _OF_DOWNLOADS | _OF_WRITES)
        calls = await self._settle_without_url(claimed, answers)
        await self._adopt_or_download(calls)
        if self._halted:
            return
        # Where there was nothing to download, the file that was written for a probe has to do.
        gone = (_OF_DOWNLOADS if self._downloaded else set()) | (
            _OF_WRITES if self._written or not self._downloaded else set()
        )
        await self._lift(p for p in held.values() if p.reason in gone)

    async def _lift(self, probed: Iterable[Paused]) -> None:
        for paused in probed:
            if await self._parts.catalog.write(pauses.lift_probed, paused):
                _log.info("pause lifted", scope=paused.scope)

    async def _account_trouble(self, verdict: Verdict, detail: str) -> None:
        """Give the batch back; a trouble of the API is no call's own."""
        # What concerns one call alone was settled as its own answer, see `jobs.resolve`.
        assert isinstance(verdict, Pause)
        # The pause holds the calls back, and a new run may probe it at once.
        account = self._line.account
        await self._pause(verdict, f"{account.api_base} ({account.region}): {detail}")

    async def _settle_without_url(
        self, claimed: list[ClaimedCall], answers: dict[str, CallAnswer | Symptom]
    ) -> list[list[Target]]:
        """Keep what was learnt, settle what has no recording, return what is to be fetched.

        Before a call is given up, the recordings that other sources told of are tried.
        """
        parts = self._parts
        now = parts.clock()
        retention = timedelta(days=self._line.account.retention_days)
        calls: list[list[Target]] = []
        outcomes: list[tuple[str, work.Outcome]] = []
        for call in claimed:
            answer = answers[call.facts.sid]
            targets = targets_of(call, answer, self._line.account, now)
            if targets and url_of(answer):
                calls.append(targets)
                continue
            outcome = judge_call(
                call, answer, now, parts.readiness, parts.dice(), retention=retention
            )
            if targets and isinstance(outcome, _GIVEN_UP):
                calls.append(targets)
                continue
            outcomes.append((call.facts.sid, outcome))
            _log.debug("no recording", call_sid=call.facts.sid, outcome=repr(outcome))
        learnt = [answer.facts for answer in answers.values() if isinstance(answer, CallAnswer)]
        await parts.catalog.write(
            work.learn, learnt, lease=self._lease, account=self._line.account, now=now
        )
        await parts.catalog.write(
            work.settle, outcomes, lease=self._lease, account=self._batch.account, now=now
        )
        self._room.leave(len(outcomes))
        return calls

    async def _adopt_or_download(self, calls: list[list[Target]]) -> None:
        parts = self._parts
        found = await asyncio.to_thread(_adoptable, parts, calls)
        whole = [proofs for proofs, missing in found if not missing]
        finds = [work.Find(sid=proofs[0].sid, proofs=tuple(proofs)) for proofs in whole]
        await self._keep(finds, downloaded=0)
        self._room.leave(len(finds))
        async with asyncio.TaskGroup() as downloads:
            for proofs, missing in found:
                if missing:
                    downloads.create_task(self._download(missing, proofs))

    async def _download(self, targets: list[Target], had: list[Proof]) -> None:
        """Fetch what a call lacks; ``had`` lay in its place already."""
        parts = self._parts
        async with parts.capacity.download():
            self._room.leave(1)
            if self._halted or parts.stopping.is_set():
                return
            haul = await archive_call(parts, self._line, targets, self._lease, had)
        # Whatever came of it: what halts all downloads is told apart by `_halted`.
        self._downloaded = True
        setback = haul.setback
        verdict, detail = (setback.verdict, setback.detail) if setback else (None, "")
        if isinstance(verdict, Pause):
            await self._halt(targets[0], verdict, detail)
            return
        fresh = haul.proofs[len(had) :]
        self._written = self._written or bool(fresh)
        find = work.Find(
            sid=targets[0].place.sid,
            proofs=haul.proofs,
            same=haul.same,
            outcome=verdict,
            detail=detail,
        )
        await self._keep([find], downloaded=sum(proof.size for proof in fresh))

    async def _halt(self, target: Target, verdict: Pause, detail: str) -> None:
        """Begin no more downloads: what kept one recording from us keeps all of them."""
        if self._halted:
            return
        self._halted = True
        doing = "writing" if verdict.whole_host else "fetching"
        await self._pause(verdict, f"{doing} {target.place.path('*')}: {detail}")

    async def _keep(self, finds: list[work.Find], *, downloaded: int) -> None:
        """Write what was found of calls; ``downloaded`` bytes of it have come over the line."""
        if not finds:
            return
        parts = self._parts
        kept = await parts.catalog.write(
            work.archive,
            finds,
            lease=self._lease,
            account=self._batch.account,
            now=parts.clock(),
        )
        parts.counters.bytes += downloaded if kept else 0
        for find in finds:
            late = find.sid not in kept
            parts.counters.recordings += 0 if late else len(find.proofs)
            event = "archived" if find.outcome is None else "not all archived"
            _log.debug(event, call_sid=find.sid, recordings=len(find.proofs), refused_late=late)

    async def _pause(self, verdict: Pause, detail: str) -> None:
        parts = self._parts
        scope = (
            pauses.host_scope(parts.host)
            if verdict.whole_host
            else pauses.account_scope(self._batch.account)
        )
        paused = await parts.catalog.write(
            _pause_if_held, self._lease, scope, verdict, detail, parts.clock()
        )
        if paused:
            _log.warning("paused", scope=scope, reason=verdict.reason, detail=detail)


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the work's result, or None if the event comes first: the work is then cancelled."""
    working = asyncio.create_task(work)
    stopped = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, stopped):
            task.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)


def _pause_if_held(
    tx: Tx, lease: str, scope: str, verdict: Pause, detail: str, now: datetime
) -> bool:
    """Pause, unless the batch was given to others; return whether it was its own.

    What a late one meets says nothing of the disk: its part files were swept.
    """
    if not work.is_in_work(tx, lease):
        return False
    pauses.pause(
        tx,
        scope,
        reason=verdict.reason,
        detail=detail,
        fatal=verdict.fatal,
        after=verdict.after,
        now=now,
    )
    return True


def _host_pause(symptom: Symptom) -> Pause:
    verdict = judge(symptom, strikes=0, jitter=0.0)
    assert isinstance(verdict, Pause)
    return verdict


def _adoptable(parts: Parts, calls: list[list[Target]]) -> list[tuple[list[Proof], list[Target]]]:
    """Tell for each call which recordings lie in their place already, and which do not; blocks."""
    found = []
    for targets in calls:
        proofs: list[Proof] = []
        missing: list[Target] = []
        for target in targets:
            proof = parts.store.adopt(target.place, target.kept)
            if proof is None:
                missing.append(target)
            else:
                proofs.append(with_flag(proof, target.facts))
        found.append((proofs, missing))
    return found
