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
from archive.catalog import pauses, work
from archive.errors import CatalogError, QueueError, leaves
from archive.store import is_full
from archive.verdicts import Absent, Failed, Lost, Pause, Symptom, judge
from archive.wire import CallAnswer
from jobs.health import (
    OF_ALL,
    OF_DOWNLOADS,
    OF_HOSTS,
    OF_WRITES,
    PROBED,
    pause_for,
    pause_if_held,
)
from jobs.parts import Line, Parts, parts_of, unless
from jobs.payload import Batch, NewerPayloadError, decode_batch
from jobs.recording import Doubt, adoptable, archive_call
from jobs.resolve import resolve
from jobs.settling import judge_call
from jobs.targets import Target, targets_of, url_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archive.catalog.pauses import Paused
    from archive.catalog.work import ClaimedCall
    from archive.proof import Proof
    from jobs.capacity import Room

_NEWER_AGAIN_S: Final = 15
_MIB: Final = 2**20
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
        self._came = False
        self._probing = False
        self._strikes = 0
        self._doubts: list[Doubt] = []

    async def run(self) -> None:
        """Archive the batch; what is not settled when this ends is given back by the caller."""
        parts = self._parts
        held = await self._pauses()
        if any(paused.probe_at > parts.clock() for paused in held.values()):
            return
        if not await self._disk_has_room(held):
            return
        self._look_at_hosts(held)
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

    def _look_at_hosts(self, held: dict[str, Paused]) -> None:
        paused = held.get(pauses.account_scope(self._batch.account))
        self._strikes = paused.strikes if paused else 0
        self._probing = paused is not None and paused.reason in OF_HOSTS
        if not self._probing:
            self._line.health.begin()

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
            if any(paused.reason in OF_WRITES for paused in held.values()):
                # Nothing is asked of the provider for a disk that still refuses everything.
                await asyncio.to_thread(store.probe, self._lease)
            free = await asyncio.to_thread(store.free_bytes)
        except OSError as error:
            symptom = Symptom.DISK_FULL if is_full(error) else Symptom.DISK_REFUSES
            detail = f"writing below {store.root}: {error.strerror or type(error).__name__}"
            await self._pause(pause_for(symptom), detail)
            return False
        if free >= self._parts.min_free:
            return True
        least = self._parts.min_free // _MIB
        detail = f"{free // _MIB} MiB are free, less than min_free ({least} MiB)"
        await self._pause(pause_for(Symptom.DISK_FULL), detail)
        return False

    async def _archive(self, claimed: list[ClaimedCall], held: dict[str, Paused]) -> None:
        parts = self._parts
        asking = resolve(self._line.api, [c.facts for c in claimed], parts.clock())
        try:
            answers = await unless(parts.stopping, asking)
            if answers is None:
                return
        except ApiTroubleError as trouble:
            verdict = self._judge_account(trouble.symptom, trouble.retry_after)
            # The pause holds the calls back, and a new run may probe it at once.
            account = self._line.account
            where = f"{account.api_base} ({account.region})"
            await self._pause(verdict, f"{where}: {trouble.detail}")
            return
        # Resolving worked: what held this up at the API is gone, and counts no longer.
        self._strikes = self._strikes if self._probing else 0
        await self._lift(
            p for p in held.values() if p.reason not in OF_DOWNLOADS | OF_HOSTS | OF_WRITES
        )
        calls = await self._settle_without_url(claimed, answers)
        await self._adopt_or_download(calls)
        if self._is_over():
            return
        # Where there was nothing to download, the file that was written for a probe has to do.
        gone = (
            (OF_DOWNLOADS if self._downloaded else set())
            | (OF_HOSTS if self._came else set())
            | (OF_WRITES if self._written or not self._downloaded else set())
        )
        await self._lift(p for p in held.values() if p.reason in gone)

    async def _lift(self, probed: Iterable[Paused]) -> None:
        for paused in probed:
            if await self._parts.catalog.write(pauses.lift_probed, paused):
                _log.info("pause lifted", scope=paused.scope)

    def _judge_account(self, symptom: Symptom, retry_after: timedelta | None) -> Pause:
        """Return the pause for a trouble of all of the account's calls."""
        dice, strikes = self._parts.dice(), self._strikes
        verdict = judge(symptom, strikes=strikes, jitter=dice, retry_after=retry_after)
        # What concerns one call alone was settled as its own answer, see `jobs.resolve`.
        assert isinstance(verdict, Pause)
        return verdict

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
        found = await asyncio.to_thread(adoptable, parts.store, calls)
        whole = [proofs for proofs, missing in found if not missing]
        finds = [work.Find(sid=proofs[0].sid, proofs=tuple(proofs)) for proofs in whole]
        await self._keep(finds, downloaded=0)
        self._room.leave(len(finds))
        lacking = [(missing, proofs) for proofs, missing in found if missing]
        await self._probe_hosts(lacking)
        async with asyncio.TaskGroup() as downloads:
            for missing, proofs in lacking:
                downloads.create_task(self._download(missing, proofs))
        if not self._is_over():
            await self._believe()

    async def _probe_hosts(self, lacking: list[tuple[list[Target], list[Proof]]]) -> None:
        """While the hosts are said to be down, try one recording after the other until one comes.

        Any of them, and not always the first ones: these may be the only ones that do not come.
        """
        while self._probing and lacking and not self._halted:
            turn = int(self._parts.dice() * len(lacking)) % len(lacking)
            await self._download(*lacking.pop(turn))
        if self._probing and self._doubts and not self._halted:
            await self._halt_for(self._doubts[-1])

    async def _download(self, targets: list[Target], had: list[Proof]) -> None:
        """Fetch what a call lacks; ``had`` lay in its place already."""
        parts = self._parts
        async with parts.capacity.download():
            self._room.leave(1)
            if self._is_over() or parts.stopping.is_set():
                return
            haul = await archive_call(parts, self._line, targets, self._lease, had)
        # Whatever came of it: what halts all downloads is told apart by `_halted`.
        self._downloaded = True
        setback = haul.setback
        verdict, detail = (setback.verdict, setback.detail) if setback else (None, "")
        if haul.same or len(haul.proofs) > len(had):
            await self._note_success(targets[0].place.sid)
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
        common = OF_ALL.get(verdict.reason) if verdict and not (fresh or haul.same) else None
        if setback and common:
            await self._doubt(Doubt(targets[0], find, setback, common))
        else:
            await self._keep([find], downloaded=sum(proof.size for proof in fresh))

    async def _doubt(self, doubt: Doubt) -> None:
        """Write nothing down yet: if it is a trouble of all recordings, no call pays for it."""
        health = self._line.health
        self._doubts.append(doubt)
        health.troubled(doubt.find.sid)
        if len(self._doubts) >= PROBED if self._probing else health.is_bad:
            await self._halt_for(doubt)

    def _is_over(self) -> bool:
        """Tell whether no more downloads may begin; another batch may have found the host down."""
        return self._halted or (not self._probing and self._line.health.is_bad)

    async def _note_success(self, sid: str) -> None:
        self._line.health.came(sid)
        self._came = True
        self._probing = False
        if not self._halted:
            await self._believe()

    async def _believe(self) -> None:
        """Write down what was in doubt: it was each call's own trouble."""
        finds = [doubt.find for doubt in self._doubts]
        self._doubts.clear()
        await self._keep(finds, downloaded=0)

    async def _halt_for(self, doubt: Doubt) -> None:
        verdict = self._judge_account(doubt.common, doubt.setback.asked)
        await self._halt(doubt.target, verdict, doubt.setback.detail)

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
            pause_if_held, self._lease, scope, verdict, detail, parts.clock()
        )
        if paused:
            _log.warning("paused", scope=scope, reason=verdict.reason, detail=detail)
