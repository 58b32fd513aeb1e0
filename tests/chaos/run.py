"""One chaos run from nothing to its report."""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from tests.acceptance.vault import Vault
from tests.chaos import evidence
from tests.chaos.actor import Actor, OutOfTimeError
from tests.chaos.crew import Crew
from tests.chaos.disk import Disk, LimitedFiles, small_disk
from tests.chaos.errands import Errands
from tests.chaos.holds import Holds
from tests.chaos.judge import Violation, judge, judge_failures
from tests.chaos.plan import Deed, Step, draw_plan, waves_of
from tests.chaos.report import Report, Told, times
from tests.chaos.watch import Watch, recoveries
from tests.provider import Provider, running_provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LIMIT: Final = 200
"""Requests a minute, as the provider allows."""
_OBJECT: Final = re.compile(r"/exotelrecordings/sandbox1/([\w.]+)", re.ASCII)
_MOST_TOLD: Final = 20
"""Violations that are told with a story: one fault may concern all calls."""
_ZONE: Final = ZoneInfo("Asia/Kolkata")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a run.

    ``several`` and ``faults`` are shares; ``size`` and ``kinds`` (of faults) as the sandbox takes
    them; ``minute`` is how many seconds a minute of the provider's processing lasts. The run's own
    folder is made ``within`` another, or where temporary files are.
    """

    seed: str
    calls: int
    kills: int
    flushes: int
    minutes_cap: float
    faults: float = 0.2
    several: float = 0.0
    size: str = ""
    minute: float = 1.0
    kinds: str = ""
    keep: bool = False
    within: Path | None = None


def run(options: Options) -> Report:
    """Run it in a folder of its own, which stays where something is violated."""
    folder = Path(tempfile.mkdtemp(prefix="callvault-chaos-", dir=options.within))
    with ExitStack() as stack:
        provider = stack.enter_context(running_provider(*_provider_options(options, folder)))
        report = _Run(options, folder, provider, stack).report()
    if not (report.violations or options.keep):
        shutil.rmtree(folder)
    return report


def _provider_options(options: Options, folder: Path) -> list[str]:
    """Return the sandbox's options: a month and more of calls, some of which have just ended."""
    start = datetime.now(_ZONE) - timedelta(days=33)
    given = {
        "--calls": options.calls,
        "--seed": f"chaos {options.seed}",
        "--start": f"{start:%Y-%m-%d %H:%M:%S}",
        "--span": "32d",
        "--late": options.calls // 8,
        "--minute": options.minute,
        "--urls": "both",
        "--rate-limit": _LIMIT,
        "--write-cdr": folder / "calls.csv",
        "--faults": options.faults,
        "--fault-seed": options.seed,
        "--fault-hold": "2s",
        "--several": options.several,
        # Only the dashboard's export tells of several recordings of a call.
        "--family": "dashboard" if options.several else "cdr",
    }
    given |= {"--bytes": options.size} if options.size else {}
    given |= {"--fault-kinds": options.kinds} if options.kinds else {}
    return [str(word) for pair in given.items() for word in pair]


class _Run:
    def __init__(
        self, options: Options, folder: Path, provider: Provider, stack: ExitStack
    ) -> None:
        self._options = options
        self._provider = provider
        self._began = time.monotonic()
        self._truth = provider.truth()
        self._plan = draw_plan(options.seed, kills=options.kills, flushes=options.flushes)
        self._vault = vault = Vault(folder, provider)
        vault.configure(
            readiness=readiness(options.minute),
            archive={"min_free": "1MiB"},
            worker={"processes": 3, "downloads": 8, "batch": 40},
        )
        self._crew = crew = Crew(vault)
        self._disk = _disk(vault, crew, self._truth)
        stack.callback(self._leave)
        stack.callback(vault.end_queue)
        stack.callback(crew.close)
        self._errands = Errands(vault)
        stack.callback(self._errands.close)
        self._holds = Holds()
        stack.callback(self._holds.release)
        self._watch = Watch(vault)
        waves = _waves(folder, waves_of(self._plan), late=options.calls // 8)
        self._in_exports = objects_told(waves)
        self._actor = Actor(
            vault,
            crew=crew,
            disk=self._disk,
            errands=self._errands,
            holds=self._holds,
            watch=self._watch,
            waves=waves,
            sids=_sids(waves[0]),
            deadline=self._began + 60 * options.minutes_cap,
        )

    def report(self) -> Report:
        """Do everything, judge the end, and tell of it."""
        try:
            self._actor.perform(self._plan)
            self._actor.finish()
            rightly, violations = self._judge_failures()
        except OutOfTimeError:
            return self._report(time.monotonic() - self._began, 0, self._judge_time())
        took_s = time.monotonic() - self._began
        self._crew.close()
        return self._report(took_s, rightly, violations + self._judge_end())

    def _judge_time(self) -> list[Violation]:
        """Tell which calls keep the run from its end."""
        self._holds.release()
        self._crew.close()
        found = f"it was not done after {self._options.minutes_cap} minutes"
        unsettled = self._watch.unsettled_calls() or [""]
        return [Violation("time", sid, found) for sid in unsettled]

    def _judge_failures(self) -> tuple[int, list[Violation]]:
        """Judge who failed, put them back, and let them be drained once more."""
        rightly, violations = judge_failures(evidence.failures(self._vault))
        if rightly or violations:
            self._vault.good("retry", "--failed")
            self._actor.drain()
        return len(rightly), violations

    def _judge_end(self) -> list[Violation]:
        if not self._disk.is_there():
            gone = "the run's own disk was unmounted by somebody: the run tells nothing"
            return [Violation("disk", "", gone)]
        last = self._vault.run("work", "--drain")
        done = self._actor.done
        # An emptied queue has forgotten what was asked in the last minute (see `jobs.limiter`).
        emptied = done[Deed.FLUSH] + done[Deed.REPLACE]
        found = evidence.gather(
            self._vault,
            self._truth,
            told=self._in_exports,
            most_requests=_LIMIT + emptied * _LIMIT // 10,
            last_drain=last.code,
            command_faults=self._errands.faults,
            odd_ends=self._crew.odd_ends,
        )
        return judge(found)

    def _report(self, took_s: float, rightly: int, violations: Sequence[Violation]) -> Report:
        stats, actor, options = self._provider.stats(), self._actor, self._options
        recovered = recoveries(self._watch.kills, self._watch.looks())
        downloads = stats["downloads"]
        return Report(
            seed=options.seed,
            calls=options.calls,
            several=options.several,
            faults=options.faults,
            disk=self._disk.kind,
            took_s=round(took_s, 1),
            deeds=dict(sorted(actor.done.items())),
            missed=dict(sorted(actor.missed.items())),
            kills=len(self._watch.kills),
            supervisors=self._crew.supervisors,
            ends={str(code): count for code, count in sorted(self._crew.ends.items())},
            commands=dict(sorted(self._errands.done.items())),
            went_on_s=times(one.went_on_s for one in recovered),
            given_back_s=times(one.given_back_s for one in recovered),
            recoveries=recovered,
            lulls=self._watch.lulls,
            states=self._vault.states(),
            rightly_failed=rightly,
            fired=stats["faults"],
            api_requests=stats["api_requests"],
            api_peak_per_minute=stats["api_peak_per_minute"],
            downloads=downloads["total"],
            fetched_again=downloads["total"] - downloads["distinct"],
            bytes=stats["bytes"],
            folder=str(self._vault.folder),
            violations=[self._told(place, one) for place, one in enumerate(violations)],
        )

    def _told(self, place: int, violation: Violation) -> Told:
        story = evidence.story_of(self._vault, violation.sid) if place < _MOST_TOLD else ""
        return Told(violation.condition, violation.sid, violation.found, story)

    def _leave(self) -> None:
        if not self._options.keep:
            self._disk.close()


def readiness(minute: float) -> dict[str, object]:
    """Return the settings of readiness for a provider whose minutes last ``minute`` seconds."""
    # The defaults in minutes; the time between late looks is shortened further, for those of a
    # month ago wait for nothing.
    minutes = {"first_look": 1.433, "window": 15, "recheck": 1, "give_up_after": 60}
    return {name: f"{round(1000 * minute * long)}ms" for name, long in minutes.items()}


def _disk(vault: Vault, crew: Crew, truth: Sequence[Mapping[str, Any]]) -> Disk:
    size = sum(recording["bytes"] for call in truth for recording in call["recordings"])
    return small_disk(vault.root, size) or LimitedFiles(crew)


def _waves(folder: Path, count: int, *, late: int) -> list[Path]:
    """Deal the export's calls to so many exports; the first has those that have just ended."""
    with (folder / "calls.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    earlier, just_ended = rows[: len(rows) - late], rows[len(rows) - late :]
    paths = []
    for wave in range(count):
        paths.append(folder / f"wave-{wave}.csv")
        dealt = earlier[wave::count] + (just_ended if wave == 0 else [])
        with paths[-1].open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *dealt])
    return paths


def objects_told(exports: Iterable[Path]) -> frozenset[str]:
    """Return the object names of all recordings that exports tell of."""
    return frozenset(name for path in exports for name in _OBJECT.findall(path.read_text()))


def _sids(export: Path) -> list[str]:
    with export.open(newline="", encoding="utf-8") as file:
        return [row.get("CallSid") or row["Id"] for row in csv.DictReader(file)]


def plan_of(options: Options) -> list[Step]:
    """Return what a run with these options does."""
    return draw_plan(options.seed, kills=options.kills, flushes=options.flushes)
