"""What holds a batch up before it begins, what it pauses, and which pauses it finds gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from archive.catalog import pauses
from archive.store import is_full
from archive.verdicts import Pause, Symptom, judge
from jobs.health import OF_HOSTS, OF_WRITES, pause_for, pause_if_held

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from archive.catalog.pauses import Paused
    from jobs.parts import Line, Parts

_MIB: Final = 2**20
_log = structlog.get_logger()


class Pausing:
    """The pauses that concern one batch: those in force when it began, and those it makes.

    ``held`` are the former, by scope. While ``probing``, the recordings' hosts are said to be down.
    ``strikes`` is how often the account's pause was probed in vain.
    """

    def __init__(self, parts: Parts, line: Line, lease: str) -> None:
        self._parts = parts
        self._line = line
        self._lease = lease
        self.held: dict[str, Paused] = {}
        self.probing = False
        self.strikes = 0

    async def look(self) -> bool:
        """Look at what is in force; return whether the batch may begin, as a probe if need be."""
        mine = {
            pauses.ALL,
            pauses.account_scope(self._line.account.name),
            pauses.host_scope(self._parts.host),
        }
        found = await self._parts.catalog.read(pauses.pauses)
        self.held = {paused.scope: paused for paused in found if paused.scope in mine}
        now = self._parts.clock()
        return all(paused.probe_at <= now for paused in self.held.values())

    async def disk_has_room(self) -> bool:
        """Look at the disk, and pause the host where it has no room or takes nothing."""
        store = self._parts.store
        try:
            if any(paused.reason in OF_WRITES for paused in self.held.values()):
                # Nothing is asked of the provider for a disk that still refuses everything.
                await asyncio.to_thread(store.probe, self._lease)
            free = await asyncio.to_thread(store.free_bytes)
        except OSError as error:
            symptom = Symptom.DISK_FULL if is_full(error) else Symptom.DISK_REFUSES
            detail = f"writing below {store.root}: {error.strerror or type(error).__name__}"
            await self.pause(pause_for(symptom), detail)
            return False
        if free >= self._parts.min_free:
            return True
        least = self._parts.min_free // _MIB
        detail = f"{free // _MIB} MiB are free, less than min_free ({least} MiB)"
        await self.pause(pause_for(Symptom.DISK_FULL), detail)
        return False

    def look_at_hosts(self) -> None:
        """Note whether the account's pause is about its recordings' hosts."""
        paused = self.held.get(pauses.account_scope(self._line.account.name))
        self.strikes = paused.strikes if paused else 0
        self.probing = paused is not None and paused.reason in OF_HOSTS
        if not self.probing:
            self._line.health.begin()

    def judge_account(self, symptom: Symptom, retry_after: timedelta | None) -> Pause:
        """Return the pause for a trouble of all of the account's calls."""
        dice = self._parts.dice()
        verdict = judge(symptom, strikes=self.strikes, jitter=dice, retry_after=retry_after)
        # What concerns one call alone was settled as its own answer, see `jobs.resolve`.
        assert isinstance(verdict, Pause)
        return verdict

    async def pause(self, verdict: Pause, detail: str) -> None:
        """Hold the account's work up, or the host's, if the batch is still ours."""
        parts = self._parts
        scope = (
            pauses.host_scope(parts.host)
            if verdict.whole_host
            else pauses.account_scope(self._line.account.name)
        )
        paused = await parts.catalog.write(
            pause_if_held, self._lease, scope, verdict, detail, parts.clock()
        )
        if paused:
            _log.warning("paused", scope=scope, reason=verdict.reason, detail=detail)

    async def lift(self, probed: Iterable[Paused]) -> None:
        """End pauses whose cause this batch found gone."""
        for paused in probed:
            if await self._parts.catalog.write(pauses.lift_probed, paused):
                _log.info("pause lifted", scope=paused.scope)
