"""What ``systemctl status`` shows of a process, and when it is said to be ready."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from archive.call import State
from archive.catalog.balance import Tally
from archive.catalog.pauses import Paused
from jobs.poller import Round
from tests.unit.books import NOW
from worker.notify import Notifier
from worker.polling import PollStatus
from worker.progress import LogProgress, RunState
from worker.pulse import Facts
from worker.service import Service, StatusProgress, standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.notify import Send


def hearing(said: list[bytes]) -> Send:
    """Return what sends messages into a list."""
    return lambda message, _: said.append(message)


PAUSED = Paused(
    scope="account:main",
    reason="api-timeout",
    detail="a\nsecret",
    fatal=False,
    strikes=1,
    since=NOW,
    probe_at=NOW + timedelta(minutes=1),
)


def tally(**states: int) -> Tally:
    """Return a count of calls."""
    counted = {state: states.get(state.value, 0) for state in State}
    return Tally(states=counted, waits=())


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_the_status_is_the_balance_in_one_line() -> None:
    """States that have no calls are left out but for the usual ones."""
    few = tally(expected=30, leased=15, archived=12_000, absent=300)
    expected = "12,345 known, 12,000 archived, 300 absent, 45 to do; 82 recordings/min"
    assert expected == standing(RunState(tally=few), 82)
    bad = tally(archived=1, lost=2, failed=1)
    expected = "4 known, 1 archived, 0 absent, 2 lost, 1 failed, 0 to do; 0 recordings/min"
    assert expected == standing(RunState(tally=bad), 0)


def test_the_status_tells_what_holds_work_up_and_no_words_of_others() -> None:
    """The reason of a pause is ours; its detail may be the provider's."""
    text = standing(RunState(tally=tally(expected=1), held=(PAUSED,)), 0, "Redis does not answer")
    assert text.endswith("; PAUSED: account:main: api-timeout; TROUBLE: Redis does not answer")
    assert "secret" not in text


def test_the_status_tells_what_calls_wait_for() -> None:
    """The hours of a backfill too; nothing is paused then, and nothing is done."""
    waiting = "3 for the backfill hours, from 22:00 on"
    text = standing(RunState(tally=tally(expected=3), in_hours=3, waiting=waiting), 0)
    assert text.endswith(f"3 to do; 0 recordings/min; waiting: {waiting}")


def test_the_rate_is_that_of_the_last_minute() -> None:
    """Sixty in the first minute, none in the second one."""
    clock, said = Clock(), list[bytes]()
    service = Service(Notifier(hearing(said)), clock=clock)
    progress = StatusProgress(service, LogProgress(), trouble=str, clock=clock)
    shown: Sequence[tuple[float, int]] = [(0, 0), (30, 30), (60, 60), (121, 60)]
    for clock.now, recordings in shown:
        progress.update(RunState(tally=tally(archived=recordings), recordings=recordings))
    rates = [text.decode().rpartition("; ")[2] for text in said]
    assert rates == [
        "0 recordings/min",
        "60 recordings/min",
        "60 recordings/min",
        "0 recordings/min",
    ]


def test_a_status_is_said_when_it_has_changed_and_not_at_every_look() -> None:
    """Five seconds lie between two of them."""
    clock, said = Clock(), list[bytes]()
    service = Service(Notifier(hearing(said)), clock=clock)
    for clock.now, text in [(0, "a"), (6, "a"), (7, "b"), (8, "c"), (12, "c")]:
        service.say(text)
    assert said == [b"STATUS=a", b"STATUS=b", b"STATUS=c"]


def test_it_is_ready_once_and_when_all_its_parts_are() -> None:
    """Whatever their order; a part that nobody waits for makes no difference."""
    said: list[bytes] = []
    service = Service(Notifier(hearing(said)))
    service.expect("workers")
    service.expect("polling")
    service.has("polling")
    service.has("receiving")
    assert said == []
    service.has("workers")
    service.has("workers")
    assert said == [b"READY=1"]


async def test_it_feeds_until_it_ends_and_tells_of_a_stop() -> None:
    """Without a watchdog it tells of the stop alone."""
    for watchdog_s in (0.02, None):
        said: list[bytes] = []
        fed = asyncio.Event()

        def hear(
            message: bytes, _: float, said: list[bytes] = said, fed: asyncio.Event = fed
        ) -> None:
            said.append(message)
            fed.set()

        service = Service(Notifier(hear, watchdog_s=watchdog_s))
        service.watch(lambda: Facts(moved=True, held=True))
        stopping = asyncio.Event()
        async with asyncio.timeout(10), service.running(stopping):
            if watchdog_s:
                await fed.wait()
            fed.clear()
            stopping.set()
            while b"STOPPING=1" not in said:
                await fed.wait()
                fed.clear()
        assert ({b"WATCHDOG=1", b"STOPPING=1"} if watchdog_s else {b"STOPPING=1"}) == set(said)


def test_a_poller_shows_each_account_and_what_keeps_it() -> None:
    """A trouble stands there until the account is asked again, and not the last good round."""
    said: list[bytes] = []
    shown = PollStatus(Service(Notifier(hearing(said)), clock=Clock()))
    shown.made(Round(account="second", listed=1_200, new=3))
    shown.troubled("main", "api-unauthorised")
    shown.made(Round(account="main", paused="api-unauthorised (HTTP 401)"))
    shown.made(Round(account="main", alarm="nothing is listed"))
    second = b"second: 1,200 calls listed, 3 new"
    assert said == [
        b"STATUS=" + second,
        b"STATUS=main: TROUBLE: api-unauthorised; " + second,
        b"STATUS=main: PAUSED: api-unauthorised; " + second,
        b"STATUS=main: 0 calls listed, 0 new; TROUBLE: nothing is listed; " + second,
    ]
