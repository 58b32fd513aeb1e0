"""Every metric by its name, and what Prometheus is told of them.

Counters come from the tallies in the catalog, so that no restart makes them less; they are there
with 0 before anything was counted, so that the first one shows as an increase. Labels hold names of
the settings, hosts and words of ours: as many as there are of these, and nothing of any call.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of a reading
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from archive import tallies
from archive.call import State
from archive.catalog.metrics import OfAccount, OfAll  # noqa: TC001 - the same
from archive.room import days_left
from worker.timers import Timed  # noqa: TC001 - the same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_MS: Final = 1_000


class Told(NamedTuple):
    """A metric's help text and labels."""

    text: str
    labels: tuple[str, ...] = ()


class Counted(NamedTuple):
    """A counter that is made of a tally: what of, and how many of these are one."""

    tally: str
    told: Told
    per: int = 1


COUNTERS: Final = {
    "callvault_requests": Counted(
        tallies.REQUESTS, Told("Requests to the provider's API", ("account", "outcome"))
    ),
    "callvault_limiter_wait_seconds": Counted(
        tallies.LIMITER_WAIT_MS, Told("Time that requests waited for their turn", ("account",)), _MS
    ),
    "callvault_recordings": Counted(
        tallies.RECORDINGS, Told("Recordings that were archived", ("account",))
    ),
    "callvault_recording_bytes": Counted(
        tallies.RECORDING_BYTES, Told("Bytes that were downloaded and archived", ("account",))
    ),
    "callvault_download_seconds": Counted(
        tallies.DOWNLOAD_MS, Told("Time that calls' downloads took", ("account",)), _MS
    ),
    "callvault_download_failures": Counted(
        tallies.DOWNLOAD_FAILURES,
        Told("Downloads that brought no recording", ("account", "symptom")),
    ),
    "callvault_retries": Counted(
        tallies.RETRIES, Told("Looks that met a trouble which may pass", ("account", "symptom"))
    ),
    "callvault_settled": Counted(
        tallies.SETTLED, Told("Calls that were settled by a look at them", ("account", "state"))
    ),
    "callvault_callbacks": Counted(
        tallies.CALLBACKS,
        Told("Requests to the webhook; no account where it is not known", ("account", "outcome")),
    ),
    "callvault_callbacks_taken": Counted(
        tallies.CALLBACKS_TAKEN, Told("Callbacks that the catalog has taken in", ("call",))
    ),
}
"""Named as Prometheus' library wants them: it adds ``_total``."""

READINESS: Final = "callvault_readiness_seconds"
GAUGES: Final = {
    "callvault_build_info": Told("1; the label has the version", ("version",)),
    "callvault_read_timestamp_seconds": Told("When the catalog was last read for these metrics"),
    "callvault_catalog_up": Told("1 if the catalog could be read just now"),
    "callvault_catalog_bytes": Told("The catalog's files"),
    "callvault_books_balanced": Told("1 if the books balance, counted every ten minutes at most"),
    "callvault_calls": Told("Known calls", ("account", "state")),
    "callvault_due_calls": Told("Calls whose time to be looked at has come", ("account",)),
    "callvault_not_ready_calls": Told(
        "Calls that wait for the provider to process their recording", ("account",)
    ),
    "callvault_try_again_calls": Told(
        "Calls that wait for a further try after a trouble", ("account",)
    ),
    "callvault_held_calls": Told("Calls that wait for the backfill hours", ("account",)),
    "callvault_oldest_due_seconds": Told(
        "For how long the first of the due calls waits; 0 if none does", ("account",)
    ),
    "callvault_last_settled_timestamp_seconds": Told(
        "When a call was settled last; 0 if none ever was", ("account",)
    ),
    "callvault_at_risk_calls": Told(
        "Recordings that will be deleted before their turn at the present rate", ("account",)
    ),
    "callvault_past_deletion_calls": Told(
        "Waiting calls whose recording should be deleted by now", ("account",)
    ),
    "callvault_next_deletion_timestamp_seconds": Told(
        "When the provider deletes the next recording of a call that waits", ("account",)
    ),
    "callvault_source_last_heard_timestamp_seconds": Told(
        "When a source of calls was last heard; before the first time, when it was listened to",
        ("account", "source"),
    ),
    "callvault_paused": Told("1 for each pause in force", ("scope", "reason")),
    "callvault_trouble": Told("How many of it are met just now", ("what", "host")),
    "callvault_workers": Told("Worker processes that beat", ("host",)),
    "callvault_worker_last_beat_timestamp_seconds": Told(
        "The last beat of any worker process of a host", ("host",)
    ),
    "callvault_last_run_timestamp_seconds": Told(
        "When a run of a command ended last", ("command",)
    ),
    "callvault_last_run_exit_code": Told("The exit code of that run", ("command",)),
    "callvault_last_good_run_timestamp_seconds": Told(
        "When a run of a command last ended with 0", ("command",)
    ),
    "callvault_timer_last_good_timestamp_seconds": Told(
        "The same of a command that a timer of this host runs; before the first, when the timer "
        "was enabled",
        ("timer", "command"),
    ),
    "callvault_disk_free_bytes": Told("Free bytes of the disk that a path is on", ("path",)),
    "callvault_state_disk_free_bytes": Told(
        "Free bytes of the disk of catalog, queue and spool; of the fullest if they are several"
    ),
    "callvault_disk_spare_bytes": Told(
        "Free bytes of the recordings' disk above [archive] min_free; at 0 work pauses"
    ),
    "callvault_disk_days_left": Told("Days until then, as the last week went"),
    "callvault_spool_bytes": Told("Callbacks that the catalog has not taken in yet"),
}
_OUTCOMES: Final = (tallies.ANSWERED, tallies.THROTTLED, tallies.REFUSED, tallies.FAILED)
_LABELS: Final = {
    tallies.REQUESTS: _OUTCOMES,
    tallies.SETTLED: (State.ARCHIVED, State.ABSENT, State.LOST, State.FAILED),
    tallies.CALLBACKS: ("kept",),
}
"""Of what is there with 0 from the beginning."""


class Disks(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes: free, by path; of the catalog's files; of the spool; and to be left free.

    ``state`` is the least that is free on the disks of catalog, queue and spool; None: unknown.
    """

    free: dict[str, int]
    state: int | None = None
    root: str
    min_free: int
    catalog: int
    spool: int


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the catalog, and when. ``balanced`` is None where it was not counted yet.

    ``timers`` are those of the host that reads.
    """

    at: datetime
    host: str
    accounts: tuple[OfAccount, ...]
    all: OfAll
    balanced: bool | None
    timers: tuple[Timed, ...]


def exposition(reading: Reading | None, disks: Disks, *, up: bool, version: str) -> bytes:
    """Return all metrics in the text format; without a reading, what is known without one."""
    registry = CollectorRegistry()
    registry.register(_Read(_families(reading, disks, up=up, version=version)))
    return generate_latest(registry)


class _Read(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


class _Gauge:
    """Gathers the samples of one gauge."""

    def __init__(self, name: str) -> None:
        told = GAUGES[name]
        self.family = GaugeMetricFamily(name, told.text, labels=told.labels)

    def add(self, value: float, *labels: str) -> _Gauge:
        self.family.add_metric(list(labels), value)
        return self


def _families(reading: Reading | None, disks: Disks, *, up: bool, version: str) -> Iterator[Metric]:
    yield _Gauge("callvault_build_info").add(1, version).family
    yield _Gauge("callvault_catalog_up").add(int(up)).family
    yield from _of_disks(disks, None if reading is None else reading.all.bytes_a_day)
    if reading is None:
        return
    yield _Gauge("callvault_read_timestamp_seconds").add(reading.at.timestamp()).family
    if reading.balanced is not None:
        yield _Gauge("callvault_books_balanced").add(int(reading.balanced)).family
    yield from _of_accounts(reading)
    yield from _of_all(reading)
    yield from _of_runs(reading)
    names = [one.name for one in reading.accounts]
    for name, counted in COUNTERS.items():
        yield _counter(name, counted, reading.all.totals, names)
    yield _readiness(reading.all.totals)


def _of_disks(disks: Disks, bytes_a_day: float | None) -> Iterator[Metric]:
    free = _Gauge("callvault_disk_free_bytes")
    for path, size in disks.free.items():
        free.add(size, path)
    yield free.family
    if disks.state is not None:
        yield _Gauge("callvault_state_disk_free_bytes").add(disks.state).family
    if disks.root in disks.free:
        spare = max(0, disks.free[disks.root] - disks.min_free)
        yield _Gauge("callvault_disk_spare_bytes").add(spare).family
        if (left := days_left(spare, bytes_a_day)) is not None:
            yield _Gauge("callvault_disk_days_left").add(left).family
    yield _Gauge("callvault_catalog_bytes").add(disks.catalog).family
    yield _Gauge("callvault_spool_bytes").add(disks.spool).family


def _of_accounts(reading: Reading) -> Iterator[Metric]:
    calls = _Gauge("callvault_calls")
    due = _Gauge("callvault_due_calls")
    not_ready = _Gauge("callvault_not_ready_calls")
    again = _Gauge("callvault_try_again_calls")
    held = _Gauge("callvault_held_calls")
    oldest = _Gauge("callvault_oldest_due_seconds")
    settled = _Gauge("callvault_last_settled_timestamp_seconds")
    risk = _Gauge("callvault_at_risk_calls")
    past = _Gauge("callvault_past_deletion_calls")
    deletion = _Gauge("callvault_next_deletion_timestamp_seconds")
    for one in reading.accounts:
        for state, number in one.states.items():
            calls.add(number, one.name, state.value)
        due.add(one.backlog.due, one.name)
        not_ready.add(one.backlog.later, one.name)
        again.add(one.backlog.again, one.name)
        held.add(one.backlog.held, one.name)
        since = one.backlog.oldest_due
        waited = 0.0 if since is None else (reading.at - since).total_seconds()
        oldest.add(max(0.0, waited), one.name)
        settled.add(0 if one.last_settled is None else one.last_settled.timestamp(), one.name)
        risk.add(one.risk.calls, one.name)
        past.add(one.risk.already_past, one.name)
        if one.backlog.next_deletion is not None:
            deletion.add(one.backlog.next_deletion.timestamp(), one.name)
    for gauge in (calls, due, not_ready, again, held, oldest, settled, risk, past, deletion):
        yield gauge.family


def _of_all(reading: Reading) -> Iterator[Metric]:
    found = reading.all
    heard = _Gauge("callvault_source_last_heard_timestamp_seconds")
    for (account, source), at in found.heard.items():
        heard.add(at.timestamp(), account, source)
    paused = _Gauge("callvault_paused")
    for scope, reason in found.paused:
        paused.add(1, scope, reason)
    trouble = _Gauge("callvault_trouble")
    for (what, host), number in found.troubles.items():
        trouble.add(number, what, host)
    workers = _Gauge("callvault_workers")
    for host in sorted({reading.host, *found.beats}):
        workers.add(found.workers.get(host, 0), host)
    beats = _Gauge("callvault_worker_last_beat_timestamp_seconds")
    for host, at in found.beats.items():
        beats.add(at.timestamp(), host)
    for gauge in (heard, paused, trouble, workers, beats):
        yield gauge.family


def _of_runs(reading: Reading) -> Iterator[Metric]:
    found = reading.all
    ended = _Gauge("callvault_last_run_timestamp_seconds")
    code = _Gauge("callvault_last_run_exit_code")
    good = _Gauge("callvault_last_good_run_timestamp_seconds")
    for run in found.runs:
        ended.add(run.ended.timestamp(), run.command)
        code.add(run.code, run.command)
        if run.good is not None:
            good.add(run.good.timestamp(), run.command)
    timed = _Gauge("callvault_timer_last_good_timestamp_seconds")
    goods = {run.command: run.good for run in found.runs}
    for one in reading.timers:
        # A good run of long before the timer says nothing of it.
        last = max(one.since, goods.get(one.command) or one.since)
        timed.add(last.timestamp(), one.timer, one.command)
    for gauge in (ended, code, good, timed):
        yield gauge.family


def _counter(
    name: str, counted: Counted, totals: Iterable[tallies.Count], accounts: Iterable[str]
) -> Metric:
    """Add up a tally by the labels that its metric has."""
    labels = counted.told.labels
    by_account = "account" in labels
    divides = bool(tallies.TALLIES[counted.tally].label)
    begun = _LABELS.get(counted.tally, () if divides else ("",))
    sums: dict[tuple[str, str], int] = {
        (account, label): 0 for account in (accounts if by_account else ("",)) for label in begun
    }
    for account, tally, label, amount in totals:
        if tally == counted.tally:
            key = (account if by_account else "", label)
            sums[key] = sums.get(key, 0) + amount
    family = CounterMetricFamily(name, counted.told.text, labels=labels)
    for (account, label), amount in sorted(sums.items()):
        values = [*([account] if by_account else []), *([label] if divides else [])]
        family.add_metric(values, amount / counted.per)
    return family


def _readiness(totals: Iterable[tallies.Count]) -> Metric:
    """Add the buckets up, as Prometheus has them: each holds those before it."""
    text = "From a call's end until its recording was on disk"
    family = HistogramMetricFamily(READINESS, text, labels=["account"])
    counted: dict[str, dict[str, int]] = {}
    sums: dict[str, int] = {}
    for account, tally, label, amount in totals:
        if tally == tallies.READINESS_S:
            counted.setdefault(account, {})[label] = amount
        elif tally == tallies.READINESS_TOTAL_S:
            sums[account] = amount
    for account, found in sorted(counted.items()):
        buckets, below = [], 0
        for bound in (*map(str, tallies.READINESS_BOUNDS_S), "+Inf"):
            below += found.get(bound, 0)
            buckets.append((bound, below))
        family.add_metric([account], buckets, sum_value=sums.get(account, 0))
    return family
