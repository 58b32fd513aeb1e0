"""Each row of the table of verdicts, end to end: the real job against the stand-in over HTTP.

What the catalog says after a trouble, what it says when the trouble stays, and that the call ends
archived with the right bytes once it is over.
"""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from archive.catalog import pauses
from archive.clock import from_ms
from archive.verdicts import RULES, Act, Rule, Symptom, backoff
from jobs.health import OF_HOSTS
from tests.integration.authority import Authority
from tests.integration.troubles import TROUBLES, Scene, Trouble
from tests.integration.working import SECRETS, Worker, called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from arq.connections import ArqRedis

    from archive.catalog.pauses import Paused
    from tests.integration.working import Recorded

COUNTED: Final = {Act.AGAIN: "tries", Act.REFRESH: "refreshes", Act.LOOK: "late_looks"}
COUNTS: Final = ("tries", "refreshes", "late_looks")
PAUSING: Final = (Act.PAUSE_ACCOUNT, Act.PAUSE_HOST)
ENDING: Final = {Act.LOST: "lost", Act.FAILED: "failed"}
SECOND: Final = timedelta(seconds=1)
A_BIT: Final = timedelta(milliseconds=2)
"""The catalog keeps whole milliseconds."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody but these tests believes."""
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def in_trouble(
    trouble: Trouble, recorded: Recorded, authority: Authority, tmp_path: Path, pool: ArqRedis
) -> AsyncIterator[Stage]:
    """Bring a trouble about, with calls that are due, and take it away again."""
    provider = recorded.provider
    provider.heal()
    provider.reset()
    calls = recorded.take(trouble.calls, presigned=trouble.presigned)
    worker = Worker(tmp_path, provider.account, pool)
    if trouble.age is not None:
        worker.now = datetime.fromisoformat(calls[0]["ended_at"]) + trouble.age
    async with AsyncExitStack() as stack:
        (spare,) = recorded.take(1, presigned=False)
        scene = Scene(provider, worker, calls, spare, authority, stack)
        await trouble.before(scene)
        sids = [call["sid"] for call in calls]
        provider.spoil(*({**rule, "sid": sids} for rule in trouble.faults))
        stage = Stage(scene, trouble)
        try:
            await stage.begin()
            yield stage
        finally:
            await stage.end()
            provider.heal()
    stats = provider.stats()
    assert stats["misplaced_credentials"] == 0
    assert stats["elsewhere"] == {}
    assert worker.secrets_on_disk(SECRETS) == []


class Stage:
    """A worker at work on calls that a trouble befalls."""

    def __init__(self, scene: Scene, trouble: Trouble) -> None:
        self.scene = scene
        self.trouble = trouble
        self.worker = scene.worker
        self.rule: Rule = RULES[trouble.symptom]
        self.sids = [call["sid"] for call in scene.calls]
        self._opened = AsyncExitStack()

    async def begin(self) -> None:
        """Open the worker and make the calls known."""
        await self._opened.enter_async_context(self.worker.open())
        await self.worker.take_in(*map(called, self.scene.calls))
        await self.trouble.meanwhile(self.scene)

    async def end(self) -> None:
        """Close the worker."""
        await self._opened.aclose()

    async def look(self) -> None:
        """Run a batch of all the calls."""
        await self.worker.run(*self.sids)

    async def wait(self) -> None:
        """Let the time pass until the calls are due and nothing is held up any more."""
        due = [from_ms((await self.worker.row(sid))["due_ms"]) for sid in self.sids]
        probes = [paused.probe_at for paused in await self.worker.held()]
        self.worker.now = max([self.worker.now, *due, *probes]) + SECOND

    async def is_over(self) -> None:
        """Take the trouble away."""
        self.scene.provider.heal()
        if self.trouble.reopens:
            await self._opened.aclose()
        await self.trouble.mend(self.scene)
        if self.trouble.reopens:
            await self._opened.enter_async_context(self.worker.open())

    async def assert_right(self) -> None:
        """See that all calls are archived, with the bytes that there are."""
        for call in self.scene.calls:
            row = await self.worker.row(call["sid"])
            assert (row["state"], row["reason"]) == ("archived", "")
        expected = {call["sid"]: call["sha256"] for call in self.scene.calls}
        found = self.worker.recordings()
        found.pop(self.scene.spare["sid"], None)
        assert expected == found
        assert await self.worker.held() == []
        assert await self.worker.faults_of_the_books() == []

    async def assert_follows(self, strikes: int) -> None:
        """See that the catalog says what the table says of what was seen so often before."""
        if self.rule.act in PAUSING:
            await self._assert_paused()
            return
        act: Act = self.rule.act
        if self.rule.limit is not None and strikes >= self.rule.limit:
            act = self.rule.finally_
        (sid,) = self.sids
        row = await self.worker.row(sid)
        symptom = self.trouble.symptom
        assert (row["state"], row["reason"]) == (ENDING.get(act, "expected"), symptom)
        name = COUNTED.get(self.rule.act)
        counted = strikes + (act is self.rule.act)
        expected = {one: counted if one == name else 0 for one in COUNTS}
        assert expected == {one: row[one] for one in COUNTS}
        if act not in ENDING.values() and act not in ENDING:
            self._assert_delay(from_ms(row["due_ms"]) - self.worker.now, strikes)
        assert await self.worker.held() == []
        self._assert_kept()

    async def _assert_paused(self) -> None:
        """See that one pause holds everything, and that no call pays for it."""
        (held,) = await self.worker.held()
        host = self.rule.act is Act.PAUSE_HOST
        scope = pauses.host_scope(socket.gethostname()) if host else pauses.account_scope("main")
        assert (scope, self.trouble.symptom) == (held.scope, held.reason)
        assert held.fatal is self.rule.fatal
        assert held.detail
        self._assert_delay(held.probe_at - self.worker.now, self._strikes_before(held))
        for sid in self.sids:
            row = await self.worker.row(sid)
            assert (row["state"], row["reason"]) == ("expected", "")
            assert {0} == {row[name] for name in (*COUNTS, "looks")}
        self._assert_kept()

    def _strikes_before(self, held: Paused) -> int:
        # A pause that one download or the disk makes does not grow.
        grows = self.trouble.symptom in OF_HOSTS or self.trouble.symptom.startswith("api-")
        return held.strikes - 1 if grows else 0

    def _assert_delay(self, delay: timedelta, strikes: int) -> None:
        rule, asked = self.rule, timedelta(seconds=self.trouble.asked_s or 0)
        if self.trouble.symptom is Symptom.API_TOO_MANY:
            asked = timedelta(0)  # the limiter held everybody back for that long already
        if self.trouble.symptom is Symptom.FETCH_GONE:
            asked = self.worker.parts.readiness.recheck  # weeks before its deletion
        whole = backoff(strikes, rule.base, rule.cap, 0)
        assert max(asked, whole / 2) - A_BIT <= delay <= max(asked, whole)

    def _assert_kept(self) -> None:
        """See that only what came and was no recording is in the quarantine, and once."""
        kept = [name.split(".") for name in self.worker.quarantined()]
        reason = self.trouble.kept
        assert [[self.sids[0], reason]] * bool(reason) == [[name[0], name[2]] for name in kept]


def test_there_is_a_trouble_for_every_symptom() -> None:
    """A new row of the table needs a way to it here."""
    assert set(RULES) == {trouble.symptom for trouble in TROUBLES}


@pytest.mark.parametrize("trouble", TROUBLES, ids=str)
async def test_a_trouble_leads_where_the_table_says_and_ends_well(
    trouble: Trouble, recorded: Recorded, authority: Authority, tmp_path: Path, pool: ArqRedis
) -> None:
    """State, reason, time and counts are the row's; once it is over, the recording is archived."""
    async with in_trouble(trouble, recorded, authority, tmp_path, pool) as stage:
        await stage.look()

        await stage.assert_follows(0)

        await stage.is_over()
        if stage.rule.act in ENDING:
            assert await stage.worker.put_back(*stage.sids) == 1
        await stage.wait()
        await stage.look()
        await stage.assert_right()


@pytest.mark.parametrize(
    "trouble", [one for one in TROUBLES if RULES[one.symptom].limit is not None], ids=str
)
async def test_a_trouble_that_stays_is_settled_after_its_limit(
    trouble: Trouble, recorded: Recorded, authority: Authority, tmp_path: Path, pool: ArqRedis
) -> None:
    """Each time counts and the delay grows; a call that was given up comes right when retried."""
    async with in_trouble(trouble, recorded, authority, tmp_path, pool) as stage:
        assert stage.rule.limit is not None
        for strikes in range(stage.rule.limit + 1):
            await stage.look()
            await stage.assert_follows(strikes)
            await stage.wait()

        await stage.is_over()
        assert await stage.worker.put_back(*stage.sids) == 1
        await stage.look()
        await stage.assert_right()


@pytest.mark.parametrize(
    "trouble", [one for one in TROUBLES if RULES[one.symptom].act in PAUSING], ids=str
)
async def test_a_pause_holds_everything_and_is_probed(
    trouble: Trouble, recorded: Recorded, authority: Authority, tmp_path: Path, pool: ArqRedis
) -> None:
    """Until the probe nothing is asked; a probe in vain counts, a good one lifts it."""
    async with in_trouble(trouble, recorded, authority, tmp_path, pool) as stage:
        await stage.look()
        asked = stage.scene.provider.stats()["api_requests"]
        await stage.look()
        assert asked == stage.scene.provider.stats()["api_requests"]

        for strikes in (2, 3):
            await stage.wait()
            await stage.look()
            (held,) = await stage.worker.held()
            assert strikes == held.strikes
            await stage.assert_follows(strikes)

        await stage.is_over()
        await stage.wait()
        await stage.look()
        await stage.assert_right()


@pytest.mark.parametrize(
    "trouble", [one for one in TROUBLES if one.symptom is Symptom.API_TOO_MANY], ids=str
)
async def test_a_429_of_the_api_holds_everybody_as_long_as_it_says(
    trouble: Trouble, recorded: Recorded, authority: Authority, tmp_path: Path, pool: ArqRedis
) -> None:
    """Half a minute where it does not say; five requests in all, then the account is paused."""
    async with in_trouble(trouble, recorded, authority, tmp_path, pool) as stage:
        await stage.look()

        asked_s = trouble.asked_s or 30
        assert len(stage.worker.holds_s) == 4
        assert all(asked_s - 1 < hold_s <= asked_s for hold_s in stage.worker.holds_s)
        assert stage.scene.provider.stats()["listing"] == {"429": 5}
