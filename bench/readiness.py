"""How soon a recording is on disk after it became ready, and what that costs in requests.

A simulation in virtual time that runs the real decision code: when a call is first due, which calls
make a batch, when a call without a recording is looked at again and when it is called absent. What
is simulated is the provider (recordings ready after 1 to 5 minutes, some up to 15, a few later;
a quarter of the calls without one) and the time that a request and a download take.
"""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from archive.call import CallFacts
from archive.catalog.work import DueCall
from archive.clock import to_ms
from archive.readiness import Readiness, first_due, judge_missing
from archive.verdicts import Absent, Again
from jobs.plan import plan_batches

_START: Final = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
_REQUEST_S: Final = 0.4
_DOWNLOAD_S: Final = 0.3
_TICK_S: Final = 0.2
_FILLING: Final = timedelta(minutes=20)
# Minutes from a call's end to its recording: share of calls, least, most.
_DELAYS: Final = ((0.86, 1, 5), (0.12, 5, 15), (0.02, 15, 40))


class Outcome(NamedTuple):
    """What a simulated day part came to; delays are seconds from ready to on disk."""

    recordings: int
    requests: int
    falsely_absent: int
    delays: list[float]
    busiest_minute: int

    @property
    def requests_per_thousand(self) -> float:
        """API requests for each thousand recordings."""
        return 1000 * self.requests / self.recordings

    def within(self, seconds: float) -> float:
        """Return the share of recordings on disk within so many seconds of being ready."""
        return sum(delay <= seconds for delay in self.delays) / len(self.delays)


class _Call(NamedTuple):
    facts: CallFacts
    ready_at: datetime | None


def simulate(
    *,
    per_minute: float = 400,
    minutes: float = 60,
    age: timedelta = timedelta(0),
    seed: int = 1,
    readiness: Readiness | None = None,
) -> Outcome:
    """Run ``minutes`` of calls that end at an even pace.

    With an ``age`` all of them become known together, that long after the last one's end. Without
    one each is known at its end, and the figures are of the time after the first 20 minutes and
    until the last call's end, when as many calls come as are done.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up calls
    return _Simulation(dice, readiness or Readiness(), age).run(
        int(per_minute * minutes), 60 / per_minute
    )


class _Simulation:
    def __init__(self, dice: random.Random, readiness: Readiness, age: timedelta) -> None:
        self._dice = dice
        self._readiness = readiness
        self._age = age
        self._requests: list[datetime] = []
        self._delays: list[float] = []
        self._on_disk: list[datetime] = []
        self._falsely_absent = 0

    def run(self, calls: int, apart_s: float) -> Outcome:
        known = [self._call(i, _START + timedelta(seconds=i * apart_s)) for i in range(calls)]
        end = _START + timedelta(seconds=calls * apart_s)
        waiting: list[tuple[datetime, int, _Call, int]] = []
        order = itertools.count()
        for call in known:
            assert call.facts.ended_at is not None
            seen = end + self._age if self._age else call.facts.ended_at
            due = first_due(call.facts, seen, self._readiness)
            heapq.heappush(waiting, (due, next(order), call, 0))
        due_now: dict[str, tuple[datetime, _Call, int]] = {}
        now = end + self._age if self._age else _START
        while waiting or due_now:
            while waiting and waiting[0][0] <= now:
                due, _, call, late_looks = heapq.heappop(waiting)
                due_now[call.facts.sid] = (due, call, late_looks)
            for sids in self._batches(due_now, now):
                answered = now + timedelta(seconds=_REQUEST_S)
                self._requests.append(now)
                for _, call, late_looks in (due_now.pop(sid) for sid in sids):
                    again = self._look(call, late_looks, answered)
                    if again is not None:
                        late = late_looks + again.late_look
                        heapq.heappush(waiting, (answered + again.after, next(order), call, late))
            now += timedelta(seconds=_TICK_S)
        recorded = sum(call.ready_at is not None for call in known)
        requests = len(self._requests)
        if not self._age:
            steady = _START + _FILLING
            recorded = sum(steady <= moment < end for moment in self._on_disk)
            requests = sum(steady <= moment < end for moment in self._requests)
        return Outcome(recorded, requests, self._falsely_absent, self._delays, self._busiest())

    def _call(self, index: int, ended: datetime) -> _Call:
        kind = self._dice.random()
        talk = self._dice.randint(8, 180)
        status, duration = "completed", talk
        if kind >= 0.80:  # noqa: PLR2004 - a fifth is not answered, as in the sandbox
            status, duration, talk = "no-answer", 20, 0
        elif kind >= 0.77:  # noqa: PLR2004 - 3 % are too short
            duration = talk = 2
        facts = CallFacts(
            sid=f"call{index:08}",
            started_at=ended - timedelta(seconds=duration),
            ended_at=ended,
            duration_s=duration,
            talk_s=talk,
            status=status,
        )
        ready = ended + self._delay() if kind < 0.75 else None  # noqa: PLR2004 - 2 % unrecorded
        return _Call(facts, ready)

    def _delay(self) -> timedelta:
        shares = [share for share, _, _ in _DELAYS]
        _, least, most = self._dice.choices(_DELAYS, shares)[0]
        return timedelta(minutes=self._dice.uniform(least, most))

    def _batches(
        self, due_now: dict[str, tuple[datetime, _Call, int]], now: datetime
    ) -> list[list[str]]:
        calls = [DueCall(sid, "2026-01-15", to_ms(due)) for sid, (due, _, _) in due_now.items()]
        return plan_batches(
            calls, [], queued=frozenset(), room=4, size=100, turn=0, now_ms=to_ms(now)
        )

    def _look(self, call: _Call, late_looks: int, now: datetime) -> Again | None:
        if call.ready_at is not None and call.ready_at <= now:
            on_disk = now + timedelta(seconds=_DOWNLOAD_S)
            self._on_disk.append(on_disk)
            self._delays.append((on_disk - call.ready_at).total_seconds())
            return None
        verdict = judge_missing(
            call.facts, late_looks=late_looks, delete_by=None, now=now, readiness=self._readiness
        )
        if isinstance(verdict, Again):
            return verdict
        assert isinstance(verdict, Absent)
        self._falsely_absent += call.ready_at is not None
        return None

    def _busiest(self) -> int:
        most = begin = 0
        for end, moment in enumerate(self._requests):
            while moment - self._requests[begin] >= timedelta(minutes=1):
                begin += 1
            most = max(most, end - begin + 1)
        return most


def main() -> None:
    """Print the figures."""
    for title, outcome in (
        ("400 calls a minute, as they end", simulate()),
        ("a night's batch of day-old calls", simulate(minutes=25, age=timedelta(days=1))),
    ):
        delays = sorted(outcome.delays)
        print(f"{title}: {outcome.recordings} recordings, {outcome.requests} requests")
        print(f"  {outcome.requests_per_thousand:.1f} requests per 1,000 recordings")
        print(f"  at most {outcome.busiest_minute} requests in a minute")
        print(f"  {outcome.falsely_absent} called absent that had a recording")
        if max(delays) < 86400:  # noqa: PLR2004 - day-old recordings were ready long ago
            p95 = statistics.quantiles(delays, n=20)[-1]
            print(
                f"  on disk after being ready: median {statistics.median(delays):.1f} s, ", end=""
            )
            print(f"95 % within {p95:.1f} s; within 10 s {outcome.within(10):.0%}, ", end="")
            print(f"within 30 s {outcome.within(30):.0%}")


if __name__ == "__main__":
    main()
