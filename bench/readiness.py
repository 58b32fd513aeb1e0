"""How soon a recording is on disk after it became ready, and what that costs in requests.

A simulation in virtual time that runs the real decision code: when a call is first due, which calls
make a batch, when a call without a recording is looked at again and when it is called absent. What
is simulated is the provider (recordings ready after 1 to 5 minutes, some up to 15, a few later;
a quarter of the calls without one) and the time that a request and a download take.
"""

from __future__ import annotations

import argparse
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
_FILLING: Final = timedelta(minutes=70)
"""By then as many calls are settled as come: last looks are an hour after a call's end."""
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


class _Call:
    """A call, and what was seen of it so far."""

    def __init__(self, facts: CallFacts, ready_at: datetime | None, *, is_blanked: bool) -> None:
        self.facts = facts
        self.ready_at = ready_at
        self.is_blanked = is_blanked
        self.late_looks = 0
        self.looks = 0


def simulate(
    *,
    per_minute: float = 400,
    minutes: float = 110,
    age: timedelta = timedelta(0),
    seed: int = 1,
    readiness: Readiness | None = None,
    blanks: float = 0.0,
) -> Outcome:
    """Run ``minutes`` of calls that end at an even pace, known by an export.

    The export and the provider say the same of each call. Of a share ``blanks`` of the recordings
    the provider leaves the URL out by mistake, once, when it is ready and first asked for.

    With an ``age`` all of them become known together, that long after the last one's end. Without
    one each is known at its end, and the figures are of the time after the first 70 minutes and
    until the last call's end, when as many calls come as are done.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up calls
    return _Simulation(dice, readiness or Readiness(), age, blanks).run(
        int(per_minute * minutes), 60 / per_minute
    )


class _Simulation:
    def __init__(
        self, dice: random.Random, readiness: Readiness, age: timedelta, blanks: float
    ) -> None:
        self._dice = dice
        self._readiness = readiness
        self._age = age
        self._blanks = blanks
        self._requests: list[datetime] = []
        self._delays: list[float] = []
        self._on_disk: list[datetime] = []
        self._falsely_absent = 0

    def run(self, calls: int, apart_s: float) -> Outcome:
        known = [self._call(i, _START + timedelta(seconds=i * apart_s)) for i in range(calls)]
        end = _START + timedelta(seconds=calls * apart_s)
        waiting: list[tuple[datetime, int, _Call]] = []
        order = itertools.count()
        for call in known:
            assert call.facts.ended_at is not None
            seen = end + self._age if self._age else call.facts.ended_at
            due = first_due(call.facts, seen, self._readiness)
            heapq.heappush(waiting, (due, next(order), call))
        due_now: dict[str, tuple[datetime, _Call]] = {}
        now = end + self._age if self._age else _START
        while waiting or due_now:
            while waiting and waiting[0][0] <= now:
                due, _, call = heapq.heappop(waiting)
                due_now[call.facts.sid] = (due, call)
            for sids in self._batches(due_now, now):
                answered = now + timedelta(seconds=_REQUEST_S)
                self._requests.append(now)
                for _, call in (due_now.pop(sid) for sid in sids):
                    again = self._look(call, answered)
                    if again is not None:
                        heapq.heappush(waiting, (answered + again.after, next(order), call))
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
        blanked = bool(self._blanks) and self._dice.random() < self._blanks
        return _Call(facts, ready, is_blanked=blanked)

    def _delay(self) -> timedelta:
        shares = [share for share, _, _ in _DELAYS]
        _, least, most = self._dice.choices(_DELAYS, shares)[0]
        return timedelta(minutes=self._dice.uniform(least, most))

    def _batches(
        self, due_now: dict[str, tuple[datetime, _Call]], now: datetime
    ) -> list[list[str]]:
        calls = [DueCall(sid, "2026-01-15", to_ms(due)) for sid, (due, _) in due_now.items()]
        return plan_batches(
            calls, [], queued=frozenset(), room=4, size=100, turn=0, now_ms=to_ms(now)
        )

    def _look(self, call: _Call, now: datetime) -> Again | None:
        is_ready = call.ready_at is not None and call.ready_at <= now
        if is_ready and call.is_blanked:
            call.is_blanked = is_ready = False
        if is_ready and call.ready_at is not None:
            on_disk = now + timedelta(seconds=_DOWNLOAD_S)
            self._on_disk.append(on_disk)
            self._delays.append((on_disk - call.ready_at).total_seconds())
            return None
        verdict = judge_missing(
            call.facts,
            former=None if call.looks else call.facts,
            late_looks=call.late_looks,
            delete_by=None,
            now=now,
            readiness=self._readiness,
        )
        if isinstance(verdict, Again):
            call.looks += 1
            call.late_looks += verdict.late_look
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
    """Print the figures, a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--blanks", type=float, default=0.05, help="share of URLs left out once")
    chosen = parser.parse_args()
    seeds = range(1, chosen.seeds + 1)
    print("400 calls a minute, as they end; requests per 1,000 recordings, delays after ready")
    for seed in seeds:
        print(_live(seed, simulate(seed=seed)))
    print("a night's batch of day-old calls; requests per 1,000 calls and 1,000 recordings")
    for blanks in (0.0, chosen.blanks):
        for seed in seeds:
            print(_night(seed, blanks))


def _live(seed: int, outcome: Outcome) -> str:
    median = statistics.median(outcome.delays)
    p95 = statistics.quantiles(outcome.delays, n=20)[-1]
    return (
        f"  seed {seed}: {outcome.requests_per_thousand:.1f} requests, within 10 s "
        f"{outcome.within(10):.1%}, within 30 s {outcome.within(30):.1%}, median {median:.1f} s, "
        f"95 % within {p95:.1f} s, at most {outcome.busiest_minute} requests in a minute, "
        f"{outcome.falsely_absent} falsely absent"
    )


def _night(seed: int, blanks: float) -> str:
    calls = 10_000
    outcome = simulate(
        minutes=25, per_minute=calls / 25, age=timedelta(days=1), seed=seed, blanks=blanks
    )
    return (
        f"  seed {seed}, {blanks:.0%} of URLs left out once: "
        f"{1000 * outcome.requests / calls:.1f} a thousand calls, "
        f"{outcome.requests_per_thousand:.1f} a thousand recordings, "
        f"{outcome.falsely_absent} falsely absent"
    )


if __name__ == "__main__":
    main()
