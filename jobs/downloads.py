"""The downloads of one batch: side by side, or one after the other while the hosts seem down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from archive.catalog import work
from archive.catalog.listed import drop_listed_urls
from archive.tallies import DOWNLOAD_MS, RECORDING_BYTES, RECORDINGS
from archive.verdicts import Pause
from jobs.health import OF_ALL, OF_DOWNLOADS, OF_HOSTS, OF_WRITES, PROBED
from jobs.outcomes import count_outcome
from jobs.recording import Doubt, adoptable, age_of, archive_call
from jobs.telling import tell_settled

if TYPE_CHECKING:
    from archive.proof import Proof
    from jobs.capacity import Room
    from jobs.parts import Line, Parts
    from jobs.pausing import Pausing
    from jobs.targets import Target


class Downloads:
    """Fetches what a batch's calls lack, and writes down what came of each."""

    def __init__(self, parts: Parts, line: Line, lease: str, room: Room, pausing: Pausing) -> None:
        self._parts = parts
        self._line = line
        self._lease = lease
        self._room = room
        self._pausing = pausing
        self._halted = False
        self._downloaded = False
        self._written = False
        self._came = False
        self._doubts: list[Doubt] = []

    @property
    def is_over(self) -> bool:
        """Whether no more downloads may begin; another batch may have found the host down."""
        return self._halted or (not self._pausing.probing and self._line.health.is_bad)

    @property
    def found_gone(self) -> frozenset[str]:
        """The reasons of pauses that the downloads, having gone well, show to be gone."""
        return frozenset(
            (OF_DOWNLOADS if self._downloaded else frozenset())
            | (OF_HOSTS if self._came else frozenset())
            # Where there was nothing to download, the file that was written for a probe has to do.
            | (OF_WRITES if self._written or not self._downloaded else frozenset())
        )

    async def adopt_or_download(self, calls: list[list[Target]]) -> None:
        """Take what lies in its place already, and fetch the rest."""
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
        if not self.is_over:
            await self._believe()

    async def _probe_hosts(self, lacking: list[tuple[list[Target], list[Proof]]]) -> None:
        """While the hosts are said to be down, try one recording after the other until one comes.

        Any of them, and not always the first ones: these may be the only ones that do not come.
        """
        while self._pausing.probing and lacking and not self._halted:
            turn = int(self._parts.dice() * len(lacking)) % len(lacking)
            await self._download(*lacking.pop(turn))
        if self._pausing.probing and self._doubts and not self._halted:
            await self._halt_for(self._doubts[-1])

    async def _download(self, targets: list[Target], had: list[Proof]) -> None:
        """Fetch what a call lacks; ``had`` lay in its place already."""
        parts = self._parts
        async with parts.capacity.download(self._line.account.name):
            self._room.leave(1)
            if self.is_over or parts.stopping.is_set():
                return
            began = asyncio.get_running_loop().time()
            haul = await archive_call(parts, self._line, targets, self._lease, had)
            took_s = asyncio.get_running_loop().time() - began
            took_ms = round(took_s * 1_000)
            parts.tallies.count(DOWNLOAD_MS, self._line.account.name, amount=took_ms)
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
            size = sum(proof.size for proof in fresh)
            await self._keep([find], downloaded=size, seconds=took_s)
            if fresh and (age := age_of(targets[0], parts.clock())) is not None:
                parts.tallies.observe_readiness(self._line.account.name, age.total_seconds())

    async def _doubt(self, doubt: Doubt) -> None:
        """Write nothing down yet: if it is a trouble of all recordings, no call pays for it."""
        health = self._line.health
        self._doubts.append(doubt)
        health.troubled(doubt.find.sid)
        if len(self._doubts) >= PROBED if self._pausing.probing else health.is_bad:
            await self._halt_for(doubt)

    async def _note_success(self, sid: str) -> None:
        self._line.health.came(sid)
        self._came = True
        self._pausing.probing = False
        if not self._halted:
            await self._believe()

    async def _believe(self) -> None:
        """Write down what was in doubt: it was each call's own trouble."""
        finds = [doubt.find for doubt in self._doubts]
        self._doubts.clear()
        await self._keep(finds, downloaded=0)

    async def _halt_for(self, doubt: Doubt) -> None:
        verdict = self._pausing.judge_account(doubt.common, doubt.setback.asked)
        if not self._halted:
            # No call pays for it, so none would be resolved afresh: were it the listing's URLs that
            # are of no use, every probe would meet them again.
            await self._parts.catalog.write(drop_listed_urls, self._line.account.name)
        await self._halt(doubt.target, verdict, doubt.setback.detail)

    async def _halt(self, target: Target, verdict: Pause, detail: str) -> None:
        """Begin no more downloads: what kept one recording from us keeps all of them."""
        if self._halted:
            return
        self._halted = True
        doing = "writing" if verdict.whole_host else "fetching"
        await self._pausing.pause(verdict, f"{doing} {target.place.path('*')}: {detail}")

    async def _keep(
        self, finds: list[work.Find], *, downloaded: int, seconds: float | None = None
    ) -> None:
        """Write what was found of calls; ``downloaded`` bytes of it have come over the line."""
        if not finds:
            return
        parts, name = self._parts, self._line.account.name
        kept = await parts.catalog.write(
            work.archive,
            finds,
            lease=self._lease,
            account=name,
            now=parts.clock(),
        )
        parts.counters.bytes += downloaded if kept else 0
        parts.tallies.count(RECORDING_BYTES, name, amount=downloaded if kept else 0)
        for find in finds:
            if find.sid not in kept:
                continue  # its lease has lapsed: another batch has it, and tells of it
            parts.counters.recordings += len(find.proofs)
            parts.tallies.count(RECORDINGS, name, amount=len(find.proofs))
            count_outcome(parts.tallies, name, find.outcome)
            tell_settled(
                name,
                find.sid,
                find.outcome,
                size=sum(proof.size for proof in find.proofs),
                detail=find.detail,
                seconds=seconds,
            )
