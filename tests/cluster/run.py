"""One run on a cluster from nothing to its report."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tests.chaos import evidence
from tests.chaos.holds import Holds
from tests.chaos.judge import Violation, judge_failures
from tests.cluster.judging import AGAIN_S, LIMIT, judge_end, note_gaps
from tests.cluster.plan import PLANS, Deed, Trouble
from tests.cluster.report import Effect, Report
from tests.cluster.site import WORKERS, Site

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_S: Final = 0.1
_SAMPLE_S: Final = 0.4
_PATIENCE_S: Final = 100.0
_QUIET_S: Final = 2.0
_FILLING: Final = frozenset({Deed.FILL_DATA, Deed.FILL_LOG})
_SLOTS: Final = 16
"""Downloads side by side on all hosts."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a run; ``latency_s`` is how long each recording is waited for."""

    plan: str
    calls: int
    latency_s: float = 1.0
    minutes_cap: float = 20.0
    keep: bool = False
    within: Path | None = None


class OutOfTimeError(Exception):
    """The run takes longer than it may."""


def run(options: Options) -> Report:
    """Run it in a folder of its own, which stays where something is violated."""
    folder = Path(tempfile.mkdtemp(prefix="callvault-cluster-", dir=options.within))
    with ExitStack() as stack:
        given = {
            "--calls": options.calls,
            "--seed": f"cluster {options.plan}",
            "--minute": 0.2,
            "--bytes": "20KB",
            "--rate-limit": LIMIT,
        }
        words = [str(word) for pair in given.items() for word in pair]
        report = _Run(options, Site(folder, words, stack)).report()
    if not (report.violations or options.keep):
        shutil.rmtree(folder)
    return report


class _Run:
    def __init__(self, options: Options, site: Site) -> None:
        self._options = options
        self._site = site
        self._holds = Holds()
        self._down: set[str] = set()
        self._catalog_is_down = False
        self._began = time.monotonic()
        self._deadline = self._began + 60 * options.minutes_cap
        self._sampled_at = 0.0
        self._unsettled: int | None = None
        self._held: list[tuple[str, str, str]] = []
        self._ended_s = 0.0
        self._effects: list[Effect] = []
        self._violations: list[Violation] = []

    def report(self) -> Report:
        """Do everything, judge the end, and tell of it."""
        site, rightly = self._site, 0
        site.operator.good("enqueue", "cdr", "calls.csv")
        slow = {
            "kind": "latency",
            "where": "hosts",
            "parameters": {"delay": self._options.latency_s},
        }
        site.provider.spoil(slow)
        try:
            for trouble in PLANS[self._options.plan]:
                self._effects.append(self._suffer(trouble))
            site.provider.heal()
            self._until(lambda: self._unsettled == 0, None)
            settled_at = time.monotonic()
            self._until(self._is_drained, None)
            self._ended_s = round(time.monotonic() - settled_at, 1)
            rightly = self._put_back()
            took_s = time.monotonic() - self._began
            self._violations += judge_end(site, ended_s=self._ended_s)
        except OutOfTimeError:
            took_s = time.monotonic() - self._began
            self._holds.release()
            site.net.heal()
            self._violations.append(Violation("time", "", f"not done after {took_s:.0f} s"))
        for crew in site.crews.values():
            crew.close()
        note_gaps(site, self._effects)
        downloads = site.provider.stats()["downloads"]
        again = downloads["total"] - downloads["distinct"]
        may = sum(effect.in_hand + _SLOTS for effect in self._effects)
        if again > may:
            found = f"{again} recordings were fetched again, {may} may have been"
            self._violations.append(Violation("fetched again", "", found))
        return Report(
            plan=self._options.plan,
            calls=self._options.calls,
            took_s=round(took_s, 1),
            effects=self._effects,
            ends={
                name: {str(code): count for code, count in sorted(crew.ends.items())}
                for name, crew in site.crews.items()
            },
            ended_s=self._ended_s,
            catalog_starts=site.postgresql.started_again,
            states=site.operator.states(),
            rightly_failed=rightly,
            downloads=downloads["total"],
            fetched_again=again,
            may_be_fetched_again=may,
            folder=str(site.folder),
            violations=self._violations,
        )

    def _suffer(self, trouble: Trouble) -> Effect:
        """Do one thing, undo it, and see what follows."""
        self._until(lambda: self._is_busy() and bool(self._site.leader()[1]), _PATIENCE_S)
        token, leading = self._site.leader()
        other = next(name for name in WORKERS if name != leading)
        host = {"leader": leading, "other": other, "": ""}[trouble.hit]
        full_before = self._site.postgresql.refusals()
        self._sample()
        before = {lease for _, lease, _ in self._held}
        hit = {lease for name, lease, _ in self._held if host in {name, ""}}
        in_hand = len({sid for _, lease, sid in self._held if lease in hit})
        effect = Effect(name=trouble.name, host=host or "all", at=time.time(), in_hand=in_hand)
        if not in_hand:
            self._violate(effect, "nothing was in hand: more calls are needed")
        ended: list[float] = []
        since: set[str] = set()

        def undone(undo: Callable[[], object]) -> None:
            undo()
            since.update(lease for _, lease, _ in self._held)
            ended.append(time.time())

        def seen() -> bool:
            self._follow(effect, trouble, before=before, hit=hit, token=token)
            if ended and effect.back_s is None:
                fresh = {lease for name, lease, _ in self._held if host in {name, ""}}
                if fresh - since - before:
                    effect.back_s = round(time.time() - ended[0], 1)
            if ended and self._unsettled == 0:
                return True  # nothing is left that anybody could have begun
            needed = [effect.went_on_s, effect.back_s]
            needed += [effect.given_back_s] if trouble.dies else []
            return bool(ended) and None not in needed

        undo = self._begin(trouble, host)
        self._holds.add(trouble.hold_s, lambda: undone(undo), meanwhile=self._meanwhile(trouble))
        if not self._until(seen, trouble.hold_s + _PATIENCE_S):
            self._violate(effect, f"it was not got over: {effect}")
        self._check(effect, trouble)
        if trouble.deed in _FILLING and self._site.postgresql.refusals() == full_before:
            self._violate(effect, "the server did not feel it")
        sys.stderr.write(f"{effect}\n")
        self._until(lambda: False, _QUIET_S)
        return effect

    def _follow(
        self, effect: Effect, trouble: Trouble, *, before: set[str], hit: set[str], token: str
    ) -> None:
        """Note what has come about."""
        if self._unsettled is None:
            return
        passed = round(time.time() - effect.at, 1)
        begun = [name for name, lease, _ in self._held if lease not in before]
        if effect.went_on_s is None and any(name != effect.host for name in begun):
            effect.went_on_s = passed
        if effect.given_back_s is None and not hit & {lease for _, lease, _ in self._held}:
            effect.given_back_s = passed
        if effect.led_s is None and trouble.hit == "leader":
            now, _ = self._site.leader()
            if now not in {token, ""}:
                effect.led_s = passed

    def _check(self, effect: Effect, trouble: Trouble) -> None:
        alone = 0.0 if trouble.hit else trouble.hold_s
        if effect.went_on_s is not None and effect.went_on_s > AGAIN_S + alone:
            self._violate(effect, f"work went on after {effect.went_on_s} s only")
        if trouble.dies and (effect.given_back_s or 0) > AGAIN_S:
            self._violate(effect, f"calls were given back after {effect.given_back_s} s only")

    def _begin(self, trouble: Trouble, host: str) -> Callable[[], object]:
        """Begin a trouble; return what ends it."""
        site, server = self._site, self._site.postgresql
        if trouble.deed is Deed.CUT:
            off = [site.places[name] for name in trouble.off] or site.others(host)
            site.net.cut(site.places[host], off, trouble.how)
            return site.net.heal
        if trouble.deed is Deed.KILL:
            self._down.add(host)
            site.send(host, signal.SIGKILL)
            return lambda: self._down.discard(host)
        if trouble.deed is Deed.FREEZE:
            site.send(host, signal.SIGSTOP)
            return lambda: site.send(host, signal.SIGCONT)
        if trouble.deed is Deed.SLOW:
            for name in WORKERS:
                site.net.slow(site.places[name], 256)
            return self._hasten
        if trouble.deed is Deed.STOP_CATALOG:
            self._catalog_is_down = True
            server.stop()
            return self._start_catalog
        if trouble.deed is Deed.KILL_CATALOG:
            server.kill()
        return server.free

    def _meanwhile(self, trouble: Trouble) -> Callable[[], object] | None:
        server = self._site.postgresql
        doing: dict[Deed, Callable[[], object]] = {
            Deed.END_CONNECTIONS: server.end_connections,
            Deed.FILL_DATA: lambda: server.fill("data"),
            Deed.FILL_LOG: server.fill_log,
        }
        return doing.get(trouble.deed)

    def _hasten(self) -> None:
        for name in WORKERS:
            self._site.net.hasten(self._site.places[name])

    def _start_catalog(self) -> None:
        self._catalog_is_down = False
        self._site.postgresql.begin()

    def _put_back(self) -> int:
        """Judge who failed, put them back, and let them be drained once more."""
        rightly, violations = judge_failures(evidence.failures(self._site.operator))
        self._violations += violations
        if rightly or violations:
            self._site.operator.good("retry", "--failed")
            self._sampled_at = 0.0
            self._until(self._is_drained, None)
        return len(rightly)

    def _violate(self, effect: Effect, found: str) -> None:
        self._violations.append(Violation("got over", "", f"{effect.name}: {found}"))

    def _is_busy(self) -> bool:
        return {host for host, _, _ in self._held} >= set(WORKERS)

    def _is_drained(self) -> bool:
        idle = all(crew.supervisor is None for crew in self._site.crews.values())
        return idle and self._unsettled == 0

    def _sample(self) -> None:
        self._sampled_at = time.monotonic()
        self._unsettled = self._site.unsettled()
        if self._unsettled is not None:
            self._held = self._site.held()

    def _until(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Keep everything going until a condition holds (True) or the time is over (False)."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            self._holds.tend()
            if not self._catalog_is_down:
                self._site.postgresql.keep_up()
            for name, crew in self._site.crews.items():
                if name not in self._down:
                    crew.tend(wanted=self._unsettled != 0)
            now = time.monotonic()
            if now - self._sampled_at > _SAMPLE_S:
                self._sample()
                if condition():
                    return True
            if end is not None and now >= end:
                return False
            if now >= self._deadline:
                raise OutOfTimeError
            time.sleep(_LOOK_S)
