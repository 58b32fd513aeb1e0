"""Episodes of odd answers: the real job meets them, and then the truth; what must hold is checked.

- No exception escapes a batch, and none is hidden as a fault of callvault's own.
- No call is lost from the catalog: the books balance, and all that was known is known.
- No call is settled falsely: in the end each recording is archived with its own bytes, if need be
  after a retry of what was left to a person; none is absent or lost. Each other call is absent.
- The key goes to nobody but the API and the recordings' host.
"""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from archive.call import CallFacts, Source
from archive.catalog import balance
from archive.clock import from_ms
from archive.verdicts import Symptom
from tests.fuzz.mutations import Hostile
from tests.fuzz.wire import Mutator, mutating
from tests.integration.servers import serving
from tests.integration.working import SECRETS, Worker, called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web
    from arq.connections import ArqRedis

    from tests.provider import Provider

OPTIONS: Final = ("--calls", "400", "--bytes", "2000", "--rate-limit", "0", "--urls", "both")
"""Of the stand-in."""
CALLS: Final = 24
_STEPS: Final = 60
_TRUE_STEPS: Final = 12
_PATIENCE_S: Final = 0.3


class Tally(msgspec.Struct):
    """What was done."""

    episodes: int = 0
    batches: int = 0
    mutated: int = 0
    left_to_a_person: int = 0

    def told(self) -> str:
        """Return it in words."""
        return (
            f"{self.episodes} episodes of {CALLS} calls, {self.batches} batches, "
            f"{self.mutated} mutated answers, {self.left_to_a_person} calls left to a person"
        )


class Fuzzer:
    """Runs episodes against one stand-in; each follows from the seed and its number."""

    def __init__(
        self, provider: Provider, mutator: Mutator, pool: ArqRedis, trap: str, seed: str
    ) -> None:
        self.tally = Tally()
        self.trap_sprung = False
        self._provider = provider
        self._mutator = mutator
        self._pool = pool
        self._seed = seed
        self._truth = provider.truth()
        self._trap = trap

    async def episode(self, number: int, folder: Path) -> None:
        """Run the episode of this number in a folder of its own.

        Raises:
            AssertionError: something did not hold; the text tells how to repeat it.
        """
        dice = random.Random(f"{self._seed}/{number}")  # noqa: S311 - made-up troubles
        calls = dice.sample(self._truth, CALLS)
        sids = tuple(call["sid"] for call in calls)
        recording_host, storage_host = (
            str(self._provider.ready[name]) for name in ("recording_host", "storage_host")
        )
        self._mutator.begin(dice, Hostile(self._trap, recording_host, storage_host, sids))
        account = {**self._provider.account, "api_base": f"http://{self._mutator.host}"}
        worker = Worker(folder, account, self._pool)
        worker.dice = dice.random
        worker.hurry(api=_PATIENCE_S)
        try:
            async with worker.open():
                await self._run(_Episode(worker, calls, dice))
        except Exception as error:
            lately = "\n".join(self._mutator.lately)
            words = (
                f"{error!r}\nlast answers:\n{lately}\n"
                f"again: python -m tests.fuzz --seed {self._seed} --first {number} --seconds 1"
            )
            raise AssertionError(words) from error
        assert worker.secrets_on_disk(SECRETS) == []
        self.tally.episodes += 1
        self.tally.mutated = self._mutator.mutated

    async def _run(self, episode: _Episode) -> None:
        await episode.take_in()
        for _ in range(_STEPS):
            if not await episode.step():
                break
            self.tally.batches += 1
        self._mutator.is_true = True
        episode.worker.forget_short_patience()
        await episode.finish()
        self.tally.left_to_a_person += episode.left_to_a_person
        assert self._provider.stats()["misplaced_credentials"] == 0
        assert not self.trap_sprung, "somebody else was asked"


class _Episode:
    """One worker and its calls."""

    def __init__(self, worker: Worker, calls: list[dict[str, Any]], dice: random.Random) -> None:
        self.worker = worker
        self.left_to_a_person = 0
        self._calls = {call["sid"]: call for call in calls}
        self._dice = dice

    async def take_in(self) -> None:
        """Make the calls known: some by an export, some by their Sids alone."""
        for call in self._calls.values():
            if self._dice.random() < 0.6:
                await self.worker.take_in(called(call))
            else:
                await self.worker.take_in(CallFacts(sid=call["sid"]), source=Source.SIDS)

    async def step(self) -> bool:
        """Run a batch of some unsettled calls and see that all holds; False if none is left."""
        waiting = await self._unsettled()
        if not waiting:
            return False
        await self._wait_for_pauses()
        batch = self._dice.sample(waiting, self._dice.randint(1, min(5, len(waiting))))
        await self.worker.run(*batch)
        await self._assert_holds()
        self.worker.now += timedelta(seconds=self._dice.choice([1, 30, 700]))
        return True

    async def finish(self) -> None:
        """Settle everything by the truth, and see that it is right."""
        for _ in range(_TRUE_STEPS):
            waiting = await self._unsettled()
            if not waiting:
                failed = await self._in_state("failed")
                self.left_to_a_person += len(failed)
                if not failed:
                    break
                assert await self.worker.put_back(*failed) == len(failed)
                waiting = failed
            await self._wait_for_pauses()
            due = [from_ms((await self.worker.row(sid))["due_ms"]) for sid in waiting]
            self.worker.now = max([self.worker.now, *due]) + timedelta(seconds=1)
            await self.worker.run(*waiting)
            await self._assert_holds()
        await self._assert_true()

    async def _wait_for_pauses(self) -> None:
        probes = [paused.probe_at for paused in await self.worker.held()]
        self.worker.now = max([self.worker.now, *probes])

    async def _in_state(self, *states: str) -> list[str]:
        rows = [await self.worker.row(sid) for sid in self._calls]
        return [row["sid"] for row in rows if row["state"] in states]

    async def _unsettled(self) -> list[str]:
        return await self._in_state("expected", "leased")

    async def _assert_holds(self) -> None:
        """See what must hold at any time."""
        books = await self.worker.parts.catalog.read(balance.balance)
        assert books.faults == []
        assert len(self._calls) == books.known
        latest = self.worker.now + timedelta(hours=26)
        for sid, call in self._calls.items():
            row = await self.worker.row(sid)
            assert row["state"] != "leased", row
            assert row["reason"] != Symptom.INTERNAL_ERROR, row
            assert not call["recorded"] or row["state"] not in {"absent", "lost"}, row
            assert from_ms(row["due_ms"]) <= latest, row

    async def _assert_true(self) -> None:
        """See what must hold in the end."""
        rows = {sid: await self.worker.row(sid) for sid in self._calls}
        expected = {
            sid: "archived" if call["recorded"] else "absent" for sid, call in self._calls.items()
        }
        assert expected == {sid: row["state"] for sid, row in rows.items()}, [
            dict(row) for sid, row in rows.items() if row["state"] != expected[sid]
        ]
        right = {sid: call["sha256"] for sid, call in self._calls.items() if call["recorded"]}
        assert right == self.worker.recordings()
        assert await self.worker.held() == []


@asynccontextmanager
async def fuzzing(provider: Provider, pool: ArqRedis, *, seed: str) -> AsyncIterator[Fuzzer]:
    """Set everything up: the mutator before the API, and a server that nobody may ask."""
    fuzzer: Fuzzer | None = None

    async def spring(_: web.Request) -> web.StreamResponse:
        assert fuzzer is not None
        fuzzer.trap_sprung = True
        raise ConnectionResetError

    upstream = provider.api_base.removeprefix("http://")
    async with mutating(upstream) as mutator, serving(spring) as trap:
        fuzzer = Fuzzer(provider, mutator, pool, trap.host, seed)
        yield fuzzer
